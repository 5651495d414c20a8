defmodule Portpool.Test.Processes do
  @moduledoc "Looks for operating system processes in /proc, and ends them."

  @poll_ms 5

  @doc "Waits until `condition` returns something true, and returns it; fails after `limit_ms`."
  def eventually(condition, limit_ms \\ 1_000) do
    poll(condition, limit_ms, System.monotonic_time(:millisecond) + limit_ms)
  end

  defp poll(condition, limit_ms, deadline) do
    cond do
      value = condition.() ->
        value

      System.monotonic_time(:millisecond) > deadline ->
        ExUnit.Assertions.flunk("it did not come true within #{limit_ms} ms")

      true ->
        receive do
        after
          @poll_ms -> poll(condition, limit_ms, deadline)
        end
    end
  end

  @doc "Returns the pids of all processes that descend from a port program of this test run."
  def ours, do: of_run(System.fetch_env!("PORTPOOL_TEST_RUN"))

  @doc "Returns those that have another value of this variable, which a test has given them."
  def of_run(run), do: with_environment("PORTPOOL_TEST_RUN=#{run}")

  @doc "Returns those of `ours/0` that are workers."
  def workers, do: Enum.filter(ours(), &(environment(&1) =~ "\0PORTPOOL_WORKER="))

  @doc "Returns the pids of the processes that have this variable, `NAME=value`, in their environment."
  def with_environment(variable) do
    for name <- File.ls!("/proc"),
        {pid, ""} <- [Integer.parse(name)],
        environment(pid) =~ "\0" <> variable <> "\0",
        do: pid
  end

  # Empty for a process that has ended.
  defp environment(pid) do
    case File.read("/proc/#{pid}/environ") do
      {:ok, environment} -> "\0" <> environment
      {:error, _reason} -> ""
    end
  end

  @doc "Tells whether a process runs: one that has ended but was not reaped does not."
  def alive?(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, stat} -> (stat |> String.split(") ") |> List.last() |> String.first()) not in ["Z", "X"]
      {:error, _reason} -> false
    end
  end

  @doc "Sends a signal: `\"KILL\"`, `\"STOP\"`."
  def signal(pid, name), do: {"", 0} = System.cmd("kill", ["-#{name}", "#{pid}"])

  @doc "Describes processes, for the message of a test that fails."
  def describe(pids), do: Enum.map_join(pids, "\n", &"#{&1}: #{command_line(&1)}")

  defp command_line(pid) do
    case File.read("/proc/#{pid}/cmdline") do
      {:ok, line} -> String.replace(line, "\0", " ")
      {:error, reason} -> inspect(reason)
    end
  end
end
