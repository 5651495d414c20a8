defmodule Portpool.CallerTest do
  use Portpool.Test.Case

  alias Portpool.Calls

  test "a caller that is killed while its call runs takes the worker with it" do
    pool = start_pool!()
    caller = spawn(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
    [worker] = busy_workers(pool)

    Process.exit(caller, :kill)
    eventually(fn -> not alive?(worker) end)
    assert_no_calls(pool)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
  end

  test "a caller that is killed while its call waits takes it out of the queue" do
    pool = start_pool!()
    busy = spawn(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
    [worker] = busy_workers(pool)
    waiting = spawn(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
    eventually(fn -> match?({:ok, %{waiting: 1}}, Portpool.status(pool)) end)

    Process.exit(waiting, :kill)
    eventually(fn -> match?({:ok, %{waiting: 0}}, Portpool.status(pool)) end)
    assert alive?(worker)
    end_process(busy)
  end

  test "a caller that ends in any other way cancels its call too" do
    pool = start_pool!()
    {caller, ref} = spawn_monitor(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
    [worker] = busy_workers(pool)

    Process.exit(caller, :shutdown)
    assert_receive {:DOWN, ^ref, :process, ^caller, :shutdown}
    eventually(fn -> not alive?(worker) end)
    assert_no_calls(pool)
  end

  test "callers that are killed at any point of their calls leave no row, no count and no harm" do
    pool = start_pool!(size: 2)

    for delay <- 1..300 do
      caller = spawn(fn -> Enum.each(1..3, fn i -> Portpool.call(pool, :jobs, :echo, [i]) end) end)
      spend(rem(delay * 7, 300))
      Process.exit(caller, :kill)
    end

    assert_no_calls(pool)
    eventually(fn -> :ets.info(route(pool).calls.callers, :size) == 0 or callers(pool) == [self()] end)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
  end

  test "callers of the past are forgotten" do
    pool = start_pool!()

    1..200
    |> Enum.map(fn i -> Task.async(fn -> Portpool.call(pool, :jobs, :echo, [i]) end) end)
    |> Task.await_many()

    {:ok, _status} = Portpool.status(pool)
    eventually(fn -> callers(pool) == [self()] end)
    assert Process.info(route(pool).calls.guard, :monitors) == {:monitors, [process: self()]}
  end

  test "the guard is told of a caller once" do
    pool = start_pool!()
    for i <- 1..100, do: {:ok, ^i} = Portpool.call(pool, :jobs, :echo, [i])
    # An answer to a system message proves that all before it was handled.
    _state = :sys.get_state(route(pool).calls.guard)
    assert Process.info(route(pool).calls.guard, :monitors) == {:monitors, [process: self()]}
  end

  test "the guard cancels the calls of a dead caller, and only these" do
    calls = Calls.new(100, 1_000)
    port = hd(Port.list())
    mine = Calls.next_id(calls)
    :ok = Calls.enter(calls, {mine, make_ref(), self(), port, 1})

    {dead, [first, second]} = enter_from_other(calls, port)
    # Numbers come round: a living process may have an id between those of the dead one.
    :ets.insert(calls.rows, {first + 1_000, make_ref(), self(), port, 0})

    assert [{^first, _, ^dead, _, _}, {^second, _, ^dead, _, _}] = Calls.forget(calls, dead)
    assert Calls.forget(calls, dead) == []
    assert :ets.member(calls.rows, mine) and :ets.member(calls.rows, first + 1_000)
    assert :atomics.get(calls.counters, 1) == 1
    assert_receive {:watch, _pid}
    assert_receive {:watch, ^dead}
  end

  defp enter_from_other(calls, port) do
    me = self()

    pid =
      spawn(fn ->
        ids = for _ <- 1..2, do: Calls.next_id(calls)
        for id <- ids, do: :ok = Calls.enter(calls, {id, make_ref(), self(), port, 1})
        send(me, {:entered, ids})
      end)

    assert_receive {:entered, ids}
    {pid, ids}
  end

  defp callers(pool),
    do: for({caller, _number, _count} <- :ets.tab2list(route(pool).calls.callers), do: caller)
end
