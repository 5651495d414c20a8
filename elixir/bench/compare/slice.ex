defmodule Bench.Slice do
  @moduledoc "One system for a short while: callers started before the clock, the times of their calls, and the total cost."

  alias Bench.{Cpu, Entrant}

  @enforce_keys [:round, :times, :elapsed, :cpu]
  defstruct [:round, :times, :elapsed, :cpu]

  @typedoc "In nanoseconds: the time of each call, of the whole slice, and CPU time by owner."
  @type t :: %__MODULE__{
          round: non_neg_integer,
          times: [non_neg_integer],
          elapsed: pos_integer,
          cpu: Cpu.spent()
        }

  @doc "Lets the callers call for `ms` milliseconds, each at least once."
  @spec run(Entrant.t(), Bench.System.handle(), non_neg_integer, non_neg_integer) :: t
  def run(%Entrant{} = entrant, handle, round, ms) do
    idle = spawn_all(entrant.idle, &rest(&1, entrant, handle))
    callers = spawn_all(entrant.callers, &call(&1, entrant, handle))
    count = Cpu.start()
    start = now()
    deadline = start + :erlang.convert_time_unit(ms, :millisecond, :native)
    for caller <- callers, do: send(caller, {:go, deadline})
    results = for caller <- callers, do: receive(do: ({:ended, ^caller, at, times} -> {at, times}))
    cpu = Cpu.spent(count)
    for resting <- idle, do: send(resting, :go)
    {ends, times} = Enum.unzip(results)

    %__MODULE__{
      round: round,
      times: Enum.concat(times),
      elapsed: :erlang.convert_time_unit(Enum.max(ends) - start, :native, :nanosecond),
      cpu: cpu
    }
  end

  # Returns when all of them are ready.
  defp spawn_all(0, _body), do: []

  defp spawn_all(count, body) do
    bench = self()
    pids = for _ <- 1..count, do: spawn_link(fn -> body.(bench) end)
    for pid <- pids, do: receive(do: ({:ready, ^pid} -> pid))
  end

  defp call(bench, entrant, handle) do
    handle = entrant.system.enter(handle)
    work = entrant.work.make.(entrant.system, handle)
    send(bench, {:ready, self()})
    deadline = receive(do: ({:go, deadline} -> deadline))
    times = repeat(work, deadline, [])
    ended = now()
    entrant.system.leave(handle)
    send(bench, {:ended, self(), ended, times})
  end

  defp repeat(work, deadline, times) do
    times = [work.() | times]
    if now() < deadline, do: repeat(work, deadline, times), else: times
  end

  # It calls once, so that the system knows it.
  defp rest(bench, entrant, handle) do
    handle = entrant.system.enter(handle)
    entrant.work.make.(entrant.system, handle).()
    send(bench, {:ready, self()})
    receive(do: (:go -> entrant.system.leave(handle)))
  end

  defp now, do: :erlang.monotonic_time()
end
