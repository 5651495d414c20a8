defmodule Bench.Result do
  @moduledoc "The measurements of a row. The first entrant is the subject; the others are what it is compared with."

  alias Bench.{Entrant, Row, Slice, Statistics}

  @enforce_keys [:row, :measured]
  defstruct [:row, :measured]

  @typedoc "Slices; or memory in bytes (of Python, of all processes of the pool); or why nothing was measured."
  @type measured ::
          [Slice.t()] | {:memory, non_neg_integer, non_neg_integer} | {:absent, String.t()}
  @type t :: %__MODULE__{row: Row.t(), measured: [{Entrant.t(), measured}]}

  @doc "The id of the entrant that the row is about."
  @spec subject(t) :: atom
  def subject(%__MODULE__{measured: [{entrant, _measured} | _others]}), do: entrant.id

  @doc "The measurements of an entrant."
  @spec measured(t, atom) :: measured
  def measured(%__MODULE__{measured: measured}, id) do
    Enum.find_value(measured, {:absent, ""}, fn {entrant, measured} -> entrant.id == id and measured end)
  end

  @doc "All figures of an entrant; `nil` if it was not measured."
  @spec figures(t, atom) :: map | nil
  def figures(result, id) do
    case measured(result, id) do
      {:absent, _reason} -> nil
      {:memory, python, all} -> %{memory_mb: python / 1.0e6, pool_mb: all / 1.0e6}
      slices -> Statistics.figures(slices)
    end
  end

  @doc "One figure of an entrant; `nil` if it was not measured."
  @spec figure(t, atom, atom) :: number | nil
  def figure(result, id, figure) do
    with %{} = figures <- figures(result, id), do: Map.get(figures, figure)
  end

  @doc "Whether the subject's figure is better than the other's; `nil` if either was not measured."
  @spec better?(t, atom) :: boolean | nil
  def better?(%__MODULE__{row: %{figure: figure}} = result, other) do
    case {ratio(result, other, figure), figure} do
      {nil, _figure} -> nil
      {ratio, :calls_per_second} -> ratio > 1
      {ratio, _time_or_memory} -> ratio < 1
    end
  end

  @doc "The subject's figure divided by the other's; `nil` if either was not measured."
  @spec ratio(t, atom, atom) :: float | nil
  def ratio(result, other, figure) do
    case {measured(result, subject(result)), measured(result, other)} do
      {slices, others} when is_list(slices) and is_list(others) -> Statistics.ratio(slices, others, figure)
      {{:memory, python, _all}, {:memory, of, _all_of}} -> python / of
      {_measured, _other} -> nil
    end
  end
end
