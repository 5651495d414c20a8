defmodule Portpool.SecretsTest do
  # What is in `env`, `init` and `warmup` is shown nowhere: not in reports of processes that end, in what `:sys` tells of
  # those that live, in child specifications or in errors.
  use Portpool.Test.Case

  import ExUnit.CaptureLog

  alias Portpool.Test.Own

  @secret "sesame-8c1f"
  @secrets [env: [TOKEN: @secret], init: {:jobs, :echo, [@secret]}, warmup: {:jobs, :echo, [@secret]}]

  # A handler of `:logger` that gets all there is, as it is, also what this test run would not show.
  def log(event, %{config: %{to: pid}}), do: send(pid, {:logged, event})

  setup do
    primary = :logger.get_primary_config()
    :ok = :logger.set_primary_config(%{primary | level: :all, filters: []})
    :ok = :logger.add_handler(__MODULE__, __MODULE__, %{config: %{to: self()}})

    on_exit(fn ->
      :logger.remove_handler(__MODULE__)
      :logger.set_primary_config(primary)
    end)

    supervisor = start_supervised!({DynamicSupervisor, strategy: :one_for_one, max_restarts: 100})
    {:ok, supervisor: supervisor}
  end

  test "a pool has them", %{supervisor: supervisor} do
    pool = start_child(supervisor, {Portpool, options()})
    assert Portpool.call(pool, :jobs, :environment, ["TOKEN"]) == {:ok, @secret}
    kill_server(pool)
    eventually(fn -> Portpool.call(pool, :jobs, :environment, ["TOKEN"]) == {:ok, @secret} end, 5_000)
  end

  test "and nothing that is reported about its processes shows them, whoever crashes", %{
    supervisor: supervisor
  } do
    pool = start_child(supervisor, {Portpool, options()})

    for crash <- [
          fn -> Process.exit(route(pool).owner, :kill) end,
          fn -> Process.exit(route(pool).calls.guard, :kill) end,
          # An exception in its own code: the report has its state.
          fn ->
            :sys.replace_state(route(pool).owner, &%{&1 | calls: nil}) && send(route(pool).owner, :beat)
          end
        ] do
      owner = route(pool).owner
      crash.()

      eventually(
        fn -> match?({:ok, %{owner: new}} when new != owner, Portpool.Directory.route(pool)) end,
        5_000
      )
    end

    Process.exit(pool, :kill)
    eventually(fn -> not Process.alive?(pool) end)
    reports = reports(supervisor)
    assert length(reports) > 4
    for report <- reports, do: refute(inspect(report, limit: :infinity) =~ @secret)
    # Those of its own processes also as Erlang's formatter prints them, which knows no protocol of Elixir.
    for %{meta: %{pid: pid}} = report <- reports, pid != supervisor, do: refute(raw(report) =~ @secret)
  end

  test "nor what :sys tells, of its processes and of those above", %{supervisor: supervisor} do
    pool = start_child(supervisor, {Portpool, options()})
    %{owner: owner, calls: %{guard: guard}} = route(pool)

    for pid <- [pool, owner, guard],
        tell <- [&:sys.get_status/1, &:sys.get_state/1],
        do: refute(raw(tell.(pid)) =~ @secret)

    for tell <- [&:sys.get_status/1, &:sys.get_state/1],
        do: refute(inspect(tell.(supervisor), limit: :infinity) =~ @secret)

    log = :sys.get_state(owner).log.pid
    refute raw(:sys.get_status(log)) =~ @secret
  end

  test "nor what is left when Python is refused, or when the program ends at once", %{supervisor: supervisor} do
    for options <- [[python: "no-such-python"], [binary: "/bin/true"], [binary: "/bin/false"]] do
      log =
        capture_log(fn ->
          assert {:error, %Error{} = error} = Portpool.start_link(Keyword.merge(options(), options))
          refute inspect(error) =~ @secret

          assert {:error, error} =
                   DynamicSupervisor.start_child(supervisor, {Portpool, Keyword.merge(options(), options)})

          refute inspect(error) =~ @secret
        end)

      refute log =~ @secret
      assert_received_nothing_of_it()
    end
  end

  test "nor a child specification, which starts the pool with them all the same" do
    for spec <- [
          Portpool.child_spec(options()),
          Own.child_spec(options()),
          :portpool.child_spec(options()),
          :portpool.child_spec(Map.new(options()))
        ] do
      refute inspect(spec, limit: :infinity) =~ @secret
      %{start: {module, function, args}} = spec
      {:ok, pool} = apply(module, function, args)
      assert Portpool.call(pool, :jobs, :environment, ["TOKEN"]) == {:ok, @secret}
      Portpool.stop(pool)
    end
  end

  test "nor an error about options that are no keyword list" do
    for options <- [Map.new(options()), [{"env", @secret}], {:env, @secret}, @secret] do
      assert {:error, %Error{reason: :bad_request} = error} = Portpool.start_link(options)
      refute inspect(error) =~ @secret
    end
  end

  test "nor an error about the option itself" do
    for wrong <- [
          [env: %{"TOKEN" => @secret <> <<0>>}],
          [env: %{("TOKEN=" <> @secret) => "1"}],
          [env: %{"TOKEN" => %{"nested" => @secret}}],
          [env: [{"TOKEN", @secret, 1}]],
          [init: {:jobs, :echo, @secret}],
          [init: {:jobs, :echo, [@secret | 1]}],
          [init: {@secret, 1}],
          [warmup: {:jobs, @secret}]
        ] do
      assert {:error, %Error{reason: :bad_request} = error} = Portpool.start_link(wrong)
      refute inspect(error) =~ @secret
      assert error.message =~ "must be"
    end
  end

  test "a program that ends at once is an error and nothing else, every time" do
    Process.flag(:trap_exit, true)

    for _ <- 1..100 do
      assert {:error, %Error{reason: :internal, phase: :start, message: message}} =
               Portpool.start_link(binary: "/bin/true", env: [TOKEN: @secret])

      assert message =~ "/bin/true ended before it was ready"
    end

    refute_received {:EXIT, _pid, _reason}
    assert_received_nothing_of_it()
  end

  defp options, do: [size: 1, python: interpreter(), python_path: [python()], drain_timeout: 0] ++ @secrets

  defp interpreter, do: System.get_env("PORTPOOL_TEST_PYTHON") || "python3"

  defp start_child(supervisor, child) do
    {:ok, pool} = DynamicSupervisor.start_child(supervisor, child)
    pool
  end

  # What has been logged until now: the supervisor has reported whatever has ended before it is asked.
  defp reports(supervisor) do
    :sys.get_state(supervisor)
    logged()
  end

  defp logged do
    receive do
      {:logged, event} -> [event | logged()]
    after
      0 -> []
    end
  end

  defp assert_received_nothing_of_it,
    do: for(event <- logged(), do: refute(inspect(event, limit: :infinity) =~ @secret))

  defp raw(term), do: to_string(:io_lib.format("~tp", [term]))
end
