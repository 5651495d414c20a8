defmodule Bench.Workloads do
  @moduledoc "The rows of the comparison."

  alias Bench.{Entrant, Goal, Payloads, Row, Work}
  alias Bench.Systems.{Echo, ErlPort, Portpool}

  @pool [size: 2]

  @doc "All of them. `heavy` are modules that are slow to import."
  @spec rows([String.t()]) :: [Row.t()]
  def rows(heavy), do: small_calls() ++ payloads() ++ [burst(), killed() | heavy(heavy)]

  defp small_calls do
    [
      %Row{
        id: "small",
        title: "small call, `operator.add(1, 2)`, one caller",
        entrants: both(@pool, Work.small()) ++ [asleep(1) | floors(Work.small())],
        goals: [goal(:p50_us, :peer, :at_most, 1.0), goal(:p50_us, :two_hops, :at_most, 1.3)]
      },
      callers(4),
      callers(16),
      callers(64)
    ]
  end

  defp callers(count) do
    %Row{
      id: "callers#{count}",
      title: "small call, #{count} callers, 2 workers",
      entrants: both(@pool, Work.small(), callers: count) ++ [not_ahead(count), asleep(count)],
      figure: :calls_per_second,
      goals: [goal(:calls_per_second, :peer, :at_least, 3)]
    }
  end

  # Without polling: server and workers sleep as soon as they have nothing to do.
  defp asleep(callers) do
    %Entrant{
      id: :asleep,
      name: "Portpool, `busy_poll: 0`",
      system: Portpool,
      pool: [busy_poll: 0] ++ @pool,
      work: Work.small(),
      callers: callers
    }
  end

  # No call is sent to a busy worker.
  defp not_ahead(callers) do
    %{asleep(callers) | id: :not_ahead, name: "Portpool, `prefetch: :off`", pool: [prefetch: :off] ++ @pool}
  end

  defp payloads do
    [
      echo("maps", "1000 maps of 5 keys, echo", Work.echo(Payloads.maps(1000)), peer: 1 / 10),
      floats(),
      echo("bytes10", "10 MB binary as `bytes`, echo", Work.echo_bytes(Payloads.binary(10_000_000)),
        peer: 1 / 4,
        two_hops: 1.3
      ),
      bytes64(),
      echo("job", "200-stop job, a map, echo", Work.echo(Payloads.job(200)), peer: 1 / 3)
    ]
  end

  # `goals`: the largest allowed ratio of p50, by entrant.
  defp echo(id, title, work, goals) do
    goals = for {against, bound} <- goals, do: goal(:p50_us, against, :at_most, bound)
    %Row{id: id, title: title, entrants: both(@pool, work) ++ floors(work), goals: goals}
  end

  defp floats do
    row = echo("floats", "100,000 floats, echo", Work.echo(Payloads.floats(100_000)), peer: 1 / 100)
    # The peer takes a second per call.
    %{row | entrants: rarely(row.entrants, %{full: 12, quick: 2, once: 1})}
  end

  defp bytes64 do
    entrants = both(@pool, to_python(Payloads.binary(64_000_000)))

    %Row{
      id: "bytes64",
      title: "64 MB binary as `bytes` to Python",
      # The peer takes 17 seconds per call.
      entrants: rarely(entrants, %{full: 2, quick: 0, once: 0}),
      goals: [goal(:p50_us, :peer, :at_most, 1 / 100)]
    }
  end

  defp to_python(binary), do: Work.call(:builtins, :len, &[&1.bytes(binary)], byte_size(binary))

  defp rarely(entrants, rounds) do
    for entrant <- entrants, do: if(entrant.id == :peer, do: %{entrant | rounds: rounds}, else: entrant)
  end

  defp heavy(modules) do
    for row <- [ready(modules), all_killed(modules), memory(modules)], do: %{row | modules: modules}
  end

  defp burst do
    work = Work.call(:work, :nap, fn _system -> [0.001] end, 0.001)

    fixed = %Entrant{
      id: :fixed,
      name: "Portpool, size 6",
      system: Portpool,
      pool: [size: 6],
      work: work,
      callers: 6
    }

    %Row{
      id: "burst",
      title: "size 2, max_overflow 4, 6 callers, 1 ms of work",
      entrants: both([size: 2, max_overflow: 4], work, callers: 6) ++ [fixed],
      figure: :calls_per_second,
      # Measured after the first second.
      warm_up_ms: 1_000,
      goals: [goal(:calls_per_second, :fixed, :at_least, 0.9)]
    }
  end

  defp ready(modules) do
    %Row{
      id: "ready",
      title: "one more worker with #{listed(modules)}, to its first reply",
      entrants:
        both([size: 1, max_overflow: 1, overflow_ttl: 1, preload: modules], Work.one_more_worker(modules)),
      kind: :events,
      goals: [Goal.most(:p50_us, 15_000)]
    }
  end

  defp killed do
    %Row{
      id: "killed",
      title: "kill -9 of the busy worker, to the next reply",
      # Any module will do: only the template matters here.
      entrants: both([size: 1, preload: ["json"]], Work.killed_worker()),
      kind: :events,
      goals: [Goal.most(:p50_us, 20_000)]
    }
  end

  defp all_killed(modules) do
    %Row{
      id: "all_killed",
      title: "kill -9 of 8 idle workers with #{listed(modules)}, to 8 running calls",
      entrants: both([size: 8, preload: modules], Work.killed_workers(8, modules)),
      kind: :events
    }
  end

  defp memory(modules) do
    work = Work.call(:heavy, :load, fn _system -> [modules] end, true)

    %Row{
      id: "memory",
      title: "memory of Python, PSS: 8 workers with #{listed(modules)}",
      entrants: both([size: 8, preload: modules], work, callers: 8),
      kind: :memory,
      figure: :memory_mb,
      goals: [Goal.most(:memory_mb, 100)]
    }
  end

  defp both(pool, work, more \\ []) do
    [
      struct!(%Entrant{id: :portpool, name: "Portpool", system: Portpool, pool: pool, work: work}, more),
      struct!(%Entrant{id: :peer, name: "ErlPort + Poolboy", system: ErlPort, pool: pool, work: work}, more)
    ]
  end

  defp floors(work) do
    [
      %Entrant{id: :port_echo, name: "port echo", system: Echo, pool: [program: "port_echo"], work: work},
      %Entrant{id: :two_hops, name: "two-hop echo", system: Echo, pool: [program: "two_hop_echo"], work: work}
    ]
  end

  defp listed(modules), do: Enum.join(modules, " and ")

  defp goal(figure, against, is, bound), do: Goal.times(figure, against, is, bound)
end
