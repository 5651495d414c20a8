defmodule Portpool.Test.Beam do
  @moduledoc "Second VMs, for what only the end of a VM can show."

  import ExUnit.Assertions
  import ExUnit.Callbacks, only: [on_exit: 1]

  # `ready` says that the test may go on; what was printed before it goes to the test's own output.
  @prelude """
  {:ok, _} = Application.ensure_all_started(:portpool)
  ready = fn -> IO.puts("ready " <> System.pid()) end
  """

  @doc """
  Starts a VM with this script, and returns its operating system pid once it has called `ready.()`. It is killed at the
  end of the test.
  """
  @spec start(String.t(), [String.t()]) :: pos_integer
  def start(script, args \\ []) do
    ebin = Application.app_dir(:portpool, "ebin")
    args = ["-pa", ebin, "-e", @prelude <> script | args]
    elixir = System.find_executable("elixir")
    port = Port.open({:spawn_executable, elixir}, [:binary, :exit_status, line: 100, args: args])

    assert_receive {^port, {:data, {:eol, "ready " <> pid}}}, 20_000
    on_exit(fn -> System.cmd("kill", ["-KILL", pid], stderr_to_stdout: true) end)
    close(port)
    String.to_integer(pid)
  end

  # What is still to come from the port is for nobody. A VM that has ended has closed it.
  defp close(port) do
    Port.close(port)
  rescue
    ArgumentError -> :ok
  end
end
