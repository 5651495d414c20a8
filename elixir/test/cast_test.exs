defmodule Portpool.CastTest do
  use Portpool.Test.Case

  import ExUnit.CaptureLog

  setup do
    mark = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm(mark) end)
    {:ok, pool: start_pool!(name: MyApp.Python), mark: mark}
  end

  test "is on its way at once, and runs", %{pool: pool, mark: mark} do
    assert Portpool.cast(pool, :jobs, :write, [mark, "done"]) == :ok
    eventually(fn -> File.read(mark) == {:ok, "done"} end)
    assert_clean_process()
    assert_no_calls(pool)
  end

  test "runs also when its caller is gone by then", %{pool: pool, mark: mark} do
    busy = Portpool.async(pool, :jobs, :sleep, [60])
    busy_workers(pool)
    {caller, ref} = spawn_monitor(fn -> :ok = Portpool.cast(pool, :jobs, :write, [mark, "done"]) end)
    assert_receive {:DOWN, ^ref, :process, ^caller, :normal}
    # An answer to a system message proves that the guard has handled the death.
    :sys.get_state(route(pool).calls.guard)
    Portpool.cancel(busy)
    eventually(fn -> File.read(mark) == {:ok, "done"} end)
  end

  test "that fails is logged, with its name and its traceback", %{pool: pool} do
    log =
      capture_log(fn ->
        assert Portpool.cast(pool, "jobs", :fail, [0]) == :ok
        assert_no_calls(pool)
        :ok = Portpool.Owner.flush(route(pool).owner)
      end)

    assert log =~ ~s(portpool MyApp.Python: the cast of "jobs", :fail failed: )
    assert log =~ "no such luck" and log =~ "Traceback"
  end

  test "that works is not logged", %{pool: pool} do
    log =
      capture_log(fn ->
        assert Portpool.cast(pool, :jobs, :text, [1_000_000]) == :ok
        assert_no_calls(pool)
        :ok = Portpool.Owner.flush(route(pool).owner)
      end)

    assert log == ""
  end

  test "that cannot be made says so", %{pool: pool} do
    assert {:error, %Error{reason: :noproc}} = Portpool.cast(NoSuchPool, :jobs, :echo, [1])
    assert {:error, %Error{reason: :bad_request}} = Portpool.cast(pool, :jobs, :echo, [1], tiemout: 1)
    assert_clean_process()
  end

  test "that is lost with its server is counted in the log", %{pool: pool} do
    server = server_pid(pool)
    signal(server, "STOP")
    for _ <- 1..3, do: :ok = Portpool.cast(pool, :jobs, :echo, [1])

    log =
      capture_log(fn ->
        await_end_of_log(pool, fn -> kill_server(pool) end)
      end)

    assert log =~
             "MyApp.Python: the server ended (with status 137) with 3 casts in flight and is started again"
  end

  test "is refused when too many are in flight", %{pool: pool} do
    server = server_pid(pool)
    signal(server, "STOP")
    Portpool.Calls.limit(route(pool).calls, 2, 1_000_000)
    assert for(_ <- 1..2, do: Portpool.cast(pool, :jobs, :echo, [1])) == [:ok, :ok]
    assert {:error, %Error{reason: :queue_full}} = Portpool.cast(pool, :jobs, :echo, [1])
    signal(server, "KILL")
  end
end
