defmodule Portpool.LeaseTest do
  use Portpool.Test.Case

  alias Portpool.{Calls, Lease, Worker}

  setup do: {:ok, pool: start_pool!(size: 2, wait: :all)}

  describe "a worker that is checked out" do
    test "runs the calls of its lease, and no others", %{pool: pool} do
      assert {:ok, %Worker{id: id, pid: pid, holder: holder} = worker} = Portpool.checkout(pool)
      assert holder == self()
      for _ <- 1..3, do: assert(Portpool.call(worker, :jobs, :pid, []) == {:ok, pid})
      others = for _ <- 1..5, do: Portpool.call!(pool, :jobs, :pid, [])
      refute pid in others
      assert {:ok, %{leased: 1, busy: 1, idle: 1, workers: workers}} = Portpool.status(pool)
      assert %{state: :leased, pid: ^pid} = Enum.find(workers, &(&1.id == id))
      assert Portpool.checkin(worker) == :ok
      assert {:ok, %{leased: 0, idle: 2}} = Portpool.status(pool)
      assert alive?(pid)
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "keeps what its calls leave in it", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert {:ok, [1]} = Portpool.call(worker, :jobs, :keep, [1])
      assert {:ok, [1, 2]} = Portpool.call(worker, :jobs, :keep, [2])
      Portpool.checkin(worker)
    end

    test "takes call!, cast and async as well", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert Portpool.call!(worker, :jobs, :keep, [1]) == [1]
      assert Portpool.cast(worker, :jobs, :keep, [2]) == :ok
      assert Portpool.await(Portpool.async(worker, :jobs, :keep, [3])) == {:ok, [1, 2, 3]}
      assert {:ok, [1, 2, 3, 4], %{worker: id}} = Portpool.call_with_meta(worker, :jobs, :keep, [4])
      assert id == worker.id
      Portpool.checkin(worker)
      assert_clean_process()
    end

    test "takes calls of any process that its holder has given it to", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      calls = for i <- 1..5, do: Task.async(fn -> Portpool.call(worker, :jobs, :echo, [i]) end)
      assert Task.await_many(calls) == for(i <- 1..5, do: {:ok, i})
      Portpool.checkin(worker)
    end

    test "takes no key: it runs the call, whatever the key", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)

      assert {:error, %Error{reason: :bad_request, detail: %{option: "key"}}} =
               Portpool.call(worker, :jobs, :echo, [1], key: 1)

      Portpool.checkin(worker)
    end

    test "is no pool", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert {:error, %Error{reason: :bad_request}} = Portpool.checkout(worker)
      assert {:error, %Error{reason: :bad_request}} = Portpool.status(worker)
      Portpool.checkin(worker)
    end

    test "shows who has it, and no more", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert inspect(worker) =~ ~r/^#Portpool.Worker<id: \d+, pid: #{worker.pid}, holder: #PID<[\d.]+>, ...>$/
      Portpool.checkin(worker)
    end
  end

  describe "a checkout" do
    test "that need not wait does not, and that may not wait is refused at once", %{pool: pool} do
      {:ok, first} = Portpool.checkout(pool, checkout_timeout: 0)
      {:ok, second} = Portpool.checkout(pool, checkout_timeout: 0)

      assert {:error, %Error{reason: :checkout_timeout, phase: :checkout, retryable: true}} =
               Portpool.checkout(pool, checkout_timeout: 0)

      Enum.each([first, second], &Portpool.checkin/1)
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "that waits gets the next worker that is given back", %{pool: pool} do
      {:ok, first} = Portpool.checkout(pool)
      {:ok, second} = Portpool.checkout(pool)
      waiting = Task.async(fn -> with {:ok, worker} <- Portpool.checkout(pool), do: worker.id end)
      await_waiting(pool, 1)
      Portpool.checkin(second)
      assert Task.await(waiting) == second.id
      Portpool.checkin(first)
    end

    test "that waits too long leaves nothing", %{pool: pool} do
      workers = for _ <- 1..2, do: elem(Portpool.checkout(pool), 1)

      for options <- [[checkout_timeout: 20], [deadline: 20]] do
        assert {:error, %Error{reason: :checkout_timeout}} = Portpool.checkout(pool, options)
      end

      Enum.each(workers, &Portpool.checkin/1)
      assert {:ok, %{idle: 2, leased: 0, waiting: 0}} = Portpool.status(pool)
      assert_no_calls(pool)
    end

    test "with a key gets the worker of that key", %{pool: pool} do
      {:ok, home} = Portpool.call(pool, :jobs, :pid, [], key: :a)
      {:ok, worker} = Portpool.checkout(pool, key: :a)
      assert worker.pid == home
      Portpool.checkin(worker)
    end

    test "with wrong options is refused", %{pool: pool} do
      for options <- [[timeout: 1], [lease_timeout: -1], %{}] do
        assert {:error, %Error{reason: :bad_request}} = Portpool.checkout(pool, options)
        assert {:error, %Error{reason: :bad_request}} = Portpool.transaction(pool, & &1, options)
      end

      assert {:error, %Error{reason: :noproc}} = Portpool.checkout(NoSuchPool)
    end

    test "of a server that is stuck costs its limit and a margin, and leaves no lease", %{pool: pool} do
      server = server_pid(pool)
      signal(server, "STOP")

      assert {:error, %Error{reason: :internal, blame: :server}} =
               Lease.checkout(%{route(pool) | margin: 50}, %{checkout_timeout: 0})

      assert_clean_process()
      assert_no_calls(pool)
      signal(server, "CONT")
      eventually(fn -> match?({:ok, %{leased: 0, idle: 2}}, Portpool.status(pool)) end, 5_000)
    end
  end

  describe "a checkin" do
    test "twice is as good as once", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert Portpool.checkin(worker) == :ok
      assert Portpool.checkin(worker) == :ok
      assert Portpool.checkin(worker, broken: true) == :ok
      assert alive?(worker.pid)
      assert {:ok, %{idle: 2}} = Portpool.status(pool)
    end

    test "does no harm to a later lease of the same worker", %{pool: pool} do
      {:ok, first} = Portpool.checkout(pool)
      Portpool.checkin(first)
      {:ok, second} = Portpool.checkout(pool)
      assert second.pid == first.pid
      assert Portpool.checkin(first) == :ok
      assert {:ok, %{leased: 1}} = Portpool.status(pool)
      assert Portpool.call(second, :jobs, :echo, [1]) == {:ok, 1}
      assert {:error, %Error{reason: :lease_lost}} = Portpool.call(first, :jobs, :echo, [1])
      Portpool.checkin(second)
    end

    test "while a call of the lease runs lets it come to its end", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      {call, path} = held_call(worker)
      assert Portpool.checkin(worker) == :ok
      release(path)
      assert Portpool.await(call) == {:ok, "there"}
      eventually(fn -> match?({:ok, %{idle: 2, leased: 0}}, Portpool.status(pool)) end)
      assert alive?(worker.pid)
    end

    test "by another process is refused, and does nothing", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)

      for options <- [[], [broken: true]] do
        assert {:error, %Error{reason: :bad_request, blame: :caller}} =
                 Task.await(Task.async(fn -> Portpool.checkin(worker, options) end))
      end

      assert Portpool.call(worker, :jobs, :pid, []) == {:ok, worker.pid}
      Portpool.checkin(worker)
    end

    test "of a broken worker has it replaced", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert Portpool.checkin(worker, broken: true) == :ok
      eventually(fn -> not alive?(worker.pid) end)
      eventually(fn -> match?({:ok, %{idle: 2}}, Portpool.status(pool)) end, 5_000)
      refute worker.pid in for(_ <- 1..4, do: Portpool.call!(pool, :jobs, :pid, []))
    end

    test "is never refused for want of room", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      calls = route(pool).calls
      {max_calls, max_bytes} = Calls.limits(calls)
      Calls.limit(calls, 0, 0)
      assert {:error, %Error{reason: :queue_full}} = Portpool.call(pool, :jobs, :echo, [1])
      assert Portpool.checkin(worker) == :ok
      Calls.limit(calls, max_calls, max_bytes)
      assert {:ok, %{leased: 0, idle: 2}} = Portpool.status(pool)
    end

    test "with wrong options does nothing", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert {:error, %Error{reason: :bad_request}} = Portpool.checkin(worker, broken: :yes)
      assert Portpool.call(worker, :jobs, :echo, [1]) == {:ok, 1}
      Portpool.checkin(worker)
    end
  end

  describe "a lease ends" do
    test "after lease_timeout: its worker is replaced, and later calls are lease_lost", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool, lease_timeout: 50)

      assert {:error, %Error{reason: :lease_lost, blame: :caller, retryable: false}} =
               Portpool.call(worker, :jobs, :sleep, [60])

      eventually(fn -> not alive?(worker.pid) end)
      assert {:error, %Error{reason: :lease_lost}} = Portpool.call(worker, :jobs, :echo, [1])
      assert Portpool.checkin(worker) == :ok
      eventually(fn -> match?({:ok, %{idle: 2}}, Portpool.status(pool)) end, 5_000)
    end

    test "with a call that times out, or is cancelled", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)

      assert {:error, %Error{reason: :timeout}} = Portpool.call(worker, :jobs, :sleep, [60], timeout: 20)

      assert {:error, %Error{reason: :lease_lost}} = Portpool.call(worker, :jobs, :echo, [1])

      {:ok, other} = Portpool.checkout(pool)
      call = Portpool.async(other, :jobs, :sleep, [60])
      eventually(fn -> match?({:ok, %{workers: [_ | _] = all}} when all != [], running(pool)) end)
      assert {:error, %Error{reason: :cancelled}} = Portpool.cancel(call)
      assert {:error, %Error{reason: :lease_lost}} = Portpool.call(other, :jobs, :echo, [1])
      assert Enum.map([worker, other], &Portpool.checkin/1) == [:ok, :ok]
    end

    test "with its worker", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      assert {:error, %Error{reason: :worker_exit}} = Portpool.call(worker, :jobs, :exit_now, [7])
      assert {:error, %Error{reason: :lease_lost}} = Portpool.call(worker, :jobs, :echo, [1])
      assert Portpool.checkin(worker) == :ok
    end

    test "with its server", %{pool: pool} do
      {:ok, worker} = Portpool.checkout(pool)
      signal(server_pid(pool), "KILL")
      eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)

      assert {:error, %Error{reason: :lease_lost, retryable: false}} =
               Portpool.call(worker, :jobs, :echo, [1])

      assert Portpool.checkin(worker) == :ok
      assert Portpool.checkin(worker, broken: true) == :ok
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "with its holder: nobody else gets the worker", %{pool: pool} do
      test = self()

      holder =
        spawn(fn ->
          {:ok, worker} = Portpool.checkout(pool)
          send(test, {:worker, worker})
          Process.sleep(:infinity)
        end)

      assert_receive {:worker, worker}
      end_process(holder)
      eventually(fn -> not alive?(worker.pid) end)
      assert {:error, %Error{reason: :lease_lost}} = Portpool.call(worker, :jobs, :echo, [1])
      eventually(fn -> match?({:ok, %{idle: 2, leased: 0}}, Portpool.status(pool)) end, 5_000)
      assert_no_calls(pool)
    end

    test "with its holder, at whatever point of a transaction that is killed", %{pool: pool} do
      for round <- 1..200 do
        holder = spawn(fn -> Portpool.transaction(pool, &Portpool.call(&1, :jobs, :echo, [1])) end)
        spend(rem(round * 7, 500))
        Process.exit(holder, :kill)
      end

      assert_no_calls(pool)
      eventually(fn -> match?({:ok, %{leased: 0, waiting: 0, idle: 2}}, Portpool.status(pool)) end, 10_000)
    end
  end

  describe "a transaction" do
    test "returns what its function returns, and gives the worker back", %{pool: pool} do
      assert Portpool.transaction(pool, fn worker ->
               1..3 |> Enum.map(&Portpool.call!(worker, :jobs, :keep, [&1])) |> List.last()
             end) == {:ok, [1, 2, 3]}

      assert {:ok, %{leased: 0, idle: 2}} = Portpool.status(pool)
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "that raises, exits or throws goes on doing so, and its worker is replaced", %{pool: pool} do
      for {fail, kind, reason} <- [
            {fn -> raise "no" end, :error, %RuntimeError{message: "no"}},
            {fn -> exit(:no) end, :exit, :no},
            {fn -> throw(:no) end, :throw, :no},
            {fn -> :erlang.error(:no) end, :error, :no}
          ] do
        test = self()

        caught =
          try do
            Portpool.transaction(pool, fn worker ->
              send(test, {:pid, worker.pid})
              fail.()
            end)
          catch
            kind, reason -> {kind, reason, __STACKTRACE__}
          end

        assert {^kind, ^reason, [{__MODULE__, _, _, _} | _]} = caught
        assert_receive {:pid, pid}
        eventually(fn -> not alive?(pid) end)
      end

      assert_no_calls(pool)
    end

    test "can be in another one", %{pool: pool} do
      assert {:ok, {:ok, {first, second}}} =
               Portpool.transaction(pool, fn one ->
                 Portpool.transaction(pool, fn two ->
                   {Portpool.call!(one, :jobs, :pid, []), Portpool.call!(two, :jobs, :pid, [])}
                 end)
               end)

      assert first != second
    end

    test "without a worker does not run", %{pool: pool} do
      workers = for _ <- 1..2, do: elem(Portpool.checkout(pool), 1)

      assert {:error, %Error{reason: :checkout_timeout}} =
               Portpool.transaction(pool, fn _worker -> flunk("it ran") end, checkout_timeout: 0)

      Enum.each(workers, &Portpool.checkin/1)
    end

    test "may check its worker in by itself, as broken too", %{pool: pool} do
      assert {:ok, :ok} = Portpool.transaction(pool, &Portpool.checkin(&1, broken: true))
      eventually(fn -> match?({:ok, %{idle: 2}}, Portpool.status(pool)) end, 5_000)
    end

    test "1,000 of them from 8 processes leave everything as it was", %{pool: pool} do
      {:ok, before} = Portpool.status(pool)

      1..8
      |> Enum.map(fn _ ->
        Task.async(fn ->
          for i <- 1..125,
              do: {:ok, {:ok, ^i}} = Portpool.transaction(pool, &Portpool.call(&1, :jobs, :echo, [i]))
        end)
      end)
      |> Task.await_many(30_000)

      assert {:ok, %{leased: 0, waiting: 0, idle: 2, workers: workers}} = Portpool.status(pool)
      assert Enum.map(workers, & &1.pid) == Enum.map(before.workers, & &1.pid)
      assert_no_calls(pool)
    end
  end

  # The status, with those workers only that run a call.
  defp running(pool) do
    with {:ok, status} <- Portpool.status(pool),
         do: {:ok, %{status | workers: Enum.filter(status.workers, &(&1.running_ms > 0))}}
  end
end
