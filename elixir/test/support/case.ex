defmodule Portpool.Test.Case do
  @moduledoc """
  For tests with pools of real workers. After each test no process of it may be left, and nothing may have been left in
  the mailbox of the test.
  """

  use ExUnit.CaseTemplate

  import Portpool.Test.Processes

  @python Path.expand("../python", __DIR__)

  using do
    quote do
      import Portpool.Test.Case
      import Portpool.Test.Processes
      alias Portpool.Error
    end
  end

  setup do
    # Supervised pools have been stopped by then.
    on_exit(fn -> assert_nothing_left() end)
  end

  defp assert_nothing_left do
    eventually(fn -> ours() == [] end, 2_000)
  rescue
    error in ExUnit.AssertionError ->
      left = ours()
      Enum.each(left, &System.cmd("kill", ["-KILL", "#{&1}"], stderr_to_stdout: true))
      reraise %{error | message: "processes are left:\n" <> describe(left)}, __STACKTRACE__
  end

  @doc "Starts a pool under the supervisor of the test, with the modules of test/python. Returns its pid."
  def start_pool!(options \\ []), do: start_supervised!({Portpool, defaults(options)})

  @doc "The same, but the supervisor does not start it again: for tests that stop it."
  def start_pool_once!(options \\ []) do
    start_supervised!(Supervisor.child_spec({Portpool, defaults(options)}, restart: :temporary))
  end

  defp defaults(options) do
    # What a test leaves running is of no interest. The interpreter itself starts faster than a shim of that name.
    interpreter = System.get_env("PORTPOOL_TEST_PYTHON") || "python3"
    python = if options[:venv], do: [], else: [python: interpreter]
    defaults = [size: 1, python_path: [@python], drain_timeout: 0]
    Keyword.merge(python ++ defaults, options)
  end

  @doc "The directory of the Python modules of the tests."
  def python, do: @python

  @doc "Returns the tables, the port and the processes of a pool."
  def route(pool) do
    {:ok, route} = Portpool.Directory.route(pool)
    route
  end

  @doc "Returns the operating system pid of the server of a pool."
  def server_pid(pool) do
    {:os_pid, pid} = Port.info(route(pool).port, :os_pid)
    pid
  end

  @doc """
  Kills the server of a pool, and returns when its owner can know how it ended. The owner does not run meanwhile, so
  nothing that it writes makes the port close in another way.
  """
  def kill_server(pool) do
    %{owner: owner, port: port} = route(pool)
    server = server_pid(pool)
    :ok = :sys.suspend(owner)
    signal(server, "KILL")
    eventually(fn -> Port.info(port) == nil end)
    :ok = :sys.resume(owner)
  end

  @doc "Waits until the log of a pool has ended, with its last words."
  def await_end_of_log(pool, fun) do
    %{log: %{pid: log}} = :sys.get_state(route(pool).owner)
    ref = Process.monitor(log)
    fun.()
    assert_receive {:DOWN, ^ref, :process, ^log, :normal}, 5_000
  end

  @doc """
  Makes a call that runs until `release/1` is given what comes with it, so that no test depends on how long a call takes.
  It returns "there".
  """
  def held_call(pool) do
    path = Path.join(System.tmp_dir!(), "portpool-held-#{System.unique_integer([:positive])}")
    ExUnit.Callbacks.on_exit(fn -> File.rm(path) end)
    {Portpool.async(pool, :jobs, :wait_for, [path]), path}
  end

  @doc "Lets a held call end."
  def release(path), do: File.touch!(path)

  @doc "Waits until this many calls run in workers, and returns the pids of these workers."
  def busy_workers(pool, count \\ 1) do
    eventually(fn ->
      {:ok, status} = Portpool.status(pool)
      busy = for %{state: :busy, pid: pid} <- status.workers, do: pid
      length(busy) == count and busy
    end)
  end

  @doc "Waits until this many calls and checkouts wait in the queue."
  def await_waiting(pool, count) do
    eventually(fn -> match?({:ok, %{waiting: ^count}}, Portpool.status(pool)) end)
  end

  @doc "Spends this many microseconds, more exactly than a timer could."
  def spend(microseconds), do: spin(System.monotonic_time(:microsecond) + microseconds)

  defp spin(until), do: if(System.monotonic_time(:microsecond) < until, do: spin(until))

  @doc "Asserts that no call of a pool is in flight any more, in the tables or in the counts."
  def assert_no_calls(pool) do
    calls = route(pool).calls
    eventually(fn -> :ets.info(calls.rows, :size) == 0 end)
    assert :atomics.get(calls.counters, 1) == 0
    assert :atomics.get(calls.counters, 2) == 0
  end

  @doc "Kills a process and waits for its end."
  def end_process(pid) do
    ref = Process.monitor(pid)
    Process.unlink(pid)
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^ref, :process, ^pid, _reason}
  end

  @doc "Asserts that the calling process has no message and no monitor."
  def assert_clean_process do
    assert Process.info(self(), [:messages, :monitors]) == [messages: [], monitors: []]
  end
end
