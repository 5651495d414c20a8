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

  test "ends with its pool, and not before it has logged what it got", %{pool: pool} do
    log =
      capture_log(fn ->
        {:ok, "done"} = Portpool.call(pool, :logs, :as_it_is, [])
        %{log: log} = :sys.get_state(route(pool).owner)
        ref = Process.monitor(log)
        Process.exit(route(pool).owner, :kill)
        assert_receive {:DOWN, ^ref, :process, ^log, :normal}
      end)

    assert log =~ "complained"
  end

  # What is logged until the log of the pool has nothing more to do.
  defp logged(pool, fun) do
    capture_log([format: "$level|$metadata|$message\n", metadata: @metadata], fn ->
      fun.()
      %{log: log} = :sys.get_state(route(pool).owner)

      eventually(fn ->
        Process.info(log, [:message_queue_len, :status]) == [message_queue_len: 0, status: :waiting]
      end)
    end)
  end
end
