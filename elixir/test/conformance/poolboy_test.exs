defmodule Portpool.Conformance.PoolboyTest do
  # The cases of Poolboy's own test suite, by its names; docs/conformance.md says where Portpool is the same and where
  # it is better. `status/2` counts as Poolboy does: {state, idle, overflow, busy}.

  use Portpool.Test.Case

  test "basic pool operations" do
    pool = start_pool!(size: 10, max_overflow: 5, wait: :all)
    assert Portpool.Poolboy.status(pool) == {:ready, 10, 0, 0}
    {:ok, first} = Portpool.checkout(pool)
    assert Portpool.Poolboy.status(pool) == {:ready, 9, 0, 1}
    {:ok, second} = Portpool.checkout(pool)
    assert Portpool.Poolboy.status(pool) == {:ready, 8, 0, 2}
    Portpool.checkin(second)
    assert Portpool.Poolboy.status(pool) == {:ready, 9, 0, 1}
    Portpool.checkin(first)
  end

  test "pool overflow should work" do
    pool = start_pool!(size: 5, max_overflow: 5, wait: :all, overflow_ttl: 100)
    workers = checkouts(pool, 7)
    assert Portpool.Poolboy.status(pool) == {:overflow, 0, 2, 7}
    Enum.each(workers, &Portpool.checkin/1)
    # They stay for a while, and then there are five again, never fewer.
    assert {:ready, _idle, _overflow, 0} = Portpool.Poolboy.status(pool)
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 5, 0, 0} end, 5_000)
    eventually(fn -> match?({:ok, %{workers: [_, _, _, _, _]}}, Portpool.status(pool)) end, 5_000)
  end

  test "pool behaves when empty" do
    pool = start_pool!(size: 2, max_overflow: 1, wait: :all)
    [first | rest] = checkouts(pool, 3)
    assert Portpool.Poolboy.status(pool) == {:full, 0, 1, 3}

    waiting =
      Task.async(fn ->
        with {:ok, worker} <- Portpool.checkout(pool), do: {worker.id, Portpool.checkin(worker)}
      end)

    await_waiting(pool, 1)
    Portpool.checkin(first)
    assert Task.await(waiting) == {first.id, :ok}
    Enum.each(rest, &Portpool.checkin/1)
  end

  test "pool behaves when empty and overflow is disabled" do
    pool = start_pool!(size: 2, wait: :all)
    [first | rest] = checkouts(pool, 2)
    assert Portpool.Poolboy.status(pool) == {:full, 0, 0, 2}

    waiting =
      Task.async(fn ->
        with {:ok, worker} <- Portpool.checkout(pool), do: {worker.id, Portpool.checkin(worker)}
      end)

    await_waiting(pool, 1)
    Portpool.checkin(first)
    assert Task.await(waiting) == {first.id, :ok}
    Enum.each(rest, &Portpool.checkin/1)
    assert Portpool.Poolboy.status(pool) == {:ready, 2, 0, 0}
  end

  test "pool behaves on worker death" do
    pool = start_pool!(size: 3, max_overflow: 1, wait: :all, overflow_ttl: 100)
    {:ok, worker} = Portpool.checkout(pool)
    signal(worker.pid, "KILL")
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 3, 0, 0} end, 5_000)

    [first, second | rest] = checkouts(pool, 4)
    Enum.each([first, second], &signal(&1.pid, "KILL"))
    # Two of three are still out: one is started, to be three again, and none beyond.
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 1, 0, 2} end, 5_000)
    Enum.each(rest, &Portpool.checkin/1)
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 3, 0, 0} end, 5_000)
  end

  test "pool behaves when full and a worker dies" do
    pool = start_pool!(size: 2, max_overflow: 1, wait: :all)
    [first | rest] = checkouts(pool, 3)

    waiting =
      Task.async(fn -> with {:ok, worker} <- Portpool.checkout(pool), do: Portpool.checkin(worker) end)

    await_waiting(pool, 1)
    signal(first.pid, "KILL")
    assert Task.await(waiting) == :ok
    Enum.each([first | rest], &Portpool.checkin/1)
  end

  test "pool behaves when full, a worker dies and overflow is disabled" do
    pool = start_pool!(size: 2, wait: :all)
    [first | rest] = checkouts(pool, 2)

    waiting =
      Task.async(fn -> with {:ok, worker} <- Portpool.checkout(pool), do: Portpool.checkin(worker) end)

    await_waiting(pool, 1)
    signal(first.pid, "KILL")
    assert Task.await(waiting) == :ok
    Enum.each([first | rest], &Portpool.checkin/1)
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 2, 0, 0} end, 5_000)
  end

  test "a worker that dies while it is idle is replaced" do
    pool = start_pool!(size: 2, wait: :all)
    {:ok, %{workers: [%{pid: pid} | _]}} = Portpool.status(pool)
    signal(pid, "KILL")

    eventually(
      fn ->
        {:ok, %{workers: workers}} = Portpool.status(pool)
        Portpool.Poolboy.status(pool) == {:ready, 2, 0, 0} and pid not in Enum.map(workers, & &1.pid)
      end,
      5_000
    )
  end

  test "non-blocking pool behaves when full and overflow is disabled" do
    pool = start_pool!(size: 2, wait: :all)
    workers = checkouts(pool, 2)
    assert {:error, %Error{reason: :checkout_timeout}} = Portpool.checkout(pool, checkout_timeout: 0)
    Portpool.checkin(hd(workers))
    assert {:ok, again} = Portpool.checkout(pool, checkout_timeout: 0)
    assert again.pid == hd(workers).pid
    Enum.each([again | tl(workers)], &Portpool.checkin/1)
  end

  test "non-blocking pool behaves when full" do
    pool = start_pool!(size: 1, max_overflow: 1)
    workers = checkouts(pool, 2)
    assert Portpool.Poolboy.status(pool) == {:full, 0, 1, 2}
    assert {:error, %Error{reason: :checkout_timeout}} = Portpool.checkout(pool, checkout_timeout: 0)
    Enum.each(workers, &Portpool.checkin/1)
  end

  test "pool behaves on owner death" do
    pool = start_pool!(size: 2, wait: :all)
    test = self()

    owner =
      spawn(fn ->
        {:ok, worker} = Portpool.checkout(pool)
        send(test, {:pid, worker.pid})
        Process.sleep(:infinity)
      end)

    assert_receive {:pid, pid}
    end_process(owner)
    # Poolboy would hand it on as it is.
    eventually(fn -> not alive?(pid) end)
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 2, 0, 0} end, 5_000)
  end

  test "the pool is whole again after an exception in a transaction" do
    pool = start_pool!(size: 2, wait: :all)
    assert_raise RuntimeError, fn -> Portpool.transaction(pool, fn _worker -> raise "no" end) end
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 2, 0, 0} end, 5_000)
  end

  test "pool returns status" do
    for {size, more, statuses} <- [
          {2, 0, [{:ready, 2, 0, 0}, {:ready, 1, 0, 1}, {:full, 0, 0, 2}]},
          {1, 1, [{:ready, 1, 0, 0}, {:overflow, 0, 0, 1}, {:full, 0, 1, 2}]}
        ] do
      pool = start_pool!(size: size, max_overflow: more, wait: :all)

      for status <- statuses do
        assert Portpool.Poolboy.status(pool) == status
        Portpool.checkout(pool, checkout_timeout: if(elem(status, 0) == :full, do: 0, else: 5_000))
      end

      stop_supervised!(Portpool)
    end
  end

  test "a process that has waited and got its worker is watched for that worker alone" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)

    waiting =
      Task.async(fn -> with {:ok, worker} <- Portpool.checkout(pool), do: Portpool.checkin(worker) end)

    await_waiting(pool, 1)
    Portpool.checkin(worker)
    assert Task.await(waiting) == :ok
    assert_no_calls(pool)
    eventually(fn -> Process.info(route(pool).calls.guard, :monitors) == {:monitors, [process: self()]} end)
  end

  test "nothing is left of a checkout whose process has died" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)
    waiting = spawn(fn -> Portpool.checkout(pool) end)
    await_waiting(pool, 1)
    end_process(waiting)
    await_waiting(pool, 0)
    eventually(fn -> Process.info(route(pool).calls.guard, :monitors) == {:monitors, [process: self()]} end)
    Portpool.checkin(worker)
    assert Portpool.Poolboy.status(pool) == {:ready, 1, 0, 0}
  end

  test "LIFO is the default strategy" do
    pool = start_pool!(size: 3, wait: :all)
    assert last_in_first_out?(pool)
  end

  test "LIFO strategy" do
    pool = start_pool!(size: 3, wait: :all, strategy: :lifo)
    assert last_in_first_out?(pool)
  end

  test "FIFO strategy" do
    pool = start_pool!(size: 3, wait: :all, strategy: :fifo)
    workers = checkouts(pool, 3)
    Enum.each(workers, &Portpool.checkin/1)
    assert Enum.map(checkouts(pool, 3), & &1.id) == Enum.map(workers, & &1.id)
  end

  test "pool extends and shrinks by one" do
    pool = start_pool!(size: 2, wait: :all)
    workers = checkouts(pool, 2)
    assert Portpool.resize(pool, 3) == :ok
    eventually(fn -> Portpool.Poolboy.status(pool) == {:ready, 1, 0, 2} end, 5_000)
    assert Portpool.resize(pool, 2) == :ok
    eventually(fn -> Portpool.Poolboy.status(pool) == {:full, 0, 0, 2} end, 5_000)
    Enum.each(workers, &Portpool.checkin/1)
    assert Portpool.Poolboy.status(pool) == {:ready, 2, 0, 0}
  end

  test "waiters are served first come, first served, and those that have died are skipped" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)
    test = self()

    waiting =
      for nth <- 1..4 do
        pid = spawn_link(fn -> send(test, {:served, nth, Portpool.call!(pool, :jobs, :echo, [nth])}) end)
        await_waiting(pool, nth)
        pid
      end

    end_process(Enum.at(waiting, 1))
    await_waiting(pool, 3)
    Portpool.checkin(worker)
    for nth <- [1, 3, 4], do: assert_receive({:served, ^nth, ^nth}, 1_000)
    refute_received {:served, _nth, _value}
  end

  test "4,000 waiters that time out leave the pool as it was" do
    pool = start_pool!(max_queue: 10_000)
    {:ok, worker} = Portpool.checkout(pool)

    waiters =
      for _ <- 1..4_000,
          do: Task.async(fn -> Portpool.call(pool, :jobs, :echo, [1], checkout_timeout: 200) end)

    for {:error, error} <- Task.await_many(waiters, 20_000), do: assert(error.reason == :checkout_timeout)
    Portpool.checkin(worker)
    assert Portpool.Poolboy.status(pool) == {:ready, 1, 0, 0}
    assert_no_calls(pool)
  end

  test "a worker that dies while a process waits goes to nobody, and the process gets another one" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)
    waiting = Task.async(fn -> Portpool.transaction(pool, & &1.pid) end)
    await_waiting(pool, 1)
    signal(worker.pid, "KILL")
    assert {:ok, pid} = Task.await(waiting)
    assert pid != worker.pid
    Portpool.checkin(worker)
    assert_no_calls(pool)
  end

  test "recover from timeout without exit handling" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)

    waiting = spawn(fn -> {:ok, _} = Portpool.transaction(pool, & &1, checkout_timeout: 0) end)
    ref = Process.monitor(waiting)
    assert_receive {:DOWN, ^ref, :process, ^waiting, {{:badmatch, {:error, %Error{}}}, _stack}}, 1_000
    Portpool.checkin(worker)
    assert Portpool.Poolboy.status(pool) == {:ready, 1, 0, 0}
  end

  test "recover from transaction timeout" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)

    assert {:error, %Error{reason: :checkout_timeout}} =
             Portpool.transaction(pool, & &1, checkout_timeout: 20)

    Portpool.checkin(worker)
    assert Portpool.Poolboy.status(pool) == {:ready, 1, 0, 0}
    assert Portpool.transaction(pool, & &1.id) == {:ok, worker.id}
  end

  test "checkins twice, by a stranger, or of a lease that is over are harmless" do
    pool = start_pool!(size: 2, wait: :all)
    [first, second] = checkouts(pool, 2)
    assert Portpool.checkin(first) == :ok
    {:ok, third} = Portpool.checkout(pool)
    assert third.pid == first.pid
    assert Portpool.checkin(first) == :ok
    assert {:error, %Error{}} = Task.await(Task.async(fn -> Portpool.checkin(second) end))
    # Poolboy would hand out a worker in use.
    assert Portpool.Poolboy.status(pool) == {:full, 0, 0, 2}
    Enum.each([second, third], &Portpool.checkin/1)
  end

  test "a pool whose workers do not start lives, and says why" do
    pool = start_pool!(init: {:jobs, :fail, [0]}, wait: :none, checkout_timeout: 20_000)
    assert {:error, %Error{} = error} = Portpool.checkout(pool)
    assert Exception.message(error) =~ "no such luck"
    eventually(fn -> match?({:ok, %{last_start_error: %{}}}, Portpool.status(pool)) end, 5_000)
  end

  test "status answers at once while a worker starts slowly" do
    pool = start_pool!(init: {:jobs, :sleep, [60]}, wait: :none)
    assert {:ok, %{starting: 1, idle: 0}} = Portpool.status(pool)
    assert {:ready, 0, 0, 0} = Portpool.Poolboy.status(pool)
  end

  defp checkouts(pool, count) do
    for _ <- 1..count do
      {:ok, worker} = Portpool.checkout(pool)
      worker
    end
  end

  defp last_in_first_out?(pool) do
    workers = checkouts(pool, 3)
    Enum.each(workers, &Portpool.checkin/1)
    again = checkouts(pool, 3)
    Enum.each(again, &Portpool.checkin/1)
    Enum.map(again, & &1.id) == workers |> Enum.reverse() |> Enum.map(& &1.id)
  end
end
