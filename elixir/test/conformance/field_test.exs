defmodule Portpool.Conformance.FieldTest do
  # Bugs that bridges to Python have had in the field, and that this one is not to have: docs/conformance.md.

  use Portpool.Test.Case

  test "the reply of a call that timed out reaches nobody" do
    pool = start_pool!()

    assert {:error, %Error{reason: :timeout}} =
             Portpool.call(pool, :jobs, :sleep_and_echo, [60, {:old, 0}], timeout: 45)

    # The others are on their way when their time ends, or a moment before.
    for round <- 1..10 do
      case Portpool.call(pool, :jobs, :sleep_and_echo, [0.05, {:old, round}], timeout: 45) do
        {:error, %Error{reason: :timeout}} -> :late
        {:ok, {:old, ^round}} -> :in_time
      end

      assert Portpool.call(pool, :jobs, :echo, [{:new, round}]) == {:ok, {:new, round}}
    end

    assert_clean_process()
  end

  test "every kind of timeout is an error of the same shape" do
    pool = start_pool!()
    {:ok, worker} = Portpool.checkout(pool)

    outcomes = [
      Portpool.call(pool, :jobs, :echo, [1], checkout_timeout: 0),
      Portpool.call(pool, :jobs, :echo, [1], checkout_timeout: 20),
      Portpool.call(pool, :jobs, :echo, [1], deadline: 20),
      Portpool.checkout(pool, checkout_timeout: 20),
      Portpool.transaction(pool, & &1, checkout_timeout: 20),
      Portpool.await(Portpool.async(pool, :jobs, :echo, [1], checkout_timeout: 20)),
      Portpool.call(worker, :jobs, :sleep, [60], timeout: 20)
    ]

    for {:error, error} <- outcomes, do: assert(%Error{phase: _, blame: _, retryable: _} = error)
    assert Enum.map(outcomes, &elem(&1, 1).reason) == List.duplicate(:checkout_timeout, 6) ++ [:timeout]
    Portpool.checkin(worker)
  end

  test "no message is left in a caller, whatever became of its calls" do
    Process.flag(:trap_exit, true)
    pool = start_pool!()

    Portpool.call(pool, :jobs, :echo, [1])
    Portpool.call(pool, :jobs, :fail, [0])
    Portpool.call(pool, :jobs, :exit_now, [1])
    Portpool.call(pool, :jobs, :sleep, [60], timeout: 20)
    Portpool.call(pool, :jobs, :echo, [1], timeout: 0)
    Portpool.cancel(Portpool.async(pool, :jobs, :sleep, [60]))
    Portpool.cast(pool, :jobs, :echo, [1])
    Portpool.transaction(pool, &Portpool.call(&1, :jobs, :echo, [1]))
    Portpool.broadcast(pool, :jobs, :echo, [1])
    assert_no_calls(pool)
    assert_clean_process()
  end

  test "a function may start processes and wait for them" do
    pool = start_pool!()
    assert Portpool.call(pool, :jobs, :run, [["sh", "-c", "exit 3"]], timeout: 5_000) == {:ok, 3}
  end

  test "memory is measured where it grows, in the worker" do
    pool = start_pool!(max_memory: 120_000_000)
    {:ok, worker} = Portpool.call(pool, :jobs, :pid, [])
    assert {:ok, _} = Portpool.call(pool, :jobs, :text, [1_000])
    assert Portpool.call(pool, :jobs, :pid, []) == {:ok, worker}
    assert {:ok, 1} = Portpool.call(pool, :jobs, :grow, [200_000_000])
    eventually(fn -> Portpool.call!(pool, :jobs, :pid, []) != worker end, 5_000)
    eventually(fn -> not alive?(worker) end, 5_000)
  end

  test "a server that ends with unread input takes neither its owner nor a caller with it" do
    pool = start_pool!()
    server = server_pid(pool)
    signal(server, "STOP")
    large = String.duplicate("x", 5_000_000)
    calls = for _ <- 1..5, do: Portpool.async(pool, :jobs, :echo, [large])
    signal(server, "KILL")
    for call <- calls, do: assert({:error, %Error{retryable: true}} = Portpool.await(call))
    eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)
    assert_clean_process()
  end
end
