defmodule Bench.Row do
  @moduledoc "One workload: its entrants, and the goals for their figures."

  alias Bench.{Entrant, Goal}

  @enforce_keys [:id, :title, :entrants]
  defstruct [
    :id,
    :title,
    :entrants,
    :axis,
    goals: [],
    kind: :calls,
    figure: :p50_us,
    modules: [],
    warm_up_ms: nil
  ]

  @typedoc """
  `kind`: `:calls`, slices full of calls; `:events`, one event per slice; `:memory`, the memory of the pool. `figure`: the figure that
  the row is about. `axis`: what changes from point to point, if the row is a sweep. `modules`: the Python modules it needs.
  `warm_up_ms`: how long to warm up, if longer than a slice.
  """
  @type t :: %__MODULE__{
          id: String.t(),
          title: String.t(),
          entrants: [Entrant.t()],
          axis: String.t() | nil,
          goals: [Goal.t()],
          kind: :calls | :events | :memory,
          figure: :p50_us | :calls_per_second | :cpu_us | :memory_mb,
          modules: [String.t()],
          warm_up_ms: non_neg_integer | nil
        }
end
