defmodule Portpool.DeathTest do
  use Portpool.Test.Case

  test "says what Python says of an exception without a text, and of a crash" do
    pool = start_pool!()
    exec = fn code -> Portpool.call(pool, :builtins, :exec, [code]) end
    assert {:error, %Error{reason: :exception, message: "AssertionError"}} = exec.("assert False")
    assert {:error, %Error{reason: :exception, message: "KeyError: ''"}} = exec.("raise KeyError('')")
    crash = "import faulthandler, ctypes; ctypes.string_at(0)"
    assert {:error, %Error{reason: :worker_exit, message: message}} = exec.(crash)
    assert message =~ "its last line was: Fatal Python error: Segmentation fault"
  end

  test "a server that is killed fails the calls in flight, and is started again" do
    pool = start_pool!(size: 2)
    server = server_pid(pool)
    calls = for _ <- 1..4, do: Task.async(fn -> outcome(pool) end)
    workers = busy_workers(pool, 2)

    signal(server, "KILL")
    assert Enum.map(Task.await_many(calls), & &1.reason) == List.duplicate(:internal, 4)
    eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)
    assert server_pid(pool) != server
    eventually(fn -> not Enum.any?(workers, &alive?/1) end)
    assert_no_calls(pool)
    assert_clean_process()
  end

  test "the errors of a dying server can be retried, and say so" do
    pool = start_pool!()
    call = Task.async(fn -> outcome(pool) end)
    busy_workers(pool)
    kill_server(pool)

    assert %Error{reason: :internal, phase: :call, blame: :server, retryable: true, message: message} =
             Task.await(call)

    assert message =~ "server ended (with status 137) while the call was in flight"
  end

  test "an owner that is killed leaves no process behind, and the pool comes back" do
    pool = start_pool!()
    call = Task.async(fn -> outcome(pool) end)
    busy_workers(pool)
    old = ours()

    Process.exit(route(pool).owner, :kill)
    assert %Error{reason: :internal, retryable: true} = Task.await(call)
    eventually(fn -> not Enum.any?(old, &alive?/1) end)
    eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)
  end

  test "a guard that is killed takes the server with it, and the pool comes back" do
    # There is nothing to drain for: nobody could hear the reply any more.
    pool = start_pool!(drain_timeout: 60_000)
    call = Task.async(fn -> outcome(pool) end)
    busy_workers(pool)
    old = ours()

    Process.exit(route(pool).calls.guard, :kill)
    assert %Error{retryable: true} = Task.await(call)
    eventually(fn -> not Enum.any?(old, &alive?/1) end)
    eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)
  end

  test "a pool that is killed without mercy leaves no process behind" do
    Process.flag(:trap_exit, true)
    {:ok, pool} = Portpool.start_link(size: 2, python_path: [python()], wait: :all)
    call = Task.async(fn -> outcome(pool) end)
    busy_workers(pool)

    Process.exit(pool, :kill)
    assert_receive {:EXIT, ^pool, :killed}
    assert %Error{reason: :internal} = Task.await(call)
    eventually(fn -> ours() == [] end)
    assert {:error, %Error{reason: :noproc}} = Portpool.call(pool, :jobs, :echo, [1])
    eventually(fn -> :ets.lookup(Portpool.Directory, pool) == [] end)
  end

  test "a pool whose starter dies leaves no process behind" do
    me = self()

    starter =
      spawn(fn ->
        {:ok, pool} = Portpool.start_link(size: 1)
        send(me, {:started, pool})
        Process.sleep(:infinity)
      end)

    assert_receive {:started, pool}, 5_000
    ref = Process.monitor(pool)
    Process.exit(starter, :kill)
    assert_receive {:DOWN, ^ref, :process, ^pool, _reason}
    eventually(fn -> ours() == [] end)
  end

  test "a starter that is killed while it waits leaves no process behind" do
    python = slow_python!()
    starter = spawn(fn -> Portpool.start_link(size: 1, python: python, name: __MODULE__) end)
    eventually(fn -> ours() != [] end, 20_000)
    Process.exit(starter, :kill)
    eventually(fn -> ours() == [] and Process.whereis(__MODULE__) == nil end)
  end

  test "a call that holds the way to a server of the past is refused" do
    pool = start_pool!()
    old = route(pool)
    signal(server_pid(pool), "KILL")

    eventually(fn ->
      match?({:ok, %{owner: owner}} when owner != old.owner, Portpool.Directory.route(pool))
    end)

    assert {:error, %Error{reason: :noproc, retryable: true}} = Portpool.Call.run(old, :status, 1_000)
    assert_clean_process()
  end

  test "a server that cannot be started again ends the pool, and its supervisor learns it" do
    Process.flag(:trap_exit, true)
    copy = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
    {:ok, binary} = Portpool.Binary.find(nil)
    File.ln_s!(binary, copy)
    {:ok, pool} = Portpool.start_link(size: 1, binary: copy)

    File.rm!(copy)
    signal(server_pid(pool), "KILL")
    assert_receive {:EXIT, ^pool, :shutdown}, 5_000
    assert {:error, %Error{reason: :noproc}} = Portpool.status(pool)
  end

  test "a supervisor that stops a pool ends its calls with shutdown" do
    pool = start_pool!()
    call = Task.async(fn -> outcome(pool) end)
    busy_workers(pool)
    :ok = stop_supervised(Portpool)
    assert %Error{reason: :shutdown, blame: :server, retryable: true} = Task.await(call)
  end

  test "the owner is a process as OTP has it" do
    pool = start_pool!()
    owner = route(pool).owner
    assert %{stage: :ready} = :sys.get_state(owner)
    :ok = :sys.suspend(owner)
    :ok = :sys.resume(owner)
    send(owner, :who_are_you)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    assert Process.info(owner, :message_queue_len) == {:message_queue_len, 0}
  end

  defp outcome(pool) do
    {:error, error} = Portpool.call(pool, :jobs, :sleep, [60], checkout_timeout: :infinity)
    assert_clean_process()
    error
  end

  # An interpreter that takes its time to say which it is.
  defp slow_python! do
    path = Path.join(System.tmp_dir!(), "slow-python-#{System.unique_integer([:positive])}")
    File.write!(path, "#!/bin/sh\nexec sleep 60\n")
    File.chmod!(path, 0o755)
    on_exit(fn -> File.rm!(path) end)
    path
  end
end
