defmodule Portpool.LoadTest do
  use Portpool.Test.Case

  test "64 callers at once get their own answers" do
    pool = start_pool!(size: 2, checkout_timeout: :infinity)

    callers =
      for caller <- 1..64 do
        Task.async(fn ->
          for i <- 1..50, do: {:ok, [^caller, ^i]} = Portpool.call(pool, :jobs, :echo, [[caller, i]])
          assert_clean_process()
        end)
      end

    Task.await_many(callers, 60_000)
    assert_no_calls(pool)
  end

  test "16 callers at once get their own large answers, and small calls go between them" do
    pool = start_pool!(size: 2, checkout_timeout: :infinity)

    callers =
      for caller <- 1..16 do
        Task.async(fn ->
          large = String.duplicate(<<?a + caller>>, 300_000)
          for _ <- 1..5, do: {:ok, ^large} = Portpool.call(pool, :jobs, :echo, [large])
          {:ok, ^caller} = Portpool.call(pool, :jobs, :echo, [caller])
        end)
      end

    Task.await_many(callers, 60_000)
    assert_no_calls(pool)
  end

  test "20,000 calls leave no row and no memory behind" do
    pool = start_pool!(size: 2, checkout_timeout: :infinity)
    calls(pool, 2_000)
    before = memory(pool)
    calls(pool, 20_000)
    assert_no_calls(pool)
    assert memory(pool) - before < 500_000
    eventually(fn -> :ets.info(route(pool).calls.callers, :size) == 0 end)
  end

  test "a large reply does not stay in memory after its caller is done with it" do
    pool = start_pool!()
    {:ok, _} = Portpool.call(pool, :jobs, :text, [1_000])
    before = :erlang.memory(:binary)
    fn -> Portpool.call(pool, :jobs, :text, [20_000_000]) end |> Task.async() |> Task.await()
    eventually(fn -> :erlang.memory(:binary) - before < 1_000_000 end)
  end

  test "the owner of a pool keeps no large reply" do
    pool = start_pool!()
    owner = route(pool).owner
    {:ok, _} = Portpool.call(pool, :jobs, :text, [20_000_000])
    :ok = Portpool.Owner.settle(owner)
    {:binary, kept} = Process.info(owner, :binary)
    assert Enum.filter(kept, fn {_id, size, _references} -> size > 1_000_000 end) == []
  end

  test "a caller with a full mailbox is no slower" do
    pool = start_pool!()
    empty = median(pool)
    for i <- 1..100_000, do: send(self(), {:noise, i})
    full = median(pool)
    # To look at each message would take a millisecond.
    assert full - empty < 500
  end

  defp calls(pool, count) do
    1..8
    |> Enum.map(fn _ ->
      Task.async(fn -> for i <- 1..div(count, 8), do: {:ok, ^i} = Portpool.call(pool, :jobs, :echo, [i]) end)
    end)
    |> Task.await_many(60_000)
  end

  defp memory(pool) do
    route = route(pool)
    for pid <- [route.owner, route.calls.guard, self()], do: :erlang.garbage_collect(pid)
    {:memory, owner} = Process.info(route.owner, :memory)
    {:memory, guard} = Process.info(route.calls.guard, :memory)
    owner + guard + :erlang.memory(:ets) + :erlang.memory(:binary)
  end

  defp median(pool) do
    times =
      for _ <- 1..101, do: elem(:timer.tc(fn -> {:ok, 1} = Portpool.call(pool, :jobs, :echo, [1]) end), 0)

    times |> Enum.sort() |> Enum.at(50)
  end
end
