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
    :ets.update_element(calls.callers, self(), {3, 0xFFFFFF})
    assert Calls.next_id(calls) == first - 1
    assert Calls.next_id(calls) == first
    assert Calls.enter(calls, row(first, port)) == :in_use
    assert Calls.next_id(calls) == first + 1
  end

  test "the largest number of a caller still makes a small integer", %{calls: calls} do
    :atomics.put(calls.counters, 3, 2 ** 35 - 2)
    id = Calls.next_id(calls)
    assert :erts_debug.size(id) == 0 and id > 2 ** 58
    assert Task.await(Task.async(fn -> Calls.next_id(calls) end)) < 2 ** 24
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

  test "what is taken after the end of the tables is nothing", %{port: port} do
    owner = Task.async(fn -> Calls.new(3, 100) end)
    calls = Task.await(owner)
    assert Calls.take(calls, 1) == nil
    assert_raise ArgumentError, fn -> Calls.enter(calls, row(1, port)) end
  end

  defp row(id, port, bytes \\ 1), do: {id, make_ref(), self(), port, bytes}
end
