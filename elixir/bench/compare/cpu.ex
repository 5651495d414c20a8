defmodule Bench.Cpu do
  @moduledoc "Measures the CPU time of this VM and of all its descendants."

  alias Bench.Processes

  # proc(5): children's times are in hundredths of a second.
  @tick_ns 10_000_000

  # Nanoseconds per thread, with its process, and those of reaped children.
  @typep usage :: %{threads: %{(tid :: String.t()) => {pid :: String.t(), integer}}, reaped: integer}

  @typedoc "Nanoseconds of the BEAM, of Python, of other live programs, and of processes that have ended."
  @type spent :: %{beam: integer, python: integer, programs: integer, ended: integer}

  @doc "Starts counting."
  @spec start() :: usage
  # This VM is read last here and first at the end, so that the reading itself is not counted.
  def start, do: Processes.tree() |> Enum.reverse() |> usage()

  @doc """
  Returns the CPU time spent since `start/0`. A process that has ended counts with the time its parent was told, in steps of 10 ms. A
  thread that has ended in a live process does not count.
  """
  @spec spent(usage) :: spent
  def spent(before) do
    own = usage([System.pid()])
    others = usage(tl(Processes.tree()))

    difference(before, %{
      threads: Map.merge(own.threads, others.threads),
      reaped: own.reaped + others.reaped
    })
  end

  @spec total(spent) :: integer
  def total(spent), do: spent |> Map.values() |> Enum.sum()

  defp usage(pids) do
    threads = for pid <- pids, {tid, time} <- threads(pid), into: %{}, do: {tid, {pid, time}}
    %{threads: threads, reaped: pids |> Enum.map(&reaped/1) |> Enum.sum()}
  end

  defp threads(pid) do
    case File.ls("/proc/#{pid}/task") do
      {:ok, tids} -> for tid <- tids, time = thread(pid, tid), do: {tid, time}
      {:error, _reason} -> []
    end
  end

  defp thread(pid, tid) do
    case File.read("/proc/#{pid}/task/#{tid}/schedstat") do
      {:ok, text} -> text |> String.split() |> hd() |> String.to_integer()
      {:error, _reason} -> nil
    end
  end

  # cutime and cstime, proc(5): 16 and 17 of all fields, 13 and 14 after the name.
  defp reaped(pid) do
    ticks = for text <- pid |> Processes.stat() |> Enum.slice(13, 2), do: String.to_integer(text)
    Enum.sum(ticks) * @tick_ns
  end

  defp difference(before, later) do
    pids = later.threads |> Enum.map(fn {_tid, {pid, _time}} -> pid end) |> Enum.uniq()
    kinds = Map.new(pids, &{&1, kind(&1)})
    alive = for {tid, {pid, time}} <- later.threads, do: {kinds[pid], time - time(before, tid)}
    known = for {_tid, {pid, time}} <- before.threads, not is_map_key(kinds, pid), do: time
    ended = max(later.reaped - before.reaped - Enum.sum(known), 0)

    Enum.reduce(alive, %{beam: 0, python: 0, programs: 0, ended: ended}, fn {kind, time}, spent ->
      Map.update!(spent, kind, &(&1 + time))
    end)
  end

  defp kind(pid) do
    cond do
      pid == System.pid() -> :beam
      Processes.python?(pid) -> :python
      true -> :programs
    end
  end

  defp time(usage, tid) do
    case usage.threads do
      %{^tid => {_pid, time}} -> time
      %{} -> 0
    end
  end
end
