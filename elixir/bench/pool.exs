# What overflow workers give, and how soon workers are back: `make bench-pool`.
#
# 1. Six callers, each call one millisecond of work: a pool of 2 workers and 4 of overflow, in each of three seconds, beside one of 6
#    that are always there. Overflow workers are started beside the loop and stay, so from the second second on there is no difference.
# 2. Eight workers with numpy and pandas imported in the template: from the kill of all eight to all eight ready again, their memory
#    (PSS: what is shared counts in parts), and one start without a template. Where pandas is not installed this says so.

defmodule Bench.Pool do
  @callers 6
  @seconds 3
  @python Path.expand("python", __DIR__)

  def run do
    overflow()
    template()
  end

  defp overflow do
    fixed = rates(size: 6, wait: :all)
    flexible = rates(size: 2, max_overflow: 4, wait: :all)
    IO.puts("| pool, #{@callers} callers, 1 ms of work | calls in second 1 | 2 | 3 |")
    IO.puts("|---|---|---|---|")
    IO.puts("| size 6 | #{Enum.join(fixed, " | ")} |")
    IO.puts("| size 2, max_overflow 4 | #{Enum.join(flexible, " | ")} |")
    ratios = for {calls, of} <- Enum.zip(flexible, fixed), do: Float.round(calls / of, 2)
    IO.puts("| ratio | #{Enum.join(ratios, " | ")} |\n")
  end

  # The calls that ended in each second.
  defp rates(options) do
    pool = start(options)
    {:ok, _} = Portpool.call(pool, :time, :sleep, [0.001])
    start = System.monotonic_time(:millisecond)
    ended = 1..@callers |> Enum.map(fn _ -> Task.async(fn -> calls(pool, start, []) end) end)
    seconds = ended |> Task.await_many(:infinity) |> List.flatten() |> Enum.frequencies()
    Portpool.stop(pool)
    for second <- 0..(@seconds - 1), do: Map.get(seconds, second, 0)
  end

  defp calls(pool, start, ended) do
    {:ok, nil} = Portpool.call(pool, :time, :sleep, [0.001])
    second = div(System.monotonic_time(:millisecond) - start, 1000)
    if second < @seconds, do: calls(pool, start, [second | ended]), else: ended
  end

  defp template do
    IO.puts("| 8 workers with numpy and pandas | ms | PSS of all, MB |")
    IO.puts("|---|---|---|")

    case Portpool.start_link(options(size: 8, wait: :all, preload: ["numpy", "pandas"])) do
      {:ok, pool} ->
        {:ok, %{crash_loop: false}} = Portpool.status(pool)
        memory = pss(pool)
        again = for _ <- 1..5, do: kill_all(pool)

        IO.puts(
          "| from a template: all killed to all ready, median of 5 | #{Enum.at(Enum.sort(again), 2)} | #{memory} |"
        )

        Portpool.stop(pool)
        alone = start(size: 8, wait: :all, init: {:heavy, :load, []}, python_path: [@python])
        memory = pss(alone)
        IO.puts("| started one by one: the same, once | #{kill_all(alone)} | #{memory} |")
        Portpool.stop(alone)

      {:error, error} ->
        IO.puts("| not measured: #{Exception.message(error) |> String.split("\n") |> hd()} | | |")
    end
  end

  # Milliseconds from the moment in which all workers are killed until as many others are idle. Each has finished three calls: the end of
  # one that has not counts as a failed start, after which the pool pauses.
  defp kill_all(pool) do
    for _ <- 1..3, do: Portpool.broadcast(pool, :os, :getpid, [])
    {:ok, status} = Portpool.status(pool)
    pids = for worker <- status.workers, do: worker.pid
    start = System.monotonic_time(:microsecond)
    {_, 0} = System.cmd("kill", ["-KILL" | Enum.map(pids, &Integer.to_string/1)])
    back(pool, MapSet.new(pids))
    Float.round((System.monotonic_time(:microsecond) - start) / 1000, 1)
  end

  defp back(pool, old) do
    {:ok, status} = Portpool.status(pool)
    ready = for %{state: :idle, pid: pid} <- status.workers, not MapSet.member?(old, pid), do: pid
    if length(ready) < status.size, do: back(pool, old)
  end

  defp pss(pool) do
    {:ok, status} = Portpool.status(pool)

    kilobytes =
      for worker <- status.workers do
        [_, pss] = Regex.run(~r/^Pss:\s+(\d+)/m, File.read!("/proc/#{worker.pid}/smaps_rollup"))
        String.to_integer(pss)
      end

    div(Enum.sum(kilobytes), 1024)
  end

  defp start(options) do
    {:ok, pool} = Portpool.start_link(options(options))
    pool
  end

  defp options(options) do
    Keyword.merge(
      [python: System.get_env("PORTPOOL_TEST_PYTHON", "python3"), start_timeout: 120_000],
      options
    )
  end
end

Bench.Pool.run()
