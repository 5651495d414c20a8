defmodule Portpool.BeamTest do
  use Portpool.Test.Case

  # A second VM with a pool, whose workers are busy in different ways.
  @script """
  {:ok, _} = Application.ensure_all_started(:portpool)
  {:ok, pool} = Portpool.start_link(size: 3, python_path: [hd(System.argv())], wait: :all)
  spawn(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
  spawn(fn -> Portpool.call(pool, :jobs, :with_grandchild, [60]) end)
  busy = fn busy ->
    case Portpool.status(pool) do
      {:ok, %{busy: 2}} -> :ok
      _other -> busy.(busy)
    end
  end
  busy.(busy)
  IO.puts("ready " <> System.pid())
  Process.sleep(:infinity)
  """

  test "a VM that is killed leaves no process behind, a second later at the latest" do
    beam = start_beam()
    # The VM and its helper, the server, three workers, a grandchild.
    eventually(fn -> length(ours()) >= 6 end, 5_000)
    signal(beam, "KILL")
    eventually(fn -> ours() == [] end, 1_000)
  end

  test "a VM that halts leaves no process behind" do
    beam = start_beam()
    signal(beam, "TERM")
    eventually(fn -> not alive?(beam) end, 10_000)
    eventually(fn -> ours() == [] end, 1_000)
  end

  defp start_beam do
    ebin = Application.app_dir(:portpool, "ebin")
    args = ["-pa", ebin, "-e", @script, python()]

    port =
      Port.open({:spawn_executable, System.find_executable("elixir")}, [
        :binary,
        :exit_status,
        line: 100,
        args: args
      ])

    assert_receive {^port, {:data, {:eol, "ready " <> pid}}}, 20_000
    on_exit(fn -> System.cmd("kill", ["-KILL", pid], stderr_to_stdout: true) end)
    # What is still to come from the port is for nobody.
    Port.close(port)
    String.to_integer(pid)
  end
end
