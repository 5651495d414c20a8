defmodule Bench.Entrant do
  @moduledoc "A system with its pool, and the load on it: one line of a row, or one point of a sweep."

  alias Bench.{Settings, Work}

  @enforce_keys [:id, :name, :system, :pool, :work]
  defstruct [:id, :name, :system, :pool, :work, :x, :rounds, callers: 1, idle: 0]

  @typedoc """
  `callers` call at once, each its next call when it has the answer to the one before. `idle` more have called once and wait. `rounds`
  says how many rounds of each mode it takes part in, if not in all. `x` is its place on the axis of a sweep.
  """
  @type t :: %__MODULE__{
          id: atom,
          name: String.t(),
          system: module,
          pool: Bench.System.pool(),
          work: Work.t(),
          x: number | nil,
          rounds: %{atom => non_neg_integer} | nil,
          callers: pos_integer,
          idle: non_neg_integer
        }

  @doc "Whether it has a slice in this round."
  @spec in_round?(t, Settings.t(), pos_integer) :: boolean
  def in_round?(%__MODULE__{rounds: nil}, _settings, _round), do: true
  def in_round?(%__MODULE__{rounds: rounds}, settings, round), do: round <= Map.fetch!(rounds, settings.mode)
end
