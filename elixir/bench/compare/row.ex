defmodule Bench.Row do
  @moduledoc "One workload: who is measured with it, and what is wanted of the figures."

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
  `kind`: `:calls`, slices full of calls; `:events`, one event in a slice; `:memory`, the memory of the pool. `figure` is the one that
  the row is about. `axis` names what changes from point to point where the row is a sweep. `modules`: what
  Python must have. `warm_up_ms`: more of it than a slice.
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
