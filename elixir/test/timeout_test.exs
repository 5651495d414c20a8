defmodule Portpool.TimeoutTest do
  use Portpool.Test.Case

  alias Portpool.{Call, Calls, Route}

  test "a call that overruns is stopped, and leaves nothing in the mailbox" do
    pool = start_pool!()
    {:ok, %{workers: [%{pid: worker}]}} = Portpool.status(pool)

    assert {:error, %Error{reason: :timeout, phase: :call, blame: :worker, retryable: false}} =
             Portpool.call(pool, :jobs, :sleep, [60], timeout: 50)

    eventually(fn -> not alive?(worker) end)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    assert_clean_process()
    assert_no_calls(pool)
  end

  test "a call that overruns takes its grandchildren with it" do
    pool = start_pool!(size: 1)
    before = length(ours())

    assert {:error, %Error{reason: :timeout}} =
             Portpool.call(pool, :jobs, :with_grandchild, [60], timeout: 500)

    eventually(fn -> length(ours()) == before end)
  end

  test "the timeout of the pool holds for calls that bring none" do
    pool = start_pool!(timeout: 50)
    assert {:error, %Error{reason: :timeout}} = Portpool.call(pool, :jobs, :sleep, [60])
    assert Portpool.call(pool, :jobs, :sleep, [0.1], timeout: :infinity) == {:ok, "slept"}
  end

  test "a call that waits too long never runs, and leaves nothing in the mailbox" do
    pool = start_pool!()
    caller = spawn_link(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
    busy_workers(pool)
    mark = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")

    assert {:error, %Error{reason: :checkout_timeout, phase: :checkout}} =
             Portpool.call(pool, :builtins, :open, [mark, "w"], checkout_timeout: 20)

    end_process(caller)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    refute File.exists?(mark)
    assert_clean_process()
    assert_no_calls(pool)
  end

  test "a caller that traps exits gets no more than its reply" do
    Process.flag(:trap_exit, true)
    pool = start_pool!()
    assert {:error, %Error{reason: :timeout}} = Portpool.call(pool, :jobs, :sleep, [60], timeout: 20)
    assert {:error, %Error{reason: :worker_exit}} = Portpool.call(pool, :jobs, :exit_now, [1])
    assert {:ok, 1} = Portpool.call(pool, :jobs, :echo, [1])
    assert_clean_process()
  end

  test "a server that is stuck costs the caller its time limits and a margin, and the server gets the blame" do
    pool = start_pool!()
    server = server_pid(pool)
    signal(server, "STOP")

    request = {:call, :jobs, :echo, [1], %{timeout: 0, checkout_timeout: 0}}

    assert {:error, %Error{reason: :internal, blame: :server, retryable: true}} =
             Call.run(%{route(pool) | margin: 50}, request, 0)

    assert_clean_process()
    assert_no_calls(pool)
    signal(server, "KILL")
  end

  test "a server that is stuck suspends nobody, and what piles up for it is bounded" do
    pool = start_pool!(max_queue: 10, max_queue_bytes: 1_000_000, max_frame: 1_000_000)
    server = server_pid(pool)
    signal(server, "STOP")
    large = String.duplicate("x", 900_000)
    me = self()

    callers =
      for _ <- 1..30, do: spawn_link(fn -> send(me, {:done, Portpool.call(pool, :jobs, :echo, [large])}) end)

    # Four calls are within twice the limits of the server (2 * (1 MB + 1 worker * 1 MB)).
    for _ <- 1..26, do: assert_receive({:done, {:error, %Error{reason: :queue_full, retryable: true}}}, 1_000)
    assert :ets.info(route(pool).calls.rows, :size) == 4

    Enum.each(callers, &Process.unlink/1)
    signal(server, "KILL")
    for _ <- 1..4, do: assert_receive({:done, {:error, %Error{reason: :internal}}}, 1_000)
  end

  test "a reply in the very moment in which the caller gives up reaches it or vanishes" do
    # The test is the owner; its port is a program that reads and says nothing.
    port =
      Port.open({:spawn_executable, "/bin/sh"}, [:binary, packet: 4, args: ["-c", "cat > /dev/null; exit"]])

    calls = Calls.new(10, 1_000_000)
    route = %Route{port: port, owner: self(), calls: calls, max_frame: 1_000, limits: %{}, margin: 1}
    test = self()
    spawn_link(fn -> send(test, {:outcomes, for(_ <- 1..500, do: race(route))}) end)
    {outcomes, answers} = answer(calls, 0)

    assert Enum.all?(outcomes, &(&1 in [:reply, :gave_up]))
    assert Enum.count(outcomes, &(&1 == :reply)) <= answers
    assert :ets.tab2list(calls.rows) == []
    Port.close(port)
  end

  test "a call to a server that is gone, but whose owner has not noticed yet, leaves no row" do
    route = silent_server()
    Port.close(route.port)

    # The test is the guard and the owner, so the caller is another process.
    caller = Task.async(fn -> {Call.run(route, :status, 1_000), assert_clean_process()} end)
    assert {{:error, %Error{reason: :noproc, retryable: true}}, true} = Task.await(caller)
    assert :ets.tab2list(route.calls.rows) == []
    assert for(slot <- 1..2, do: :atomics.get(route.calls.counters, slot)) == [0, 0]
  end

  # The test is owner and guard; the program at the port reads and says nothing.
  defp silent_server do
    port =
      Port.open({:spawn_executable, "/bin/sh"}, [:binary, packet: 4, args: ["-c", "cat > /dev/null; exit"]])

    calls = Calls.new(10, 1_000_000)
    %Route{port: port, owner: self(), calls: calls, max_frame: 1_000, limits: %{}}
  end

  defp race(route) do
    outcome = Call.run(route, :status, 0)
    assert_clean_process()

    case outcome do
      {:ok, :answer} -> :reply
      {:error, %Error{reason: :internal}} -> :gave_up
    end
  end

  # Answers each call about a millisecond after it came, the moment at which its caller gives up.
  defp answer(calls, answers) do
    receive do
      {:outcomes, outcomes} -> {outcomes, answers}
      {:watch, _caller} -> answer(calls, answers)
    after
      0 -> answer(calls, answers + answer_first(calls, :ets.first(calls.rows)))
    end
  end

  defp answer_first(_calls, :"$end_of_table"), do: 0

  defp answer_first(calls, id) do
    spin(System.monotonic_time(:microsecond) + 1_000 + :rand.uniform(1_200))

    case Calls.take(calls, id) do
      {_id, alias, _caller, _port, _bytes} ->
        send(alias, {alias, <<131, 104, 3, 119, 5, "reply", 110, 8, 0, id::64-little, ok_answer()::binary>>})
        1

      nil ->
        0
    end
  end

  defp spin(until), do: if(System.monotonic_time(:microsecond) < until, do: spin(until))

  defp ok_answer do
    <<131, tuple::binary>> = :erlang.term_to_binary({:ok, :answer}, minor_version: 2)
    tuple
  end
end
