defmodule Bench.Growth do
  @moduledoc "The sweeps: how figures change with workers, callers and payload, and what idle and waiting callers cost."

  alias Bench.{Entrant, Goal, Payloads, Row, Work}
  alias Bench.Systems.{ErlPort, Portpool}

  @workers [1, 2, 4, 8, 16]
  @callers [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
  @bytes [32, 256, 2_048, 16_384, 131_072, 1_048_576, 8_388_608, 64_000_000]
  # Beyond this the peer takes seconds per call.
  @peer_bytes 8_388_608

  # Room in the queue for the largest number of callers.
  @pool [size: 2, max_queue: 2_000]

  @spec rows() :: [Row.t()]
  def rows, do: [workers(), callers(), payload(), idle(), queue()]

  defp workers do
    %Row{
      id: "workers",
      title: "small calls, 32 callers",
      axis: "workers",
      figure: :calls_per_second,
      entrants: both(@workers, &%{pool: [size: &1], work: Work.small(), callers: 32})
    }
  end

  defp callers do
    %Row{
      id: "callers",
      title: "small calls, 2 workers",
      axis: "callers",
      figure: :calls_per_second,
      entrants: both(@callers, &%{pool: @pool, work: Work.small(), callers: &1})
    }
  end

  defp payload do
    entrants = both(@bytes, &%{pool: @pool, work: Work.echo_bytes(Payloads.binary(&1))})

    %Row{
      id: "payload",
      title: "echo of a binary as `bytes`, one caller, 2 workers",
      axis: "bytes",
      entrants: Enum.reject(entrants, &(&1.system == ErlPort and &1.x > @peer_bytes))
    }
  end

  # Both systems are measured next to each other at each point.
  defp both(points, load) do
    for x <- points, {name, system} <- [{"Portpool", Portpool}, {"ErlPort + Poolboy", ErlPort}] do
      struct!(Entrant, Map.merge(%{id: {system, x}, name: name, system: system, x: x}, load.(x)))
    end
  end

  defp idle, do: waiting("idle", "16 callers and 1000 idle callers", callers: 16, idle: 1000)

  defp queue, do: waiting("queue", "1002 callers, 1000 calls waiting", callers: 1002)

  defp waiting(id, title, load) do
    entrant = %Entrant{id: :portpool, name: "Portpool", system: Portpool, pool: @pool, work: Work.small()}

    %Row{
      id: id,
      title: "small call, 2 workers, #{title}",
      figure: :cpu_us,
      entrants: [
        struct!(entrant, load),
        %{entrant | id: :base, name: "16 callers", callers: 16}
      ],
      goals: [Goal.times(:cpu_us, :base, :at_most, 2)]
    }
  end
end
