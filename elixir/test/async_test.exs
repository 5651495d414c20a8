defmodule Portpool.AsyncTest do
  use Portpool.Test.Case

  setup do: {:ok, pool: start_pool!(size: 2)}

  test "calls that were made first and awaited later have their own outcomes", %{pool: pool} do
    calls = for i <- 1..20, do: Portpool.async(pool, :jobs, :echo, [i])
    assert calls |> Enum.reverse() |> Enum.map(&Portpool.await/1) == for(i <- 20..1//-1, do: {:ok, i})
    assert_clean_process()
    assert_no_calls(pool)
  end

  test "the outcome of a call that failed is its error", %{pool: pool} do
    assert {:error, %Error{reason: :exception}} = Portpool.await(Portpool.async(pool, :jobs, :fail, [0]))

    assert {:error, %Error{reason: :timeout}} =
             Portpool.await(Portpool.async(pool, :jobs, :sleep, [60], timeout: 20))

    assert_clean_process()
  end

  test "a call that could not be made has its error as its outcome" do
    for {pool, options, reason} <- [{NoSuchPool, [], :noproc}, {NoSuchPool, [tiemout: 1], :bad_request}] do
      for fetch <- [&Portpool.await/1, &Portpool.cancel/1, &Portpool.yield/1, &hd(Portpool.await_many([&1]))] do
        call = Portpool.async(pool, :jobs, :echo, [1], options)
        assert {:error, %Error{reason: ^reason}} = fetch.(call)
        assert {:error, %Error{reason: :bad_request, message: message}} = fetch.(call)
        assert message =~ "fetched before"
      end
    end

    assert_clean_process()
  end

  test "a call that runs is stopped by cancel, with its worker", %{pool: pool} do
    call = Portpool.async(pool, :jobs, :sleep, [60])
    [worker] = busy_workers(pool)

    assert {:error, %Error{reason: :cancelled, blame: :caller, retryable: false}} = Portpool.cancel(call)
    eventually(fn -> not alive?(worker) end)
    assert_clean_process()
    assert_no_calls(pool)
  end

  test "a call that waits never runs after its cancel", %{pool: pool} do
    busy = for _ <- 1..2, do: Portpool.async(pool, :jobs, :sleep, [60])
    workers = busy_workers(pool, 2)
    mark = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
    waiting = Portpool.async(pool, :builtins, :open, [mark, "w"])

    assert {:error, %Error{reason: :cancelled, phase: :checkout}} = Portpool.cancel(waiting)
    assert Enum.all?(workers, &alive?/1)
    Enum.each(busy, &Portpool.cancel/1)
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    refute File.exists?(mark)
    assert_clean_process()
  end

  test "a call that is done before its cancel has its value", %{pool: pool} do
    call = Portpool.async(pool, :jobs, :echo, [1])
    assert_arrived()
    assert Portpool.cancel(call) == {:ok, 1}
    assert_clean_process()
  end

  test "a cancel in the very moment of the reply brings one outcome, and leaves nothing", %{pool: pool} do
    outcomes =
      for round <- 1..300 do
        call = Portpool.async(pool, :jobs, :echo, [round])
        spend(rem(round * 7, 400))

        case Portpool.cancel(call) do
          {:ok, ^round} -> :reply
          {:error, %Error{reason: :cancelled}} -> :cancelled
        end
      end

    assert length(outcomes) == 300
    assert_clean_process()
    assert_no_calls(pool)
  end

  test "an outcome is fetched once", %{pool: pool} do
    for call <- [
          Portpool.async(pool, :jobs, :echo, [1]),
          Portpool.async(pool, :jobs, :sleep, [60], timeout: 20)
        ] do
      _outcome = Portpool.await(call)

      for fetch <- [&Portpool.await/1, &Portpool.cancel/1, &Portpool.yield/1, &hd(Portpool.await_many([&1]))] do
        assert {:error, %Error{reason: :bad_request, message: message}} = fetch.(call)
        assert message =~ "fetched before"
      end
    end

    assert_clean_process()
  end

  test "an outcome whose row has been taken, but which is still on its way, is waited for", %{pool: pool} do
    route = route(pool)
    # An owner that has taken the row and is not quick to send the reply.
    owner = spawn_link(fn -> slow_owner(route.calls) end)
    call = Portpool.Async.start(%{route | owner: owner}, :status, 1_000)
    send(owner, {:take, call.id})
    eventually(fn -> not Portpool.Calls.in_flight?(route.calls, call.id, call.ref) end)
    assert Portpool.await(call) == {:ok, :late}
    assert_clean_process()
  end

  # It sends the reply when it is asked whether it has.
  defp slow_owner(calls) do
    receive do
      {:take, id} -> slow_owner(calls, Portpool.Calls.take(calls, id))
    end
  end

  defp slow_owner(_calls, {id, alias, _caller, _port, _bytes}) do
    receive do
      {:"$gen_call", from, :settle} ->
        <<131, result::binary>> = :erlang.term_to_binary({:ok, :late}, minor_version: 2)
        send(alias, {alias, <<131, 104, 3, 119, 5, "reply", 110, 8, 0, id::64-little, result::binary>>})
        GenServer.reply(from, :ok)
    end
  end

  test "an outcome is for the process that made the call", %{pool: pool} do
    call = Portpool.async(pool, :jobs, :echo, [1])

    for fetch <- [&Portpool.await/1, &Portpool.cancel/1, &Portpool.yield/1, &hd(Portpool.await_many([&1]))] do
      assert {:error, %Error{reason: :bad_request, message: message}} =
               Task.await(Task.async(fn -> fetch.(call) end))

      assert message =~ "made by #{inspect(self())}"
    end

    assert Portpool.await(call) == {:ok, 1}
  end

  test "a caller that dies takes its calls with it", %{pool: pool} do
    caller =
      spawn(fn ->
        for _ <- 1..3, do: Portpool.async(pool, :jobs, :sleep, [60])
        Process.sleep(:infinity)
      end)

    workers = busy_workers(pool, 2)
    end_process(caller)
    eventually(fn -> not Enum.any?(workers, &alive?/1) end)
    assert_no_calls(pool)
  end

  test "a call outlives neither its server nor its pool", %{pool: pool} do
    calls = for _ <- 1..3, do: Portpool.async(pool, :jobs, :sleep, [60])
    busy_workers(pool, 2)
    signal(server_pid(pool), "KILL")

    for call <- calls do
      assert {:error, %Error{reason: :internal, retryable: true}} = Portpool.await(call)
      assert {:error, %Error{reason: :bad_request}} = Portpool.await(call)
    end

    assert_clean_process()
  end

  test "a server that is stuck costs the limits of the call and a margin, from the moment it was made", %{
    pool: pool
  } do
    server = server_pid(pool)
    signal(server, "STOP")
    route = %{route(pool) | margin: 50}
    call = Portpool.Async.start(route, {:call, :jobs, :echo, [1], %{timeout: 0, checkout_timeout: 0}}, 0)
    assert {:error, %Error{reason: :internal, blame: :server}} = Portpool.await(call)
    assert_clean_process()
    assert_no_calls(pool)
    signal(server, "KILL")
  end

  test "it shows its reference and its caller", %{pool: pool} do
    call = Portpool.async(pool, :jobs, :echo, [1])
    assert inspect(call) =~ ~r/^#Portpool.Async<ref: #Reference<.*>, caller: #PID<.*>, ...>$/
    Portpool.await(call)
  end

  describe "await with a timeout" do
    test "returns what comes before it", %{pool: pool} do
      assert Portpool.await(Portpool.async(pool, :jobs, :echo, [1]), 60_000) == {:ok, 1}
      assert Portpool.await(Portpool.async(pool, :jobs, :echo, [1]), :infinity) == {:ok, 1}
      assert_clean_process()
    end

    test "cancels the call at its end, with its worker, and says so", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :sleep, [60])
      [worker] = busy_workers(pool)
      assert {:error, %Error{reason: :cancelled, phase: :call, message: message}} = Portpool.await(call, 20)
      assert message =~ "jobs:sleep was cancelled while it ran" and message =~ "20 ms"
      eventually(fn -> not alive?(worker) end)
      assert {:error, %Error{reason: :bad_request}} = Portpool.await(call, 20)
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "of 0 is for an outcome that is there", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :echo, [1])
      assert_arrived()
      assert Portpool.await(call, 0) == {:ok, 1}
    end

    test "does not outlast the limits of the call", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :sleep, [60], timeout: 20)
      assert {:error, %Error{reason: :timeout}} = Portpool.await(call, 60_000)
      assert_clean_process()
    end

    test "that is none is refused, and the call goes on", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :echo, [1])

      for timeout <- [-1, 1.5, nil, "5", 0x100000000],
          fetch <- [&Portpool.await/2, &Portpool.yield/2, &Portpool.await_many([&1], &2)] do
        assert {:error, %Error{reason: :bad_request, message: message}} = fetch.(call, timeout)
        assert message =~ inspect(timeout)
      end

      assert Portpool.await(call) == {:ok, 1}
    end
  end

  describe "yield" do
    test "returns nil, and the call goes on", %{pool: pool} do
      {call, path} = held_call(pool)
      assert Portpool.yield(call, 0) == nil
      assert Portpool.yield(call, 1) == nil
      release(path)
      assert Portpool.await(call) == {:ok, "there"}
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "returns an outcome once", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :echo, [1])
      assert Portpool.yield(call) == {:ok, 1}
      assert {:error, %Error{reason: :bad_request}} = Portpool.yield(call, 0)
      assert_clean_process()
    end

    test "before cancel leaves nothing", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :sleep, [60])
      assert Portpool.yield(call, 0) == nil
      assert {:error, %Error{reason: :cancelled}} = Portpool.cancel(call)
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "has the outcome of a call whose server has died", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :sleep, [60])
      assert Portpool.yield(call, 0) == nil
      signal(server_pid(pool), "KILL")
      assert {:error, %Error{reason: :internal}} = Portpool.yield(call)
      assert_clean_process()
    end
  end

  describe "await_many" do
    test "returns the outcomes in order, whatever becomes of the others", %{pool: pool} do
      calls =
        for {function, args} <- [sleep: [0.1], fail: [0], echo: [1]],
            do: Portpool.async(pool, :jobs, function, args)

      assert [{:ok, "slept"}, {:error, %Error{reason: :exception}}, {:ok, 1}] = Portpool.await_many(calls)
      assert Portpool.await_many([]) == []
      assert_clean_process()
    end

    test "cancels at its end what has not ended, and all of it at once", %{pool: pool} do
      slow = for _ <- 1..4, do: Portpool.async(pool, :jobs, :sleep, [60])
      busy_workers(pool, 2)
      refused = Portpool.async(pool, :jobs, :echo, [1], tiemout: 1)

      assert [
               {:error, %Error{reason: :cancelled, phase: :call}},
               {:error, %Error{reason: :bad_request}},
               {:error, %Error{reason: :cancelled, phase: :call}},
               {:error, %Error{reason: :cancelled, phase: :checkout}},
               {:error, %Error{reason: :cancelled, phase: :checkout}}
             ] = Portpool.await_many(List.insert_at(slow, 1, refused), 20)

      assert_clean_process()
      assert_no_calls(pool)
    end

    test "has one outcome for a call that is there twice", %{pool: pool} do
      call = Portpool.async(pool, :jobs, :echo, [1])
      assert [{:ok, 1}, {:error, %Error{reason: :bad_request}}] = Portpool.await_many([call, call])
    end
  end

  describe "a message" do
    test "is one, and has the outcome", %{pool: pool} do
      for {function, args, expected} <- [
            {:echo, [1], &match?({:ok, 1}, &1)},
            {:fail, [0], &match?({:error, %Error{reason: :exception}}, &1)},
            {:exit_now, [1], &match?({:error, %Error{reason: :worker_exit}}, &1)}
          ] do
        %{ref: ref} = call = Portpool.async(pool, :jobs, function, args)
        assert_receive {^ref, _packet} = message, 60_000
        assert expected.(Portpool.async_result(call, message))
        # Nobody else has it, however late they ask.
        assert {:error, %Error{reason: :bad_request, message: message}} = Portpool.await(call)
        assert message =~ "async_result"
        assert {:error, %Error{reason: :bad_request}} = Portpool.cancel(call)
        assert {:error, %Error{reason: :bad_request}} = Portpool.yield(call)
      end

      assert_clean_process()
      assert_no_calls(pool)
    end

    test "comes for a call that could not be made, too" do
      %{ref: ref} = call = Portpool.async(NoSuchPool, :jobs, :echo, [1])
      assert_received {^ref, _error} = message
      assert {:error, %Error{reason: :noproc}} = Portpool.async_result(call, message)
      assert {:error, %Error{reason: :bad_request}} = Portpool.await(call)
      assert_clean_process()
    end

    test "is a :DOWN if the pool ends first", %{pool: pool} do
      %{ref: ref} = call = Portpool.async(pool, :jobs, :sleep, [60])
      signal(server_pid(pool), "KILL")
      assert_receive {:DOWN, ^ref, :process, _pid, _reason} = message, 60_000
      # Whoever forgets that message and awaits is told at once.
      assert {:error, %Error{reason: :bad_request}} = Portpool.await(call)
      assert {:error, %Error{reason: :internal, retryable: true}} = Portpool.async_result(call, message)
      assert_clean_process()
    end

    test "is one for each call, and then there is none, whatever becomes of the server meanwhile", %{
      pool: pool
    } do
      # A pool is started again three times in five seconds.
      for round <- 1..3 do
        server = eventually(fn -> server_pid(pool) end, 5_000)
        first = for i <- 1..50, do: Portpool.async(pool, :jobs, :echo, [i])
        spend(round * 500)
        signal(server, "KILL")
        # Some of these find no server any more.
        calls = first ++ for(i <- 1..50, do: Portpool.async(pool, :jobs, :echo, [i]))

        for {%{ref: ref} = call, number} <- Enum.with_index(calls) do
          message =
            receive do
              {^ref, _packet} = message -> message
              {:DOWN, ^ref, :process, _pid, _reason} = message -> message
            end

          value = rem(number, 50) + 1

          case Portpool.async_result(call, message) do
            {:ok, ^value} -> :ok
            {:error, %Error{reason: reason}} when reason in [:internal, :noproc] -> :ok
          end
        end

        assert_clean_process()
        eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 5_000)
      end

      assert_no_calls(pool)
    end

    test "of another call, or any other message, is unknown", %{pool: pool} do
      [%{ref: ref} = one, other] = for i <- 1..2, do: Portpool.async(pool, :jobs, :echo, [i])
      assert_receive {^ref, packet} = message, 60_000
      assert Portpool.async_result(other, message) == :unknown

      for message <- [
            :timeout,
            {make_ref(), packet},
            {ref, :other},
            {ref, "other"},
            {ref, :erlang.term_to_binary(:other)},
            {:DOWN, make_ref(), :process, self(), :normal}
          ],
          do: assert(Portpool.async_result(one, message) == :unknown)

      assert Portpool.await_many([other]) == [ok: 2]
      assert_clean_process()
    end

    test "may be read by another process than the caller", %{pool: pool} do
      %{ref: ref} = call = Portpool.async(pool, :jobs, :echo, [1])
      assert_receive {^ref, _packet} = message, 60_000
      assert Task.await(Task.async(fn -> Portpool.async_result(call, message) end)) == {:ok, 1}
    end

    test "does not come after the end of a call that was awaited, yielded or cancelled", %{pool: pool} do
      for fetch <- [&Portpool.await/1, &Portpool.await(&1, 0), &Portpool.yield/1, &Portpool.cancel/1],
          {function, args} <- [echo: [1], sleep: [0.01], fail: [0]],
          do: fetch.(Portpool.async(pool, :jobs, function, args))

      # What a server has sent until now is here.
      Portpool.Owner.settle(route(pool).owner)
      assert_clean_process()
      assert_no_calls(pool)
    end
  end

  defmodule Clerk do
    @moduledoc "A GenServer whose callbacks make calls and return."
    use GenServer

    def init(pool), do: {:ok, %{pool: pool, calls: %{}, heard: []}}

    def handle_call({:call, function, args, options}, from, state) do
      async = Portpool.async(state.pool, :jobs, function, args, options)
      {:noreply, put_in(state.calls[async.ref], {async, from})}
    end

    def handle_call({:make, function, args}, _from, state),
      do: {:reply, Portpool.async(state.pool, :jobs, function, args), state}

    def handle_call({:run, fun}, _from, state), do: {:reply, fun.(), state}
    def handle_call(:heard, _from, state), do: {:reply, Enum.reverse(state.heard), state}

    def handle_info({ref, _packet} = message, state) when is_map_key(state.calls, ref),
      do: {:noreply, answer(ref, message, state)}

    def handle_info({:DOWN, ref, :process, _pid, _reason} = message, state) when is_map_key(state.calls, ref),
      do: {:noreply, answer(ref, message, state)}

    def handle_info(message, state), do: {:noreply, %{state | heard: [message | state.heard]}}

    defp answer(ref, message, state) do
      {{async, from}, calls} = Map.pop!(state.calls, ref)
      GenServer.reply(from, Portpool.async_result(async, message))
      %{state | calls: calls}
    end
  end

  describe "in a GenServer" do
    setup %{pool: pool},
      do: {:ok, clerk: start_supervised!(%{id: Clerk, start: {GenServer, :start_link, [Clerk, pool]}})}

    test "each call has its one message in handle_info", %{clerk: clerk, pool: pool} do
      callers =
        for call <- [
              {:echo, [1], []},
              {:fail, [0], []},
              {:sleep, [60], timeout: 20},
              {:echo, [1], tiemout: 1}
            ],
            do: Task.async(fn -> GenServer.call(clerk, Tuple.insert_at(call, 0, :call), :infinity) end)

      assert [
               {:ok, 1},
               {:error, %Error{reason: :exception}},
               {:error, %Error{reason: :timeout}},
               {:error, %Error{reason: :bad_request}}
             ] = Task.await_many(callers)

      assert GenServer.call(clerk, :heard) == []
      assert %{calls: calls} = :sys.get_state(clerk)
      assert calls == %{}
      assert_no_calls(pool)
    end

    test "calls in flight when the pool ends have theirs", %{clerk: clerk, pool: pool} do
      caller = Task.async(fn -> GenServer.call(clerk, {:call, :sleep, [60], []}, :infinity) end)
      busy_workers(pool)
      signal(server_pid(pool), "KILL")
      assert {:error, %Error{reason: :internal}} = Task.await(caller)
      assert GenServer.call(clerk, :heard) == []
    end

    test "await is right before the message came, and after", %{clerk: clerk, pool: pool} do
      run = &GenServer.call(clerk, {:run, &1}, :infinity)

      early = GenServer.call(clerk, {:make, :sleep, [0.2]})
      assert run.(fn -> Portpool.await(early) end) == {:ok, "slept"}
      assert GenServer.call(clerk, :heard) == []

      %{ref: ref} = late = GenServer.call(clerk, {:make, :echo, [1]})
      message = eventually(fn -> List.first(GenServer.call(clerk, :heard)) end, 60_000)
      assert {^ref, _packet} = message
      assert {:error, %Error{reason: :bad_request}} = run.(fn -> Portpool.await(late) end)
      assert run.(fn -> Portpool.async_result(late, message) end) == {:ok, 1}

      # It is in the mailbox, and not yet handled.
      assert run.(fn ->
               call = Portpool.async(pool, :jobs, :echo, [2])
               assert_arrived()
               Portpool.await(call)
             end) == {:ok, 2}

      assert GenServer.call(clerk, :heard) == [message]
    end
  end

  defp assert_arrived,
    do: eventually(fn -> Process.info(self(), :message_queue_len) == {:message_queue_len, 1} end)
end
