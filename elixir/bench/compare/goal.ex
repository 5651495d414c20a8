defmodule Bench.Goal do
  @moduledoc "The goal for a figure: a bound on it, or on its ratio to another system's."

  alias Bench.Result

  @enforce_keys [:figure, :is, :bound]
  defstruct [:figure, :against, :is, :bound]

  @typedoc "`against` is the id of an entrant; without it the bound is in the figure's own unit."
  @type t :: %__MODULE__{
          figure: atom,
          against: atom | nil,
          is: :at_most | :at_least,
          bound: number
        }

  @doc "A goal for the ratio to another entrant of the row."
  @spec times(atom, atom, :at_most | :at_least, number) :: t
  def times(figure, against, is, bound),
    do: %__MODULE__{figure: figure, against: against, is: is, bound: bound}

  @doc "A goal for the figure itself."
  @spec most(atom, number) :: t
  def most(figure, bound), do: %__MODULE__{figure: figure, is: :at_most, bound: bound}

  @doc "Returns the value compared with the bound, if measured, and whether the goal is met."
  @spec judge(t, Result.t()) :: {number | nil, :met | :missed | :unknown}
  def judge(goal, result) do
    value =
      if goal.against,
        do: Result.ratio(result, goal.against, goal.figure),
        else: Result.figure(result, Result.subject(result), goal.figure)

    {value, verdict(goal, value)}
  end

  defp verdict(_goal, nil), do: :unknown
  defp verdict(%{is: :at_most, bound: bound}, value), do: if(value <= bound, do: :met, else: :missed)
  defp verdict(%{is: :at_least, bound: bound}, value), do: if(value >= bound, do: :met, else: :missed)
end
