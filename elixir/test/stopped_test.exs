defmodule Portpool.StoppedTest do
  # A server that is stopped, by a signal or a debugger, can do nothing for itself: not even end.
  use Portpool.Test.Case

  alias Portpool.Test.Beam

  # More than a pipe takes: the rest waits in the VM, which would wait for it in turn.
  @much 3_000_000

  # What docs/protocol.md 13 gives a server that was let go of, and time for the machine.
  @watched 6_000

  test "is killed when it does not answer, its calls fail, and the pool comes back: also if its watch has died" do
    pools = for watched <- [true, false], do: {start_pool!(name: :"watched_#{watched}"), watched}

    for {pool, watched} <- pools do
      call = Task.async(fn -> sleep(pool) end)
      busy_workers(pool)
      signal(server_pid(pool), "STOP")
      unless watched, do: signal(watch_pid(pool), "KILL")
      {pool, call, server_pid(pool)}
    end
    |> Enum.each(fn {pool, call, server} ->
      assert {:error, error} = Task.await(call, 30_000)
      assert %Error{reason: :internal, blame: :server, retryable: true, message: message} = error
      assert message =~ "did not answer"
      eventually(fn -> not alive?(server) end)
      eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)
      assert_no_calls(pool)
    end)
  end

  test "does not hold up a supervisor that stops its pool, whatever calls have to end" do
    pool = start_pool!(drain_timeout: 600_000)
    call = Task.async(fn -> sleep(pool) end)
    busy_workers(pool)
    stopped_with_much_to_read(pool)

    :ok = stop_supervised(Portpool)
    assert {:error, %Error{reason: :shutdown}} = Task.await(call)
    eventually(fn -> ours() == [] end)
  end

  test "does not outlive a pool that is killed" do
    Process.flag(:trap_exit, true)
    {:ok, pool} = Portpool.start_link(size: 1, python_path: [python()])
    stopped_with_much_to_read(pool)

    Process.exit(pool, :kill)
    assert_receive {:EXIT, ^pool, :killed}
    eventually(fn -> ours() == [] end, @watched)
  end

  test "does not keep a VM from halting" do
    beam =
      Beam.start("""
      {:ok, pool} = Portpool.start_link(size: 1, wait: :all)
      {:ok, %{port: port}} = Portpool.Directory.route(pool)
      {:os_pid, server} = Port.info(port, :os_pid)
      {"", 0} = System.cmd("kill", ["-STOP", "\#{server}"])
      spawn(fn -> Portpool.call(pool, :os, :getpid, [String.duplicate("x", #{@much})]) end)
      full = fn full -> Port.info(port, :queue_size) == {:queue_size, 0} and full.(full) end
      full.(full)
      ready.()
      System.halt(0)
      """)

    eventually(fn -> not alive?(beam) end, @watched)
    eventually(fn -> ours() == [] end)
  end

  defp sleep(pool), do: Portpool.call(pool, :jobs, :sleep, [60])

  defp stopped_with_much_to_read(pool) do
    signal(server_pid(pool), "STOP")
    spawn(fn -> Portpool.call(pool, :jobs, :echo, [String.duplicate("x", @much)]) end)
    port = route(pool).port
    eventually(fn -> Port.info(port, :queue_size) != {:queue_size, 0} end)
  end

  defp watch_pid(pool) do
    {:os_pid, pid} = Port.info(:sys.get_state(route(pool).owner).server.watch, :os_pid)
    pid
  end
end
