defmodule Bench.Processes do
  @moduledoc "This VM and all its descendants, from /proc."

  @doc "Their pids, this VM's first."
  @spec tree() :: [String.t()]
  def tree do
    children = Enum.group_by(all(), &elem(&1, 1), &elem(&1, 0))
    descend([System.pid()], children)
  end

  defp descend([], _children), do: []
  defp descend([pid | rest], children), do: [pid | descend(rest ++ Map.get(children, pid, []), children)]

  defp all do
    for name <- File.ls!("/proc"),
        name =~ ~r/^\d+$/,
        [_state, parent | _more] <- [stat(name)],
        do: {name, parent}
  end

  @doc "The fields of /proc/PID/stat after the program's name, which may contain blanks; empty if the process has ended."
  @spec stat(String.t()) :: [String.t()]
  def stat(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, text} -> text |> String.split(") ") |> List.last() |> String.split()
      {:error, _reason} -> []
    end
  end

  @doc "Whether it runs Python."
  @spec python?(String.t()) :: boolean
  def python?(pid) do
    case File.read_link("/proc/#{pid}/exe") do
      {:ok, path} -> path |> Path.basename() |> String.starts_with?("python")
      {:error, _reason} -> false
    end
  end

  @doc "The memory of these processes in bytes, with shared pages divided among their users (PSS)."
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
