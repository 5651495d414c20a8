# How long small calls take next to a stream of large ones: `make bench-beside`.
#
# One process keeps echoing 64 MB through Python. Next to it, a small call is due every two milliseconds, whether or not the previous ones
# have returned. Its time counts from the moment it was due, so a stall shows up in every call that it delays. All calls go through one
# pool and its one pair of pipes. A small call may have to wait for one large frame on its way in and one on its way out. The floor is
# what a plain port echo (examples/port_echo.rs) takes for one such frame in the same run.

defmodule Bench.Beside do
  @large 64_000_000
  @floor_rounds 11
  @seconds 20
  @every 2
  # The largest allowed p99, as a multiple of the floor.
  @most 1.5

  def run do
    echo = Path.join(System.fetch_env!("PORTPOOL_EXAMPLES"), "port_echo")
    floor = port_echo(echo)
    IO.puts("one frame of 64 MB on a plain port echo: #{ms(floor)} ms\n")
    IO.puts("| small calls | count | p50, ms | p99, ms | max, ms | p99 / floor | large calls/s |")
    IO.puts("|---|---|---|---|---|---|---|")
    row("alone", floor, nil)
    row("next to 64 MB as bytes", floor, {:bytes, [Portpool.bytes(large())]})
    row("next to 64 MB as str", floor, {:str, [large()]})
  end

  # The median of the rounds. The first, which allocates the memory, does not count.
  defp port_echo(echo) do
    port = Port.open({:spawn_executable, echo}, [:binary, :exit_status, packet: 4])
    packet = large()
    [_first | times] = for _ <- 0..@floor_rounds, do: round_trip(port, packet)
    Port.close(port)
    percentile(Enum.sort(times), 50)
  end

  defp round_trip(port, packet) do
    {time, _} =
      :timer.tc(fn ->
        Port.command(port, packet)

        receive do
          {^port, {:data, back}} when byte_size(back) == @large -> back
        end
      end)

    :erlang.garbage_collect()
    time
  end

  defp row(name, floor, stream) do
    {:ok, pool} =
      Portpool.start_link(size: 2, wait: :all, python: System.get_env("PORTPOOL_TEST_PYTHON", "python3"))

    parent = self()
    streamer = stream && Task.async(fn -> stream(pool, stream, parent, 0) end)
    if stream, do: receive(do: (:streaming -> :ok))
    times = small_calls(pool)
    rate = if stream, do: stop(streamer) / @seconds
    report(name, Enum.sort(times), floor, rate)
    Portpool.stop(pool)
  end

  # Echoes until told to stop, then sends the count. Both functions return a value of their type unchanged.
  defp stream(pool, {function, args} = call, parent, count) do
    {:ok, back} = Portpool.call(pool, :builtins, function, args)
    @large = byte_size(back)
    if count == 0, do: send(parent, :streaming)

    receive do
      {:stop, from} -> send(from, {:count, count})
    after
      0 -> stream(pool, call, parent, count + 1)
    end
  end

  defp stop(streamer) do
    send(streamer.pid, {:stop, self()})
    count = receive(do: ({:count, count} -> count))
    Task.await(streamer)
    count
  end

  defp small_calls(pool) do
    {start, count} = {now() + 1_000, div(@seconds * 1_000, @every)}
    bench = self()

    for number <- 1..count do
      due = start + number * @every * 1_000
      Process.sleep(max(div(due - now(), 1_000), 0))

      spawn_link(fn ->
        {:ok, 3} = Portpool.call(pool, :operator, :add, [1, 2])
        send(bench, {:took, now() - due})
      end)
    end

    for _ <- 1..count, do: receive(do: ({:took, time} -> max(time, 0)))
  end

  defp report(name, times, floor, rate) do
    p99 = percentile(times, 99)
    ratio = p99 / floor
    verdict = if rate && ratio > @most, do: " over", else: ""

    IO.puts(
      "| #{name} | #{length(times)} | #{ms(percentile(times, 50))} | #{ms(p99)} | #{ms(List.last(times))} " <>
        "| #{Float.round(ratio, 3)}#{verdict} | #{rate && Float.round(rate, 1)} |"
    )
  end

  defp percentile(sorted, percent), do: Enum.at(sorted, div(length(sorted) * percent, 100))

  defp large, do: :binary.copy("0123456789abcdef", div(@large, 16))

  defp now, do: System.monotonic_time(:microsecond)

  defp ms(microseconds), do: Float.round(microseconds / 1000, 2)
end

Bench.Beside.run()
