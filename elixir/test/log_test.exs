defmodule Portpool.LogTest do
  # What Python prints and logs, in Elixir's Logger: docs/protocol.md 14.
  use Portpool.Test.Case

  import ExUnit.CaptureLog

  @workers Path.expand("../../tests/workers", __DIR__)
  @metadata [:portpool_worker, :portpool_call, :portpool_stream, :portpool_logger]

  setup do
    {:ok, pool: start_pool!(name: MyApp.Python, python_path: [@workers, python()])}
  end

  test "has what is printed and logged, with level, worker, call, stream and logger", %{pool: pool} do
    log =
      logged(pool, fn ->
        {:ok, "done"} = Portpool.call(pool, :logs, :as_it_is, [])
      end)

    call = "portpool_worker=1 portpool_call=logs:as_it_is"
    said = "portpool MyApp.Python, worker 1, logs:as_it_is: "
    assert log =~ "info|#{call} portpool_stream=stdout |#{said}printed\n"
    assert log =~ "info|#{call} portpool_stream=stderr |#{said}complained\n"
    assert log =~ "|#{call} portpool_stream=stderr portpool_logger=jobs.load |#{said}it is late\n"
    assert log =~ "error|#{call} portpool_stream=stderr portpool_logger=jobs.load |#{said}it broke\nTraceback"
    refute log =~ "not said"
  end

  test "has the last words of a worker, and so has the error of its call", %{pool: pool} do
    log =
      logged(pool, fn ->
        {:error, error} = Portpool.call(pool, :logs, :dies, [])
        assert %Error{reason: :worker_exit, detail: %{stderr: stderr}} = error
        assert stderr == ["error: jobs.load: going down", "last words"]
      end)

    assert log =~ "logs:dies: going down"
  end

  test "has at most 200 lines a second of a stream that floods it, and replies do not wait for it", %{
    pool: pool
  } do
    log =
      logged(pool, fn ->
        assert Portpool.call(pool, :prints, :much, [2]) == {:ok, "fine"}
        Portpool.call(pool, :prints, :much, [0])
      end)

    lines = log |> String.split("\n") |> Enum.count(&(&1 =~ "xxxx"))
    assert lines in 200..2_000
  end

  test "has all that was printed once flush_logs/1 returns, every time", %{pool: pool} do
    for round <- 1..50 do
      log =
        capture_log(fn ->
          assert Portpool.call(pool, :jobs, :says, ["#{round}"]) == {:ok, "said"}
          assert Portpool.flush_logs(pool) == :ok
        end)

      for way <- ~w(print write child complaint logging), do: assert(log =~ "#{way} #{round}\n", way)
    end
  end

  test "has, once flush_logs/1 returns, how many lines were dropped", %{pool: pool} do
    log =
      logged(pool, fn ->
        assert Portpool.call(pool, :builtins, :exec, ["for i in range(500): print('line', i)"]) == {:ok, nil}
      end)

    lines = log |> String.split("\n") |> Enum.count(&(&1 =~ ": line "))
    dropped = Regex.scan(~r/: (\d+) lines were dropped/, log, capture: :all_but_first)
    assert dropped |> List.flatten() |> Enum.map(&String.to_integer/1) |> Enum.sum() == 500 - lines
    assert lines < 500
  end

  test "flush_logs/1 does not wait for calls, and has what they have printed", %{pool: pool} do
    [go, said] =
      for _ <- 1..2, do: Path.join(System.tmp_dir!(), "portpool-flush-#{System.unique_integer([:positive])}")

    log =
      capture_log(fn ->
        call = Portpool.async(pool, :jobs, :says_and_waits, [go, "now", said])
        busy_workers(pool)
        # The server has read nothing of it when it is asked.
        signal(server_pid(pool), "STOP")
        release(go)
        eventually(fn -> File.exists?(said) end, 3_000)
        signal(server_pid(pool), "CONT")
        assert Portpool.flush_logs(pool) == :ok
        send(self(), {:call, call})
      end)

    # What is logged from here on proves nothing.
    assert log =~ "jobs:says_and_waits: now\n"
    assert_received {:call, call}
    assert {:error, %Error{reason: :cancelled}} = Portpool.cancel(call)
  end

  test "has the warnings of the server itself" do
    log =
      capture_log([format: "$level|$metadata|$message\n", metadata: @metadata], fn ->
        pool = start_pool!(name: MyApp.Failing, init: {:jobs, :fail, [0]}, wait: :none)
        eventually(fn -> match?({:ok, %{last_start_error: %{}}}, Portpool.status(pool)) end, 5_000)
        assert Portpool.flush_logs(pool) == :ok
      end)

    assert log =~
             ~r/warn(ing)?\|portpool_worker=\d+ portpool_stream=server \|portpool MyApp.Failing, server, worker \d+: .*no such luck/
  end

  test "flush_logs/1 of a pool that is not there says so" do
    assert {:error, %Error{reason: :noproc}} = Portpool.flush_logs(NoSuchPool)
  end

  test "ends with its pool, and not before it has logged what it got", %{pool: pool} do
    log =
      capture_log(fn ->
        {:ok, "done"} = Portpool.call(pool, :logs, :as_it_is, [])
        await_end_of_log(pool, fn -> Process.exit(route(pool).owner, :kill) end)
      end)

    assert log =~ "complained"
  end

  test "that is killed is there again, and its pool lives", %{pool: pool} do
    owner = route(pool).owner
    end_process(log_pid(pool))
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    assert route(pool).owner == owner
    assert logged(pool, fn -> {:ok, "done"} = Portpool.call(pool, :logs, :as_it_is, []) end) =~ "complained"
  end

  describe "while Logger does not keep up" do
    test "replies do not wait for casts that fail, and those beyond 1000 are dropped and counted", %{
      pool: pool
    } do
      log =
        held_up(pool, fn ->
          for _ <- 1..1_500 do
            :ok = Portpool.cast(pool, :no_such_module, :at_all, [])
            # Behind it, and so after it has failed.
            {:ok, 1} = Portpool.call(pool, :jobs, :echo, [1])
          end
        end)

      assert [dropped] =
               Regex.run(~r/: (\d+) log messages were dropped, because Logger/, log, capture: :all_but_first)

      assert failures(log) <= 1_000
      assert String.to_integer(dropped) + failures(log) == 1_500
    end

    test "the end of the server is heard of at once, and is logged all the same", %{pool: pool} do
      log =
        held_up(pool, fn ->
          for _ <- 1..1_100, do: :ok = Portpool.cast(pool, :no_such_module, :at_all, [])
          eventually(fn -> not Portpool.Calls.busy?(route(pool).calls) end, 30_000)
          old = route(pool).owner
          ref = Process.monitor(old)
          kill_server(pool)
          assert_receive {:DOWN, ^ref, :process, ^old, {:shutdown, {:server_exit, "with status 137"}}}, 5_000
        end)

      assert log =~ "the server ended (with status 137) and is started again"
    end

    test "what waits is bounded in bytes, too", %{pool: pool} do
      log =
        held_up(pool, fn ->
          for _ <- 1..200 do
            :ok = Portpool.cast(pool, :jobs, :fail_with, [100_000])
            {:ok, 1} = Portpool.call(pool, :jobs, :echo, [1])
          end
        end)

      assert log =~ "log messages were dropped"
      assert failures(log) < 200
    end
  end

  # What the log of the pool says, which is held up while `fun` runs.
  defp held_up(pool, fun) do
    log = log_pid(pool)
    ref = Process.monitor(log)

    capture_log(fn ->
      true = :erlang.suspend_process(log)
      fun.()
      true = :erlang.resume_process(log)
      send(log, {:flush, {self(), ref}})
      # It flushes, or it has ended with its owner.
      assert_receive done when done == {ref, :ok} or elem(done, 1) == ref, 5_000
      Process.demonitor(ref, [:flush])
    end)
  end

  defp failures(log), do: log |> String.split("the cast of ") |> length() |> Kernel.-(1)

  defp log_pid(pool), do: :sys.get_state(route(pool).owner).log.pid

  # What is logged until all that has been printed is in Logger.
  defp logged(pool, fun) do
    capture_log([format: "$level|$metadata|$message\n", metadata: @metadata], fn ->
      fun.()
      :ok = Portpool.flush_logs(pool)
    end)
  end
end
