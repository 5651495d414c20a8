defmodule Portpool.CallsTest do
  use ExUnit.Case, async: true

  alias Portpool.Calls

  setup do
    {:ok, calls: Calls.new(3, 100), port: hd(Port.list())}
  end

  test "ids are small integers, and no two processes share one", %{calls: calls} do
    ids = for _ <- 1..50, do: Task.async(fn -> for _ <- 1..50, do: Calls.next_id(calls) end)
    ids = ids |> Task.await_many() |> List.flatten()
    assert length(Enum.uniq(ids)) == 2_500
    # A bignum has a size.
    assert Enum.all?(ids, &(&1 >= 0 and :erts_debug.size(&1) == 0))
  end

  test "the count of a caller comes round, and an id in flight is not used twice", %{calls: calls, port: port} do
    first = Calls.next_id(calls)
    assert Calls.enter(calls, row(first, port)) == :ok
    :ets.update_element(calls.callers, self(), {3, 0x7FFFFF})
    assert Calls.next_id(calls) == first - 1
    assert Calls.next_id(calls) == first
    assert Calls.enter(calls, row(first, port)) == :in_use
    assert Calls.next_id(calls) == first + 1
  end

  test "the largest number of a caller still makes a small integer", %{calls: calls} do
    :atomics.put(calls.counters, 3, 2 ** 35 - 2)

    for kind <- [:call, :lease],
        id = Calls.next_id(calls, kind),
        do: assert(:erts_debug.size(id) == 0 and id > 2 ** 58)

    # They come round, and leave out 0.
    assert Task.await(Task.async(fn -> Calls.next_id(calls) end)) in (2 ** 24)..(2 ** 25)
  end

  test "a row is taken once", %{calls: calls, port: port} do
    row = row(Calls.next_id(calls), port)
    :ok = Calls.enter(calls, row)
    assert Calls.take(calls, elem(row, 0)) == row
    assert Calls.take(calls, elem(row, 0)) == nil
  end

  test "no more calls are in flight than allowed, and a refused one counts for nothing", %{
    calls: calls,
    port: port
  } do
    ids = for _ <- 1..3, do: Calls.next_id(calls)
    for id <- ids, do: assert(Calls.enter(calls, row(id, port)) == :ok)
    assert Calls.enter(calls, row(Calls.next_id(calls), port)) == :full
    Calls.take(calls, hd(ids))
    assert Calls.enter(calls, row(Calls.next_id(calls), port)) == :ok
  end

  test "no more bytes are in flight than allowed", %{calls: calls, port: port} do
    assert Calls.enter(calls, row(Calls.next_id(calls), port, 60)) == :ok
    assert Calls.enter(calls, row(Calls.next_id(calls), port, 60)) == :full
    assert Calls.enter(calls, row(Calls.next_id(calls), port, 40)) == :ok
  end

  test "the limit can be raised while requests are in flight", %{calls: calls, port: port} do
    for _ <- 1..3, do: :ok = Calls.enter(calls, row(Calls.next_id(calls), port))
    assert Calls.enter(calls, row(Calls.next_id(calls), port)) == :full
    Calls.limit(calls, 4, 100)
    assert Calls.limits(calls) == {4, 100}
    assert Calls.enter(calls, row(Calls.next_id(calls), port)) == :ok
  end

  test "the ids of calls, leases and casts are never the same", %{calls: calls} do
    :ets.insert(calls.callers, {self(), 1, 0x7FFFFE})
    :atomics.put(calls.counters, 4, 0x7FFFFE)
    ids = for kind <- [:call, :lease, :cast], _ <- 1..4, do: {kind, Calls.next_id(calls, kind)}
    assert length(Enum.uniq_by(ids, &elem(&1, 1))) == 12
    for {kind, id} <- ids, do: assert(Calls.lease?(id) == (kind == :lease))
    # The caller 0 does not exist.
    for {kind, id} <- ids, do: assert(id < 2 ** 24 == (kind == :cast))
  end

  test "a lease that is held stays in the table, and counts for nothing", %{calls: calls, port: port} do
    id = Calls.next_id(calls, :lease)
    row = row(id, port, 60)
    :ok = Calls.enter(calls, row)
    refute Calls.held?(calls, id)
    assert Calls.hold(calls, id) == elem(row, 1)
    assert Calls.held?(calls, id)
    assert Calls.hold(calls, id) == nil
    assert counted(calls) == [0, 0]
    refute Task.await(Task.async(fn -> Calls.held?(calls, id) end))
    assert Calls.take(calls, id) == put_elem(row, 4, :held)
    assert Calls.hold(calls, id) == nil
    assert counted(calls) == [0, 0]
  end

  test "a lease is uncounted once, whoever is first", %{calls: calls, port: port} do
    test = self()

    for _ <- 1..500 do
      id = Calls.next_id(calls, :lease)
      :ok = Calls.enter(calls, row(id, port, 60))
      other = spawn_link(fn -> send(test, {self(), Calls.take(calls, id)}) end)
      Calls.hold(calls, id)
      assert_receive {^other, {^id, _alias, ^test, _port, _bytes}}
      assert counted(calls) == [0, 0]
    end
  end

  test "a process that died had its calls, its checkouts and its leases", %{calls: calls, port: port} do
    {_dead, [call, checkout, lease]} = enter_from_other(calls, port, [:call, :lease, :lease])
    cast = Calls.next_id(calls, :cast)
    Calls.limit(calls, 10, 100)
    :ok = Calls.enter(calls, row(cast, port))
    Calls.hold(calls, lease)
    [{_id, _alias, dead, _port, _bytes}] = :ets.lookup(calls.rows, call)
    assert Enum.map(Calls.forget(calls, dead), &elem(&1, 0)) == [call, checkout, lease]
    assert :ets.tab2list(calls.rows) |> Enum.map(&elem(&1, 0)) == [cast]
    assert counted(calls) == [1, 1]
  end

  test "what is taken after the end of the tables is nothing", %{port: port} do
    owner = Task.async(fn -> Calls.new(3, 100) end)
    calls = Task.await(owner)
    assert Calls.take(calls, 1) == nil
    assert Calls.hold(calls, 1) == nil
    refute Calls.held?(calls, 1) or Calls.in_flight?(calls, 1, make_ref()) or Calls.alive?(calls)
    assert_raise ArgumentError, fn -> Calls.enter(calls, row(1, port)) end
  end

  defp counted(calls), do: for(slot <- 1..2, do: :atomics.get(calls.counters, slot))

  defp enter_from_other(calls, port, kinds) do
    other =
      Task.async(fn ->
        ids = Enum.map(kinds, &Calls.next_id(calls, &1))
        for id <- ids, do: :ok = Calls.enter(calls, row(id, port))
        ids
      end)

    {other.pid, Task.await(other)}
  end

  defp row(id, port, bytes \\ 1), do: {id, make_ref(), self(), port, bytes}
end
