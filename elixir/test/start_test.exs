defmodule Portpool.StartTest do
  use Portpool.Test.Case

  alias Portpool.Test.Own

  describe "a pool that cannot start" do
    test "because of an unknown option says which, and the nearest right one" do
      assert {:error, %Error{reason: :bad_request, blame: :caller, retryable: false} = error} =
               Portpool.start_link(name: Python, sise: 4)

      assert error.message =~ ":sise" and error.message =~ ":size"
      assert error.detail.option == "sise"
      assert Process.whereis(Python) == nil
    end

    for {option, values} <- [
          name: ["python", 1, {:local, :x}, true],
          size: [0, -1, 1.0, "4", :all, 1025],
          max_overflow: [-1, :auto, 1025],
          overflow_ttl: [-1, :infinity],
          strategy: [:random, "lifo"],
          deadline: [-1, nil],
          grace: [-1, :infinity],
          on_cancel: [:stop, true],
          retry: [2, [max: 2]],
          idempotent: [true],
          none: [nil, :undefined],
          none_as: [:none, false],
          quarantine: [-1, 1001],
          lease_timeout: [-1, nil],
          on_crash_loop: [:stop, true],
          on_start_failure: [:stop, :exit, true],
          preload: ["numpy", [1], [""], [nil], ["a" | "b"]],
          warmup: [:load, {:m, :f}, {:m, :f, 1}, {:m, :f, [1 | 2]}, {"", :f, []}, {:m, 1, []}],
          init: [:load, {:m, :f}, {nil, :f, []}],
          max_calls: [0, -1, :forever],
          max_age: [-1, 1.5],
          max_memory: [-1, "1GB"],
          memory_limit: [-1, nil],
          pool_memory_limit: [-1, nil],
          cgroup: [:some, "portpool.slice", nil, "", 1],
          rlimits: [:core, %{core: -1}, %{core: :infinity}, %{cores: 0}, [{:core}], %{"core" => 0}],
          no_new_privs: [nil, 1],
          idle_check: [-1, true],
          drain_timeout: [-1, nil],
          checkout_timeout: [-1, nil, 1.5, 5_000_000_000],
          timeout: [-1, :forever],
          start_timeout: [:infinity, -5],
          wait: [true, :some, "first"],
          max_queue: [-1, :infinity],
          max_queue_bytes: [-1, 1.0],
          max_inflight_bytes: [65_535, :infinity],
          allow: ["os:*", [1], [""]],
          max_frame: [1023, 0x80000000],
          python: ["", nil, 3.11, [255, -1]],
          python_path: ["priv/python", [1], [""], [nil], ["a" | "b"]],
          env: [[:a], %{1 => "x"}, [{"A", 1}], [{"A", nil}], "A=1", %{"" => "x"}],
          cd: ["", 1, []],
          binary: ["", 1],
          shutdown: [:kill, -1]
        ],
        value <- values do
      test "because #{option} is #{inspect(value)} says so" do
        option = unquote(option)
        value = unquote(Macro.escape(value))

        assert {:error, %Error{reason: :bad_request, blame: :caller} = error} =
                 Portpool.start_link([{option, value}])

        assert error.message =~ inspect(option)
        assert option in [:env, :init, :warmup, :retry, :idempotent, :none] or error.message =~ inspect(value)
        assert error.detail.option == Atom.to_string(option)
      end
    end

    test "because an option is given twice, or the options are no keyword list" do
      assert {:error, %Error{reason: :bad_request, message: message}} = Portpool.start_link(size: 1, size: 2)
      assert message =~ "twice"

      for options <- [%{size: 1}, [1], :size],
          do: assert({:error, %Error{reason: :bad_request}} = Portpool.start_link(options))
    end

    test "because Python is not there" do
      assert_refused([python: "no-such-python"], "python", "no-such-python")
      assert_refused([python: "/no/such/python"], "python", "/no/such/python")
    end

    test "because Python is too old" do
      assert_refused([python: script!("exec python3 #{too_old!()} \"$@\"")], "python", "3.8")
    end

    test "because Python is not executable" do
      path = script!("exec python3 \"$@\"")
      File.chmod!(path, 0o644)
      assert_refused([python: path], "python", path)
    end

    test "because Python is no Python" do
      assert_refused([python: script!("echo surprise")], "python", "")
    end

    test "because a directory is not there" do
      assert_refused([python_path: [python(), "/no/such/directory"]], "python_path", "/no/such/directory")
      assert_refused([cd: "/no/such/directory"], "cd", "/no/such/directory")
    end

    test "because the server program is not there, or not executable" do
      assert_refused([binary: "/no/such/program"], "binary", "/no/such/program")
      assert_refused([binary: __ENV__.file], "binary", "executable")
      assert_refused([binary: python()], "binary", "executable")
    end

    test "because the server program is another one" do
      # It reads what it is told: the status of a program that has not is sometimes lost.
      assert {:error, %Error{reason: :internal, phase: :start, blame: :server, message: message}} =
               Portpool.start_link(binary: script!("dd bs=65536 count=1 > /dev/null 2>&1; exit 3"))

      assert message =~ "status 3"

      assert {:error, %Error{reason: :incompatible, phase: :start}} =
               Portpool.start_link(binary: script!("printf '\\000\\000\\000\\003abc'; cat"))

      assert_clean_process()
    end

    test "returns the error and nothing else: no exit signal, no message, no name" do
      {:links, before} = Process.info(self(), :links)
      assert {:error, %Error{}} = Portpool.start_link(name: Python, python: "no-such-python")
      Process.flag(:trap_exit, true)
      assert {:error, %Error{}} = Portpool.start_link(name: Python, python: "no-such-python")
      assert Process.info(self(), :links) == {:links, before}
      assert Process.whereis(Python) == nil
      assert_clean_process()
    end

    test "fails its supervisor with that error, which prints as its message" do
      for {child, called} <- [{Portpool, "Portpool.start_link/1"}, {Own, "Portpool.Test.Own.start_link/1"}] do
        Process.flag(:trap_exit, true)
        children = [{child, python: "no-such-python"}]
        assert {:error, reason} = Supervisor.start_link(children, strategy: :one_for_one)

        assert {:shutdown, {:failed_to_start_child, ^child, {%Error{reason: :bad_request} = error, _stack}}} =
                 reason

        assert Exception.format_exit(reason) =~
                 ~r/^shutdown: failed to start child: #{inspect(child)}\n *\*\* \(EXIT\) an exception was raised:\n *\*\* \(Portpool.Error\) /

        assert Exception.format_exit(reason) =~ error.message
        assert Exception.format_exit(reason) =~ called
        refute Exception.format_exit(reason) =~ "%Portpool.Error"
      end
    end

    test "fails its supervisor with that error too if its options are none at all" do
      Process.flag(:trap_exit, true)

      for {child, said} <- [
            {{Portpool, %{size: 1}}, "options must be a keyword list"},
            {{Portpool, :python}, "options must be a keyword list"},
            {{Portpool, [1]}, "options must be a keyword list"},
            {{Portpool, [shutdown: :soon]}, ":shutdown"},
            {{Portpool, [drain_timeout: :soon]}, ":drain_timeout"},
            {{Portpool, [name: "python"]}, ":name"},
            {{Own, %{size: 1}}, "the options of Portpool.Test.Own must be a keyword list"},
            {{Own, [shutdown: :soon]}, ":shutdown"}
          ] do
        assert {:error, reason} = Supervisor.start_link([child], strategy: :one_for_one)
        printed = Exception.format_exit(reason)
        assert printed =~ "** (Portpool.Error) " and printed =~ said
      end
    end

    test "fails a supervisor that starts its children later in the same way" do
      supervisor = start_supervised!({DynamicSupervisor, strategy: :one_for_one})

      assert {:error, {%Error{reason: :bad_request}, [_ | _]}} =
               DynamicSupervisor.start_child(supervisor, {Portpool, python: "no-such-python"})
    end
  end

  describe "a pool with on_start_failure: :fail" do
    test "refuses at the first start that fails, with what Python said" do
      for {options, said} <- [
            {[init: {:jobs, :fail, [0]}], "ValueError: no such luck"},
            {[init: {:jobs, :fail, [0]}, wait: :all, size: 2], "ValueError: no such luck"},
            {[preload: ["no_such_module"]], "no_such_module"},
            {[init: {:jobs, :exit_now, [3]}], "3"}
          ] do
        # With the default start_timeout a pool that retries would take half a minute.
        {took, outcome} = :timer.tc(fn -> Portpool.start_link(failing(options)) end)
        assert {:error, %Error{reason: :worker_start, phase: :start, blame: :worker} = error} = outcome
        assert Exception.message(error) =~ said
        assert took < 15_000_000
        assert_clean_process()
      end
    end

    test "refuses when start_timeout is over" do
      assert {:error, %Error{reason: :worker_start, phase: :start} = error} =
               Portpool.start_link(failing(init: {:jobs, :sleep, [60]}, start_timeout: 300))

      assert error.message =~ "300 ms"
    end

    test "says at boot what Python said, and the traceback" do
      Process.flag(:trap_exit, true)
      children = [{Portpool, failing(init: {:jobs, :fail, [0]})}]
      assert {:error, reason} = Supervisor.start_link(children, strategy: :one_for_one)
      printed = Exception.format_exit(reason)
      assert printed =~ "failed to start child: Portpool" and printed =~ "** (Portpool.Error) "
      assert printed =~ "Traceback (most recent call last)" and printed =~ "ValueError: no such luck"
      refute printed =~ "%Portpool.Error"
    end

    test "starts as any other when workers do" do
      pool = start_pool!(on_start_failure: :fail, wait: :all, size: 2)
      assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    end

    test "lives, by default, and says later what fails" do
      {:ok, pool} =
        Portpool.start_link([init: {:jobs, :fail, [0]}] |> failing() |> Keyword.delete(:on_start_failure))

      assert {:error, %Error{} = error} = Portpool.call(pool, :jobs, :echo, [1], checkout_timeout: 0)
      assert Exception.message(error) =~ "ValueError: no such luck"
      Portpool.stop(pool)
    end

    defp failing(options) do
      interpreter = System.get_env("PORTPOOL_TEST_PYTHON") || "python3"

      [size: 1, on_start_failure: :fail, python: interpreter, python_path: [python()]]
      |> Keyword.merge(options)
    end
  end

  describe "a pool is called" do
    test "by its pid" do
      assert Portpool.call(start_pool!(), :jobs, :echo, [1]) == {:ok, 1}
    end

    test "by an atom, alone or with this node" do
      start_pool!(name: MyApp.Python)
      assert Portpool.call(MyApp.Python, :jobs, :echo, [1]) == {:ok, 1}
      assert Portpool.call({MyApp.Python, node()}, :jobs, :echo, [1]) == {:ok, 1}
    end

    test "by a global name" do
      start_pool!(name: {:global, :python})
      assert Portpool.call({:global, :python}, :jobs, :echo, [1]) == {:ok, 1}
      assert Portpool.stop({:global, :no_such_pool}) == :ok
    end

    test "by a name of a registry" do
      start_supervised!({Registry, keys: :unique, name: Portpool.Test.Registry})
      name = {:via, Registry, {Portpool.Test.Registry, "python"}}
      start_pool!(name: name)
      assert Portpool.call(name, :jobs, :echo, [1]) == {:ok, 1}
    end

    test "of a registry that is not there or is none: an error, and no exception" do
      for {registry, what} <- [
            {NoSuchModule, "NoSuchModule"},
            {Enum, "whereis_name"},
            {Registry, "unknown registry"}
          ] do
        name = {:via, registry, {NoSuchRegistry, :python}}

        assert {:error, %Error{reason: :bad_request, message: message} = error} =
                 Portpool.start_link(name: name)

        assert error.detail.option == "name" and message =~ what
        assert {:error, %Error{reason: :noproc, message: message}} = Portpool.call(name, :jobs, :echo, [1])
        assert message =~ what
        assert {:error, %Error{reason: :noproc}} = Portpool.await(Portpool.async(name, :jobs, :echo, [1]))
        assert {:error, %Error{reason: :noproc}} = Portpool.flush_logs(name)
        assert Portpool.stop(name) == :ok
      end

      assert_clean_process()
    end

    test "on another node: not yet, and that is said" do
      for pool <- [{MyApp.Python, :elsewhere@nowhere}],
          function <- [&Portpool.status/1, &Portpool.call(&1, :m, :f, [])] do
        assert {:error, %Error{reason: :bad_request, message: message}} = function.(pool)
        assert message =~ "another node"
      end
    end

    test "that does not exist: noproc, and no exit" do
      gone = spawn(fn -> :ok end)

      for pool <- [
            NoSuchPool,
            gone,
            self(),
            {:global, :none},
            {:via, :global, :none},
            {NoSuchPool, node()},
            nil
          ] do
        assert {:error, %Error{reason: :noproc, retryable: true}} = Portpool.call(pool, :math, :sqrt, [16])
        assert {:error, %Error{reason: :noproc}} = Portpool.status(pool)
      end

      assert_raise Error, ~r/NoSuchPool/, fn -> Portpool.call!(NoSuchPool, :math, :sqrt, [16]) end
      assert {:error, %Error{reason: :bad_request}} = Portpool.call("python", :math, :sqrt, [16])
      assert_clean_process()
    end

    test "that has stopped: noproc" do
      pool = start_pool!(name: MyApp.Python)
      :ok = stop_supervised(MyApp.Python)
      assert {:error, %Error{reason: :noproc}} = Portpool.call(pool, :math, :sqrt, [16])
      assert {:error, %Error{reason: :noproc}} = Portpool.call(MyApp.Python, :math, :sqrt, [16])
    end
  end

  test "has where a worker was that did not become ready" do
    assert {:error, %Error{reason: :worker_start} = error} =
             Portpool.start_link(
               size: 1,
               python: System.get_env("PORTPOOL_TEST_PYTHON") || "python3",
               init: {:builtins, :exec, ["import threading; threading.Event().wait()"]},
               start_timeout: 2_000,
               on_start_failure: :fail
             )

    assert Exception.message(error) =~ ~r/start_timeout.*\n\nCurrent thread.*threading.py/s
  end

  describe "a pool" do
    test "stops, and stops again" do
      {:ok, pool} = Portpool.start_link(name: MyApp.Python, size: 2)
      assert Portpool.stop(MyApp.Python) == :ok
      refute Process.alive?(pool)
      assert Portpool.stop(MyApp.Python) == :ok
      assert Portpool.stop(pool) == :ok
      eventually(fn -> ours() == [] end)
      eventually(fn -> :ets.lookup(Portpool.Directory, pool) == [] end)
    end

    test "can be stopped by many at once" do
      {:ok, pool} = Portpool.start_link(size: 1)
      stops = for _ <- 1..10, do: Task.async(fn -> Portpool.stop(pool) end)
      assert Task.await_many(stops) == List.duplicate(:ok, 10)
    end

    test "is all that stop/1 stops" do
      {:ok, agent} = Agent.start_link(fn -> :state end, name: MyApp.Agent)
      assert Portpool.stop(MyApp.Agent) == :ok
      assert Portpool.stop(agent) == :ok
      assert Agent.get(agent, & &1) == :state
      assert_raise Error, ~r/another node/, fn -> Portpool.stop({MyApp.Python, :elsewhere@nowhere}) end
    end

    test "has its name for itself" do
      pool = start_pool!(name: MyApp.Python)
      Process.flag(:trap_exit, true)
      assert Portpool.start_link(name: MyApp.Python) == {:error, {:already_started, pool}}
    end

    test "does not hear of another one" do
      start_pool!(name: MyApp.One, env: [WHO: "one"])
      start_pool!(name: MyApp.Two, env: %{"WHO" => "two"})
      assert Portpool.call(MyApp.One, :jobs, :environment, ["WHO"]) == {:ok, "one"}
      assert Portpool.call(MyApp.Two, :jobs, :environment, ["WHO"]) == {:ok, "two"}
      signal(server_pid(MyApp.One), "KILL")
      assert Portpool.call(MyApp.Two, :jobs, :environment, ["WHO"]) == {:ok, "two"}
    end

    test "gives its workers their environment and directory" do
      System.put_env("PORTPOOL_TEST_GONE", "here")
      env = [{"PORTPOOL_TEST_GONE", false}, {:A, "1"}, {~c"B", ~c"2"}]
      pool = start_pool!(env: env, cd: "/")

      values =
        for name <- ["PORTPOOL_TEST_GONE", "A", "B"], do: Portpool.call!(pool, :jobs, :environment, [name])

      assert values == [nil, "1", "2"]
      assert Portpool.call(pool, :os, :getcwd, []) == {:ok, "/"}
    end

    test "takes relative directories from where it is started, whatever cd says" do
      path = Path.relative_to_cwd(python())
      refute Path.type(path) == :absolute
      pool = start_pool!(python_path: [path], cd: "/")
      assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    end

    test "looks for modules in its directories in their order" do
      [first, second] =
        for text <- ["first", "second"] do
          directory = Path.join(System.tmp_dir!(), "portpool-#{text}-#{System.unique_integer([:positive])}")
          File.mkdir_p!(directory)

          File.write!(
            Path.join(directory, "portpool_which.py"),
            "def which():\n    return #{inspect(text)}\n"
          )

          on_exit(fn -> File.rm_rf!(directory) end)
          directory
        end

      assert Portpool.call(start_pool!(python_path: [first, second]), :portpool_which, :which, []) ==
               {:ok, "first"}
    end

    test "is ready when as many workers are ready as it was told to wait for" do
      {:ok, none} = Portpool.start_link(size: 2, wait: :none)
      assert Portpool.call(none, :operator, :add, [1, 2]) == {:ok, 3}
      {:ok, first} = Portpool.start_link(size: 2, wait: :first)
      assert {:ok, %{idle: idle}} = Portpool.status(first)
      assert idle >= 1
      {:ok, all} = Portpool.start_link(size: 2, wait: :all)
      assert {:ok, %{idle: 2, size: 2, max_overflow: 0, state: :ready}} = Portpool.status(all)
      Enum.each([none, first, all], &Portpool.stop/1)
    end

    test "takes overflow workers while calls wait" do
      pool = start_pool!(size: 1, max_overflow: 1)
      callers = for _ <- 1..2, do: spawn_link(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
      busy_workers(pool, 2)
      assert {:ok, %{overflow: 1}} = Portpool.status(pool)
      Enum.each(callers, &end_process/1)
    end

    test "is a child like any other" do
      assert Portpool.child_spec(name: A, size: 1) == %{
               id: A,
               start: {Portpool.Pool, :start_child, [Portpool, :start_link, [[name: A, size: 1]]]},
               type: :supervisor,
               shutdown: 10_000
             }

      assert %{id: Portpool, shutdown: :infinity} = Portpool.child_spec(shutdown: :infinity)

      children = [{Portpool, name: MyApp.One, size: 1}, {Portpool, name: MyApp.Two, size: 1}]
      start_supervised!(%{id: :both, start: {Supervisor, :start_link, [children, [strategy: :one_for_one]]}})
      for pool <- [MyApp.One, MyApp.Two], do: assert(Portpool.call(pool, :operator, :add, [1, 2]) == {:ok, 3})
    end
  end

  defp assert_refused(options, option, named) do
    assert {:error, %Error{reason: :bad_request, blame: :caller, retryable: false} = error} =
             Portpool.start_link(options)

    assert error.detail.option == option
    assert error.message =~ named
    assert_clean_process()
  end

  defp script!(text) do
    path = Path.join(System.tmp_dir!(), "portpool-test-#{System.unique_integer([:positive])}")
    File.write!(path, "#!/bin/sh\n#{text}\n")
    File.chmod!(path, 0o755)
    on_exit(fn -> File.rm!(path) end)
    path
  end

  # A module that makes any Python say that it is 3.8.
  defp too_old! do
    path = Path.join(System.tmp_dir!(), "portpool-test-old-#{System.unique_integer([:positive])}.py")

    File.write!(path, """
    import sys
    sys.version_info = (3, 8, 18, "final", 0)
    exec(sys.argv[sys.argv.index("-c") + 1])
    """)

    on_exit(fn -> File.rm!(path) end)
    path
  end
end
