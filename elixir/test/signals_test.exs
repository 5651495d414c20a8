defmodule Portpool.SignalsTest do
  # Signals that the system sends to all processes of a service: the VM decides what becomes of its pools. docs/protocol.md 12.
  use Portpool.Test.Case

  alias Portpool.Test.Beam

  @for_the_vm ~w(TERM INT HUP QUIT)

  test "signals to the server, its watch and all workers end nothing, and a later stop drains" do
    pool = start_pool!(size: 2, drain_timeout: 60_000)
    path = flag()
    running = Portpool.async(pool, :jobs, :wait_for, [path])
    {:ok, lease} = Portpool.checkout(pool)
    waiting = Portpool.async(pool, :jobs, :echo, [1])
    await_waiting(pool, 1)
    server = server_pid(pool)
    before = ours()
    assert length(before) == 4

    for name <- @for_the_vm, pid <- before, do: signal(pid, name)
    assert Portpool.call(lease, :jobs, :echo, [2]) == {:ok, 2}
    :ok = Portpool.checkin(lease)
    assert Portpool.await(waiting) == {:ok, 1}
    assert {server_pid(pool), Enum.sort(ours())} == {server, Enum.sort(before)}

    stopping = Task.async(fn -> Portpool.stop(pool) end)
    # The drain has begun.
    eventually(
      fn ->
        match?(
          {:error, %{reason: reason}} when reason in [:shutdown, :noproc],
          Portpool.call(pool, :jobs, :echo, [3])
        )
      end,
      20_000
    )

    File.write!(path, "")
    assert Portpool.await(running) == {:ok, "there"}
    assert Task.await(stopping, 20_000) == :ok
    assert Enum.filter(before, &alive?/1) == []
  end

  # A VM that is told to end stops its applications, each from its top: first the pool, which drains, and then its caller,
  # which has written its result by then.
  @script """
  defmodule Small do
    use Application

    def start(_type, [python, path, said]) do
      pool = [name: P, size: 1, python: python, python_path: [Path.dirname(said)], drain_timeout: 60_000]
      caller = %{id: Caller, start: {GenServer, :start_link, [Caller, {path, said}, [name: Caller]]}, shutdown: :infinity}
      Supervisor.start_link([caller, {Portpool, pool}], strategy: :one_for_one)
    end
  end

  defmodule Caller do
    use GenServer

    def init(state) do
      Process.flag(:trap_exit, true)
      {:ok, state}
    end

    def handle_cast(:call, {path, said} = state) do
      File.write!(said, inspect(Portpool.call(P, "waits", "wait_for", [path], timeout: :infinity)))
      {:noreply, state}
    end
  end

  [_python, path, _said] = args = System.argv()
  :ok = :application.load({:application, :small, mod: {Small, args}, applications: [:kernel, :stdlib, :elixir, :portpool]})
  :ok = Application.start(:small)
  GenServer.cast(Caller, :call)
  wait = fn wait -> if File.exists?(path <> ".runs"), do: :ok, else: wait.(wait) end
  wait.(wait)
  ready.()
  Process.sleep(:infinity)
  """

  test "a VM that gets SIGTERM with all that it has started still gets the results of its calls" do
    directory = flag()
    File.mkdir!(directory)

    File.write!(Path.join(directory, "waits.py"), """
    import os, time
    def wait_for(path):
        open(path + ".runs", "x").close()
        while not os.path.exists(path):
            time.sleep(0.001)
        return "there"
    """)

    [path, said] = for name <- ["flag", "said"], do: Path.join(directory, name)
    beam = Beam.start(@script, [interpreter(), path, said])
    # What belongs to the VM itself is no program of ours.
    started = for pid <- ours(), program?(pid) or pid in workers(), do: pid
    assert length(started) == 3
    for pid <- [beam | started], do: signal(pid, "TERM")
    assert Enum.all?(started, &alive?/1)
    File.write!(path, "")
    eventually(fn -> not alive?(beam) and not Enum.any?(started, &alive?/1) end, 20_000)
    assert File.read!(said) == inspect({:ok, "there"})
  end

  defp flag do
    path = Path.join(System.tmp_dir!(), "portpool-signals-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf(path) end)
    path
  end

  defp program?(pid), do: File.read("/proc/#{pid}/comm") == {:ok, "portpool\n"}

  defp interpreter, do: System.get_env("PORTPOOL_TEST_PYTHON") || "python3"
end
