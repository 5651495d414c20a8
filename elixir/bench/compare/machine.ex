defmodule Bench.Machine do
  @moduledoc "Where and when the figures were taken."

  alias Bench.Settings

  @type facts :: [{String.t(), String.t()}]

  @doc "The facts about this machine before a run, in the order of printing."
  @spec facts(Settings.t()) :: facts
  def facts(settings) do
    [
      {"date", Date.to_iso8601(Date.utc_today())},
      {"processors", "#{System.schedulers_online()} x #{processor()}"},
      {"system", "#{release("/etc/os-release")}, Linux #{kernel()}"},
      {"versions",
       "OTP #{System.otp_release()}, Elixir #{System.version()}, #{python(settings.python)}, Portpool #{version()}"},
      {"load average before", read("/proc/loadavg") |> String.split() |> hd()},
      {"samples", "#{settings.mode}: #{settings.rounds} rounds of #{settings.slice_ms} ms"}
    ]
  end

  @doc "The same as one paragraph."
  @spec paragraph(facts) :: String.t()
  def paragraph(facts), do: Enum.map_join(facts, "; ", fn {name, value} -> "#{name}: #{value}" end) <> ".\n"

  defp processor do
    case Regex.run(~r/^model name\s*: (.+)$/m, read("/proc/cpuinfo")) do
      [_, model] -> model
      nil -> "unknown processor"
    end
  end

  defp release(path) do
    case Regex.run(~r/^PRETTY_NAME="?([^"\n]+)/m, read(path)) do
      [_, name] -> name
      nil -> "unknown"
    end
  end

  defp kernel, do: read("/proc/sys/kernel/osrelease") |> String.trim()

  defp python(python) do
    {version, 0} =
      System.cmd(python, ["-c", "import platform as p; print(p.python_implementation(), p.python_version())"])

    String.trim(version)
  end

  defp version, do: Application.spec(:portpool, :vsn) |> to_string()

  defp read(path) do
    case File.read(path) do
      {:ok, text} -> text
      {:error, _reason} -> ""
    end
  end
end
