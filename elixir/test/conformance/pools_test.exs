defmodule Portpool.Conformance.PoolsTest do
  # What NimblePool, Poolex, pooler and worker_pool do beyond Poolboy: docs/conformance.md.

  use Portpool.Test.Case

  test "waiters whose deadline is over cost no worker" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)
    outcomes = for _ <- 1..20, do: Portpool.async(pool, :jobs, :keep, [:expired], deadline: 50)
    for call <- outcomes, do: assert({:error, %Error{reason: :checkout_timeout}} = Portpool.await(call))
    Portpool.checkin(worker)
    assert Portpool.call(pool, :jobs, :keep, [:first]) == {:ok, [:first]}
    assert Portpool.call!(pool, :jobs, :pid, []) == worker.pid
  end

  test "a client that crashes takes its worker out of the pool" do
    pool = start_pool!()
    before = Portpool.call!(pool, :jobs, :pid, [])
    {client, ref} = spawn_monitor(fn -> Portpool.transaction(pool, fn _worker -> exit(:crashed) end) end)
    assert_receive {:DOWN, ^ref, :process, ^client, :crashed}, 5_000
    eventually(fn -> not alive?(before) end)
    assert Portpool.call!(pool, :jobs, :pid, []) != before
  end

  test "a worker that hangs while it is idle is found and replaced" do
    pool = start_pool!(idle_check: 50)
    pid = Portpool.call!(pool, :jobs, :pid, [])
    signal(pid, "STOP")
    eventually(fn -> not alive?(pid) end, 5_000)
    assert Portpool.call!(pool, :jobs, :pid, []) != pid
  end

  test "an overflow worker leaves when it has been idle for its time, and not while it is used" do
    pool = start_pool!(size: 1, max_overflow: 1, overflow_ttl: 300, strategy: :fifo)
    {:ok, first} = Portpool.checkout(pool)
    {:ok, second} = Portpool.checkout(pool)
    Enum.each([first, second], &Portpool.checkin/1)
    # Each use begins the time anew.
    for _ <- 1..10, do: {:ok, _} = Portpool.call(pool, :jobs, :sleep, [0.05])
    assert Enum.all?([first, second], &alive?(&1.pid))
    eventually(fn -> match?({:ok, %{overflow: 0, workers: [_one]}}, Portpool.status(pool)) end, 5_000)
  end

  test "workers that do not start are tried again, and nobody is blocked meanwhile" do
    mark = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm(mark) end)
    # The first worker starts, every other one hangs.
    pool = start_pool!(size: 1, max_overflow: 1, init: {:jobs, :hang_unless_first, [mark]})
    {:ok, worker} = Portpool.checkout(pool)
    waiting = Portpool.async(pool, :jobs, :echo, [1])
    eventually(fn -> match?({:ok, %{starting: 1}}, Portpool.status(pool)) end, 5_000)
    Portpool.checkin(worker)
    assert Portpool.await(waiting) == {:ok, 1}
  end

  test "a worker that is too old is replaced between calls, and none fails" do
    pool = start_pool!(max_age: 300)
    first = Portpool.call!(pool, :jobs, :pid, [])
    eventually(fn -> Portpool.call!(pool, :jobs, :pid, []) != first end, 5_000)
    eventually(fn -> not alive?(first) end, 5_000)
  end

  test "the caller may say that its worker is broken" do
    pool = start_pool!()

    assert {:ok, pid} =
             Portpool.transaction(pool, &with(:ok <- Portpool.checkin(&1, broken: true), do: &1.pid))

    eventually(fn -> not alive?(pid) end)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
  end

  test "a pool starts its workers beside its supervisor, if it is told to wait for none" do
    pool = start_pool!(wait: :none, init: {:jobs, :sleep, [0.5]})
    assert {:ok, %{starting: 1}} = Portpool.status(pool)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
  end

  test "nested transactions of one process have different workers, and too deep ones end with an error" do
    pool = start_pool!(size: 2, wait: :all)

    assert {:ok, {:ok, {:error, %Error{reason: :checkout_timeout}}}} =
             Portpool.transaction(pool, fn one ->
               Portpool.transaction(pool, fn two ->
                 assert one.pid != two.pid
                 Portpool.transaction(pool, & &1, checkout_timeout: 20)
               end)
             end)
  end
end
