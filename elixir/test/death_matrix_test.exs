defmodule Portpool.DeathMatrixTest do
  # Whoever ends, and whatever Python is doing: nothing is left a second later. Each way has one pool with a worker in
  # each state, so that the states are measured at the same time.
  use Portpool.Test.Case

  alias Portpool.Test.{Beam, Summary}

  # Those of tests/workers/hangs.py. `with_a_daemon` has a child that leads a session of its own.
  @states ~w(sleeping busy ignoring_signals in_c_holding_the_gil waiting_for_a_child with_a_thread with_a_daemon)
  @workers Path.expand("../../tests/workers", __DIR__)

  # What is promised, in milliseconds: about ten times what it takes.
  @limit 1_000

  # What `init:stop` takes in a VM without any pool.
  @init_stop 1_000

  # After that, whatever is left is shown.
  @patience 10_000

  # A VM with the same pool, which ends when its test has looked who is there.
  @script """
  [workers, python, directory, states, way] = System.argv()
  children = [{Portpool, name: P, size: 8, wait: :all, python: python, python_path: [workers], drain_timeout: 0}]
  {:ok, _} = Supervisor.start_link(children, strategy: :one_for_one)
  for state <- String.split(states), do: :ok = Portpool.cast(P, "hangs", state, [directory <> "/" <> state])
  ready.()
  look = fn look -> File.exists?(directory <> "/go") or look.(look) end
  look.(look)
  %{"halt" => &System.halt/0, "stop" => &System.stop/0, "sleep" => fn -> :ok end}[way].()
  Process.sleep(:infinity)
  """

  test "whoever ends, the whole tree of processes ends within a second" do
    rows = [
      {"Port.close", here(&Port.close(route(&1).port))},
      {"owner killed", here(&Process.exit(route(&1).owner, :kill))},
      {"pool killed", here(&Process.exit(&1, :kill))},
      {"pool stopped", here(&Portpool.stop(&1, drain_timeout: 0))},
      {"server SIGKILL", here(&signal(server_pid(&1), "KILL"))},
      {"server SIGTERM, drain", here(&signal(server_pid(&1), "TERM"), signals: :drain)},
      {"System.halt", there("halt", fn _beam -> :ok end)},
      {"init:stop", there("stop", fn _beam -> :ok end)},
      {"BEAM SIGKILL", there("sleep", &signal(&1, "KILL"))}
    ]

    Summary.add("20-deaths", table(rows))
    for {way, took} <- rows, {state, ms} <- took, do: assert(ms < limit(way), "#{state}, #{way}: #{ms} ms")
  end

  defp limit("init:stop"), do: @limit + @init_stop
  defp limit(_way), do: @limit

  # A pool in this VM, ended in this way. Without `signals: :drain` a signal ends no server.
  defp here(way, own \\ []) do
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
    options = [size: 8, wait: :all, python: interpreter(), python_path: [@workers], drain_timeout: 0] ++ own

    {:ok, pool} =
      DynamicSupervisor.start_child(
        supervisor,
        Supervisor.child_spec({Portpool, options}, restart: :temporary)
      )

    took =
      in_directory(fn directory ->
        for state <- @states, do: :ok = Portpool.cast(pool, "hangs", state, [Path.join(directory, state)])
        tree = tree(directory)
        end_by(tree, fn -> way.(pool) end)
      end)

    DynamicSupervisor.stop(supervisor)
    took
  end

  # A pool in a VM of its own. The end begins when the file is there, or by `way`.
  defp there(what, way) do
    in_directory(fn directory ->
      beam = Beam.start(@script, [@workers, interpreter(), directory, Enum.join(@states, " "), what])
      tree = tree(directory)

      end_by(tree, fn ->
        File.touch!(Path.join(directory, "go"))
        way.(beam)
      end)
    end)
  end

  defp in_directory(fun) do
    directory = Path.join(System.tmp_dir!(), "portpool-death-#{System.unique_integer([:positive])}")
    File.mkdir!(directory)
    took = fun.(directory)
    File.rm_rf!(directory)
    took
  end

  # The processes of each state, and the others: the idle worker, the server, its watch.
  defp tree(directory) do
    states = for state <- @states, do: {state, pids(Path.join(directory, state))}
    known = Enum.flat_map(states, &elem(&1, 1))
    states ++ [{"idle", workers() -- known}, {"server", Enum.filter(ours(), &server?/1)}]
  end

  defp pids(path) do
    {:ok, pids} = eventually(fn -> with {:error, :enoent} <- File.read(path), do: false end, 20_000)
    pids |> String.split() |> Enum.map(&String.to_integer/1)
  end

  defp server?(pid), do: File.read("/proc/#{pid}/comm") == {:ok, "portpool\n"}

  # What each row of the tree took to end, in milliseconds from the beginning of the end.
  defp end_by(tree, way) do
    for {name, pids} <- tree, do: assert(pids != [] and Enum.all?(pids, &alive?/1), "#{name} is not there")
    start = now()
    ending = Task.async(way)
    took = watch(tree, start, %{})
    Task.await(ending, @patience)
    for {name, _pids} <- tree, do: {name, Map.fetch!(took, name)}
  end

  defp watch([], _start, took), do: took

  defp watch(tree, start, took) do
    {gone, left} = Enum.split_with(tree, fn {_name, pids} -> not Enum.any?(pids, &alive?/1) end)
    ms = now() - start
    took = for {name, _pids} <- gone, into: took, do: {name, ms}
    if ms > @patience, do: flunk("left after #{ms} ms: #{inspect(left)}")
    watch(left, start, took)
  end

  defp now, do: System.monotonic_time(:millisecond)

  defp table([{_way, first} | _] = rows) do
    names = Enum.map(first, &elem(&1, 0))
    head = ["ms until all are gone" | names]
    lines = for {way, took} <- rows, do: [way | Enum.map(took, &"#{elem(&1, 1)}")]

    Enum.map_join([head | lines], "\n", fn [way | cells] ->
      Enum.join(
        [
          String.pad_trailing(way, 22)
          | Enum.zip_with(cells, names, &String.pad_leading(&1, String.length(&2)))
        ],
        " "
      )
    end)
  end

  defp interpreter, do: System.get_env("PORTPOOL_TEST_PYTHON") || "python3"
end
