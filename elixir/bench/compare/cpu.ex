defmodule Bench.Cpu do
  @moduledoc "Counts the processor time of this VM and of all that descends from it."

  alias Bench.Processes

  # proc(5): times of children are told in hundredths of a second.
  @tick_ns 10_000_000

  # The nanoseconds of each thread and whose it is, and those of children that were waited for.
  @typep usage :: %{threads: %{(tid :: String.t()) => {pid :: String.t(), integer}}, reaped: integer}

  @typedoc "Nanoseconds of the BEAM, of Python, of other programs that live, and of all processes that have ended."
  @type spent :: %{beam: integer, python: integer, programs: integer, ended: integer}

  @doc "Starts to count."
  @spec start() :: usage
  # This VM comes last here and first at the end: so what reading takes is not counted.
  def start, do: Processes.tree() |> Enum.reverse() |> usage()

  @doc """
  Returns what was spent since then. A process that has ended counts with what the one that waited for it was told, in steps of 10 ms;
  a thread that has ended in a process that lives counts not at all.
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
