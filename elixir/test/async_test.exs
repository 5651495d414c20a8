defmodule Portpool.AsyncTest do
  use Portpool.Test.Case

  setup do: {:ok, pool: start_pool!(size: 2)}

  test "calls that were made first and awaited later have their own outcomes", %{pool: pool} do
    calls = for i <- 1..20, do: Portpool.async(pool, :jobs, :echo, [i])
    assert calls |> Enum.reverse() |> Enum.map(&Portpool.await/1) == for(i <- 20..1, do: {:ok, i})
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
      call = Portpool.async(pool, :jobs, :echo, [1], options)
      assert {:error, %Error{reason: ^reason}} = Portpool.await(call)
      assert {:error, %Error{reason: ^reason}} = Portpool.cancel(call)
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

      for fetch <- [&Portpool.await/1, &Portpool.cancel/1] do
        assert {:error, %Error{reason: :bad_request, message: message}} = fetch.(call)
        assert message =~ "already"
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
    eventually(fn -> not Portpool.Calls.in_flight?(route.calls, call.id, call.alias) end)
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

    for fetch <- [&Portpool.await/1, &Portpool.cancel/1] do
      assert {:error, %Error{reason: :bad_request}} = Task.await(Task.async(fn -> fetch.(call) end))
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

  test "it shows no more than its id", %{pool: pool} do
    call = Portpool.async(pool, :jobs, :echo, [1])
    assert inspect(call) =~ ~r/^#Portpool.Async<id: \d+, ...>$/
    Portpool.await(call)
  end

  defp assert_arrived,
    do: eventually(fn -> Process.info(self(), :message_queue_len) == {:message_queue_len, 1} end)
end
