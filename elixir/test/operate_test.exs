defmodule Portpool.OperateTest do
  use Portpool.Test.Case

  import ExUnit.CaptureLog

  describe "resize" do
    test "gives a running pool more workers, which serve at once what waits" do
      pool = start_pool!()
      calls = for _ <- 1..3, do: Portpool.async(pool, :jobs, :sleep, [60])
      await_waiting(pool, 2)
      assert Portpool.resize(pool, 3) == :ok
      assert length(busy_workers(pool, 3)) == 3
      assert {:ok, %{size: 3, waiting: 0}} = Portpool.status(pool)
      Enum.each(calls, &Portpool.cancel/1)
    end

    test "gives it fewer, and no call is harmed" do
      pool = start_pool!(size: 3, wait: :all)
      calls = for _ <- 1..3, do: held_call(pool)
      busy_workers(pool, 3)
      assert Portpool.resize(pool, 1) == :ok

      for {call, path} <- calls do
        release(path)
        assert Portpool.await(call) == {:ok, "there"}
      end

      eventually(fn -> match?({:ok, %{size: 1, workers: [_one]}}, Portpool.status(pool)) end, 5_000)
      assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    end

    test "makes room for as many more calls in flight" do
      pool = start_pool!(max_queue: 0)
      calls = route(pool).calls
      assert {2, bytes} = Portpool.Calls.limits(calls)
      assert Portpool.resize(pool, 3) == :ok
      eventually(fn -> Portpool.Calls.limits(calls) == {6, bytes + 4 * 67_108_864} end)
    end

    test "takes a number that a pool could have been started with" do
      pool = start_pool!()

      for size <- [0, 1025, :auto, "2", 1.5] do
        assert {:error, %Error{reason: :bad_request, detail: %{option: "size"}}} = Portpool.resize(pool, size)
      end

      assert {:error, %Error{reason: :noproc}} = Portpool.resize(NoSuchPool, 2)
    end
  end

  describe "reload" do
    setup do
      directory = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
      File.mkdir_p!(directory)
      on_exit(fn -> File.rm_rf!(directory) end)
      write!(directory, "def version(): return 1\n")
      {:ok, pool: start_pool!(python_path: [python(), directory], preload: [:reloaded]), directory: directory}
    end

    test "brings the code as it now is, and no call fails", %{pool: pool, directory: directory} do
      assert Portpool.call(pool, :reloaded, :version, []) == {:ok, 1}
      {running, path} = held_call(pool)
      busy_workers(pool)
      write!(directory, "def version(): return 2\n")

      assert Portpool.reload(pool) == :ok
      release(path)
      assert Portpool.await(running) == {:ok, "there"}
      eventually(fn -> Portpool.call!(pool, :reloaded, :version, []) == 2 end)
      assert {:ok, %{generation: 2, reloading: false}} = Portpool.status(pool)
    end

    test "of code that does not load changes nothing, and says why", %{pool: pool, directory: directory} do
      write!(directory, "1 +\n")
      assert {:error, %Error{reason: :worker_start, phase: :start} = error} = Portpool.reload(pool)
      assert Exception.message(error) =~ "SyntaxError"
      assert Portpool.call(pool, :reloaded, :version, []) == {:ok, 1}
      assert {:ok, %{generation: 1}} = Portpool.status(pool)
    end

    # Its length differs each time: Python tells old byte code by the time and the size of the source.
    defp write!(directory, text) do
      path = Path.join(directory, "reloaded.py")
      size = match?({:ok, _}, File.stat(path)) && File.stat!(path).size
      File.write!(path, text <> String.duplicate("#", (size || 0) + 1))
    end
  end

  describe "a pool that is stopped" do
    test "lets running calls end, and refuses those that wait" do
      pool = start_pool_once!(drain_timeout: 10_000)
      {running, path} = held_call(pool)
      busy_workers(pool)
      waiting = Portpool.async(pool, :jobs, :echo, [1])
      await_waiting(pool, 1)
      stop = Task.async(fn -> Portpool.stop(pool) end)

      assert {:error, %Error{reason: :shutdown, phase: :checkout, retryable: true}} = Portpool.await(waiting)
      release(path)
      assert Portpool.await(running) == {:ok, "there"}
      assert Task.await(stop) == :ok
      # Not a moment later: all of it is gone when stop returns.
      assert ours() == []
      assert_clean_process()
    end

    test "by its supervisor does the same" do
      children = [{Portpool, size: 1, name: MyApp.Python, python_path: [python()]}]
      {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      {running, path} = held_call(MyApp.Python)
      busy_workers(MyApp.Python)
      %{owner: owner} = route(MyApp.Python)
      stop = Task.async(fn -> Supervisor.stop(supervisor) end)
      await_drain(owner)
      release(path)
      assert Task.await(stop) == :ok
      assert Portpool.await(running) == {:ok, "there"}
      assert ours() == []
    end

    test "ends what overruns drain_timeout, the pool's or that of stop" do
      for {options, stop} <- [{[drain_timeout: 50], []}, {[drain_timeout: :infinity], [drain_timeout: 50]}] do
        pool = start_pool_once!(options)
        running = Portpool.async(pool, :jobs, :sleep, [60])
        busy_workers(pool)
        assert Portpool.stop(pool, stop) == :ok
        assert {:error, %Error{reason: :shutdown, retryable: true}} = Portpool.await(running)
        assert ours() == []
      end
    end

    test "refuses wrong options, and goes on" do
      pool = start_pool!()
      assert_raise Error, ~r/:drain_timeuot/, fn -> Portpool.stop(pool, drain_timeuot: 1) end
      assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    end

    test "does not wait for a server that is stuck, once drain_timeout and the time to end are over" do
      {:ok, pool} = Portpool.start_link(size: 1, python_path: [python()], drain_timeout: 0)
      %{owner: owner} = route(pool)
      server = server_pid(pool)
      signal(server, "STOP")
      stop = Task.async(fn -> Portpool.stop(pool) end)

      await_drain(owner)
      # What its timer will say.
      send(owner, :overdue)
      assert Task.await(stop) == :ok
      refute Process.alive?(pool)
      signal(server, "KILL")
    end
  end

  # Until an owner has told its server to drain.
  defp await_drain(owner) do
    eventually(fn ->
      Process.info(owner, :current_function) == {:current_function, {Portpool.Owner, :go_on, 1}}
    end)
  end

  describe "several pools" do
    test "start and stop under a DynamicSupervisor, each by itself" do
      supervisor = start_supervised!({DynamicSupervisor, strategy: :one_for_one})

      pools =
        for size <- 1..3 do
          {:ok, pool} = DynamicSupervisor.start_child(supervisor, {Portpool, size: size, wait: :all})
          pool
        end

      for {pool, size} <- Enum.with_index(pools, 1), do: assert({:ok, %{size: ^size}} = Portpool.status(pool))
      :ok = DynamicSupervisor.terminate_child(supervisor, hd(pools))
      assert {:error, %Error{reason: :noproc}} = Portpool.status(hd(pools))
      for pool <- tl(pools), do: assert(Portpool.call(pool, :operator, :add, [1, 2]) == {:ok, 3})
    end
  end

  describe "status" do
    test "in Poolboy's words" do
      pool = start_pool!(size: 1, max_overflow: 1)
      assert Portpool.Poolboy.status(pool) == {:ready, 1, 0, 0}
      {:ok, first} = Portpool.checkout(pool)
      assert Portpool.Poolboy.status(pool) == {:overflow, 0, 0, 1}
      {:ok, second} = Portpool.checkout(pool)
      assert Portpool.Poolboy.status(pool) == {:full, 0, 1, 2}
      Enum.each([first, second], &Portpool.checkin/1)
      assert {:ready, 2, 1, 0} = Portpool.Poolboy.status(pool)
      assert {:error, %Error{reason: :noproc}} = Portpool.Poolboy.status(NoSuchPool)
    end

    test "says what runs where, and what there has been" do
      pool = start_pool!(size: 2, wait: :all)
      call = Portpool.async(pool, :jobs, :sleep, [60])
      busy_workers(pool)
      assert {:ok, status} = Portpool.status(pool)

      assert [%{call: "jobs:sleep", state: :busy, running_ms: running}] =
               Enum.filter(status.workers, & &1.call)

      assert running >= 0
      Portpool.cancel(call)
      eventually(fn -> match?({:ok, %{idle: 2}}, Portpool.status(pool)) end, 5_000)

      assert {:ok, %{max_busy: 1, restarts: 1, last_exit: %{worker: _, pid: _, how: how}}} =
               Portpool.status(pool)

      assert is_binary(how)
    end

    test "has every key of docs/protocol.md 10, and no other" do
      {:ok, status} = Portpool.status(start_pool!())
      rows = Portpool.Test.Protocol.table("10")
      keys = for [key | _] <- rows, atom <- Portpool.Test.Protocol.quoted(key), do: atom
      assert Enum.sort(Map.keys(status)) == Enum.sort(keys)
      [_key, worker] = List.last(rows)
      # Its states are in brackets.
      keys = worker |> String.replace(~r/\(`starting`.*?\)/, "") |> Portpool.Test.Protocol.quoted()
      assert Enum.sort(Map.keys(hd(status.workers))) == Enum.sort(keys -- [nil])
    end
  end

  describe "broadcast" do
    test "calls each worker once, at the same time" do
      pool = start_pool!(size: 3, wait: :all)
      directory = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
      File.mkdir_p!(directory)
      on_exit(fn -> File.rm_rf!(directory) end)

      {:ok, outcomes} = Portpool.broadcast(pool, :jobs, :same_time, [directory, 3])
      {:ok, %{workers: workers}} = Portpool.status(pool)
      assert outcomes == for(worker <- workers, do: {:ok, worker.pid})
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "waits for workers that are busy, and for no longer than the call may" do
      pool = start_pool!(size: 2, wait: :all)
      {:ok, worker} = Portpool.checkout(pool)
      {:ok, outcomes} = Portpool.broadcast(pool, :jobs, :pid, [], checkout_timeout: 50)
      assert [{:error, %Error{reason: :checkout_timeout}}] = outcomes |> Enum.filter(&match?({:error, _}, &1))
      assert length(outcomes) == 2
      Portpool.checkin(worker)
    end

    test "has an outcome for each worker, whatever becomes of the others" do
      pool = start_pool!(size: 2, wait: :all)
      pid = Portpool.call!(pool, :jobs, :pid, [])
      {:ok, outcomes} = Portpool.broadcast(pool, :jobs, :exit_if, [pid])
      assert [error: %Error{reason: :worker_exit}, ok: _other] = Enum.sort(outcomes)
    end

    test "has worker_gone for a worker that has left meanwhile" do
      route = route(start_pool!())

      assert {:error,
              %Error{reason: :worker_gone, phase: :checkout, retryable: false, detail: %{worker: 999}}} =
               Portpool.Call.run(route, {:call, :jobs, :pid, [], %{worker: 999}}, 5_000)
    end

    test "that cannot be made says so" do
      pool = start_pool!()
      assert {:error, %Error{reason: :noproc}} = Portpool.broadcast(NoSuchPool, :jobs, :pid, [])
      {:ok, worker} = Portpool.checkout(pool)
      assert {:error, %Error{reason: :bad_request}} = Portpool.broadcast(worker, :jobs, :pid, [])
      Portpool.checkin(worker)

      assert {:error, %Error{reason: :bad_request, detail: %{option: "key"}}} =
               Portpool.broadcast(pool, :jobs, :pid, [], key: 1)
    end
  end

  describe "a server that ends by itself" do
    test "is said so in the log" do
      pool = start_pool!(name: MyApp.Python)

      log = capture_log(fn -> await_end_of_log(pool, fn -> kill_server(pool) end) end)
      assert log =~ "portpool MyApp.Python: the server ended (with status 137) and is started again"
      eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)
    end
  end
end
