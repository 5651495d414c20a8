defmodule Portpool.FaultsTest do
  # Faults that a VM can see, as far as no other test has them:
  #
  # | fault | test |
  # |---|---|
  # | the caller is killed: waiting, running, in a lease | caller_test, lease_test |
  # | anybody ends, whatever Python is doing | death_matrix_test; what callers hear of it: death_test |
  # | the server is stopped | stopped_test; time limits of callers meanwhile: timeout_test, async_test, lease_test |
  # | more is asked for than is taken | here; a server that does not read: timeout_test |
  # | large replies at once, and small ones between them | load_test |
  use Portpool.Test.Case

  alias Portpool.Pulse
  alias Portpool.Test.Beam

  # 120 MB of replies, which fill every pipe.
  @script """
  [python, directory] = System.argv()
  {:ok, pool} = Portpool.start_link(size: 4, wait: :all, python_path: [python])
  {:ok, %{owner: owner}} = Portpool.Directory.route(pool)
  calls = for _ <- 1..4, do: Portpool.async(pool, :jobs, :text, [30_000_000])
  ready.()
  sizes = for call <- calls, {:ok, text} = Portpool.await(call), do: byte_size(text)
  File.write!(directory <> "/new", inspect({sizes, Process.alive?(owner)}))
  File.rename!(directory <> "/new", directory <> "/said")
  Process.sleep(:infinity)
  """

  test "a VM that stands still for longer than it gives its server does not take that for dead" do
    directory = Path.join(System.tmp_dir!(), "portpool-faults-#{System.unique_integer([:positive])}")
    File.mkdir!(directory)
    on_exit(fn -> File.rm_rf!(directory) end)

    beam = Beam.start(@script, [python(), directory])
    signal(beam, "STOP")
    pass(Pulse.limit() + 1_000)
    signal(beam, "CONT")

    eventually(fn -> File.exists?(directory <> "/said") end, 20_000)
    assert File.read!(directory <> "/said") == inspect({List.duplicate(30_000_000, 4), true})
  end

  test "with signals: :drain a server that gets one lets running calls end, and the pool comes back" do
    pool = start_pool!(drain_timeout: 60_000, signals: :drain)
    path = Path.join(System.tmp_dir!(), "portpool-faults-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm(path) end)
    running = Portpool.async(pool, :jobs, :wait_for, [path])
    busy_workers(pool)
    waiting = Portpool.async(pool, :jobs, :echo, [1])
    await_waiting(pool, 1)

    signal(server_pid(pool), "TERM")
    assert {:error, %Error{reason: :shutdown, retryable: true}} = Portpool.await(waiting)
    File.write!(path, "")
    assert Portpool.await(running) == {:ok, "there"}
    eventually(fn -> Portpool.call(pool, :jobs, :echo, [2]) == {:ok, 2} end, 5_000)
  end

  test "with signals: :drain a second one ends what still runs" do
    pool = start_pool!(drain_timeout: 60_000, signals: :drain)
    running = Portpool.async(pool, :jobs, :sleep, [60])
    busy_workers(pool)
    waiting = Portpool.async(pool, :jobs, :echo, [1])
    await_waiting(pool, 1)
    server = server_pid(pool)

    signal(server, "TERM")
    # It has heard the first one.
    assert {:error, %Error{reason: :shutdown}} = Portpool.await(waiting)
    signal(server, "TERM")
    assert {:error, %Error{reason: :shutdown, retryable: true}} = Portpool.await(running)
    eventually(fn -> Portpool.call(pool, :jobs, :echo, [2]) == {:ok, 2} end, 5_000)
  end

  test "a queue that is full, in calls or in bytes, refuses at once and harms nothing that is in it" do
    for {options, argument} <- [
          {[max_queue: 2], "x"},
          {[max_queue_bytes: 250_000], String.duplicate("x", 100_000)}
        ] do
      pool = start_pool!([name: :"full_#{hd(Keyword.keys(options))}", checkout_timeout: :infinity] ++ options)
      running = Portpool.async(pool, :jobs, :sleep, [60])
      busy_workers(pool)
      waiting = for _ <- 1..2, do: Portpool.async(pool, :jobs, :echo, [argument])
      await_waiting(pool, 2)

      for _ <- 1..5 do
        assert {:error, %Error{reason: :queue_full, phase: :checkout, retryable: true}} =
                 Portpool.call(pool, :jobs, :echo, [argument])
      end

      assert {:error, %Error{reason: :cancelled}} = Portpool.cancel(running)
      assert Enum.map(waiting, &Portpool.await/1) == List.duplicate({:ok, argument}, 2)
      assert_no_calls(pool)
    end
  end

  defp pass(ms) do
    receive do
    after
      ms -> :ok
    end
  end
end
