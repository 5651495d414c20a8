defmodule Bench.Processes do
  @moduledoc "What this VM and all that descends from it take of the machine, from /proc."

  # proc(5): times of children are told in hundredths of a second.
  @tick_ns 10_000_000

  # The nanoseconds of each thread and whose it is, and those of children that were waited for.
  @typep usage :: %{threads: %{(tid :: String.t()) => {pid :: String.t(), integer}}, reaped: integer}

  @doc "Starts to count the processor time of the whole tree."
  @spec start_count() :: usage
  # This VM comes last here and first at the end: so what reading takes is not counted.
  def start_count, do: tree() |> Enum.reverse() |> usage()

  @doc """
  Returns the nanoseconds of processor time that the tree has taken since then. A process that has ended counts with what the one that
  waited for it was told, in steps of 10 ms; a thread that has ended in a process that lives counts not at all.
  """
  @spec count(usage) :: non_neg_integer
  def count(before) do
    own = usage([System.pid()])
    others = usage(tl(tree()))

    taken(before, %{
      threads: Map.merge(own.threads, others.threads),
      reaped: own.reaped + others.reaped
    })
  end

  @doc "The pids of this VM and all its descendants; itself first."
  @spec tree() :: [String.t()]
  def tree do
    children = Enum.group_by(all(), &elem(&1, 1), &elem(&1, 0))
    descend([System.pid()], children)
  end

  defp descend([], _children), do: []
  defp descend([pid | rest], children), do: [pid | descend(rest ++ Map.get(children, pid, []), children)]

  defp all do
    for name <- File.ls!("/proc"), name =~ ~r/^\d+$/, stat = stat(name), do: {name, hd(tl(stat))}
  end

  # The fields after the name of the program, which may have blanks; nil for a process that has ended.
  defp stat(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, text} -> text |> String.split(") ") |> List.last() |> String.split()
      {:error, _reason} -> nil
    end
  end

  defp usage(pids) do
    threads = for pid <- pids, {tid, time} <- threads(pid), into: %{}, do: {tid, {pid, time}}
    %{threads: threads, reaped: Enum.sum(Enum.map(pids, &reaped/1))}
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
    case stat(pid) do
      nil ->
        0

      fields ->
        fields |> Enum.slice(13, 2) |> Enum.map(&String.to_integer/1) |> Enum.sum() |> Kernel.*(@tick_ns)
    end
  end

  defp taken(before, later) do
    alive = for {tid, {_pid, time}} <- later.threads, do: time - time(before, tid)
    pids = MapSet.new(later.threads, fn {_tid, {pid, _time}} -> pid end)
    ended = for {_tid, {pid, time}} <- before.threads, pid not in pids, do: time
    max(Enum.sum(alive) + max(later.reaped - before.reaped - Enum.sum(ended), 0), 0)
  end

  defp time(usage, tid) do
    case usage.threads do
      %{^tid => {_pid, time}} -> time
      %{} -> 0
    end
  end

  @doc "Those of them that run Python."
  @spec python([String.t()]) :: [String.t()]
  def python(pids), do: Enum.filter(pids, &(program(&1) =~ ~r/^python/))

  defp program(pid) do
    case File.read_link("/proc/#{pid}/exe") do
      {:ok, path} -> Path.basename(path)
      {:error, _reason} -> ""
    end
  end

  @doc "The memory of processes in bytes: what is shared counts in parts (PSS)."
  @spec memory([String.t()]) :: non_neg_integer
  def memory(pids), do: pids |> Enum.map(&pss/1) |> Enum.sum()

  defp pss(pid) do
    with {:ok, text} <- File.read("/proc/#{pid}/smaps_rollup"),
         [_, kilobytes] <- Regex.run(~r/^Pss:\s+(\d+)/m, text) do
      String.to_integer(kilobytes) * 1024
    else
      # It has ended.
      _nothing -> 0
    end
  end
end
