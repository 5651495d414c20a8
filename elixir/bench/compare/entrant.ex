defmodule Bench.Entrant do
  @moduledoc "A system with its pool and its load: one line of a row, or one point of a sweep."

  alias Bench.{Settings, Work}

  @enforce_keys [:id, :name, :system, :pool, :work]
  defstruct [:id, :name, :system, :pool, :work, :x, :rounds, callers: 1, idle: 0]

  @typedoc """
  `callers` call concurrently; each makes its next call when it has the reply to the last. `idle` more have called once and wait.
  `rounds` limits the rounds it takes part in, per mode. `x` is its position on the axis of a sweep.
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

  @doc "Whether it takes part in this round."
  @spec in_round?(t, Settings.t(), pos_integer) :: boolean
  def in_round?(%__MODULE__{rounds: nil}, _settings, _round), do: true
  def in_round?(%__MODULE__{rounds: rounds}, settings, round), do: round <= Map.fetch!(rounds, settings.mode)
end
