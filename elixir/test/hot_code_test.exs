defmodule Portpool.HotCodeTest do
  # A release that is upgraded while it runs loads modules anew and purges the old ones. A process that still has
  # something of a purged module is killed: a frame on its stack, or a function.
  use Portpool.Test.Case

  test "calls go on while every module is loaded anew and purged, twice" do
    pool = start_pool!(name: MyApp.Python, size: 2, env: [A: "1"], init: {:jobs, :echo, [1]})
    kept = processes(pool)
    {callers, stop} = callers(pool, 4)

    for module <- modules() ++ modules() do
      {^module, binary, file} = :code.get_object_code(module)
      {:module, ^module} = :code.load_binary(module, file, binary)

      # Nobody has the old code, or will for longer than a call takes. Processes that do have it would be killed.
      eventually(fn -> :code.soft_purge(module) end, 5_000)
      assert {:ok, 1} = Portpool.call(pool, :jobs, :echo, [1])
      :ok = Portpool.cast(pool, :jobs, :fail, [0])
    end

    assert processes(pool) == kept
    :atomics.put(stop, 1, 1)
    made = Task.await_many(callers, 10_000)
    assert Enum.all?(made, &(&1 > 0))
    assert_no_calls(pool)
  end

  test "the processes of a pool live through a purge that kills" do
    pool = start_pool!(name: MyApp.Python)
    kept = processes(pool)

    for _round <- 1..2, module <- modules() do
      {^module, binary, file} = :code.get_object_code(module)
      {:module, ^module} = :code.load_binary(module, file, binary)
      assert {module, :code.purge(module)} == {module, false}
      assert {:ok, 1} = Portpool.call(pool, :jobs, :echo, [1])
    end

    assert processes(pool) == kept
    assert %{stage: :ready} = :sys.get_state(route(pool).owner)
  end

  # All of ours but this test and its support, which run it.
  defp modules do
    {:ok, modules} = :application.get_key(:portpool, :modules)
    Enum.reject(modules, &(inspect(&1) =~ ~r/^(Portpool\.Test|Bench)/))
  end

  defp processes(pool) do
    pool = GenServer.whereis(pool)
    %{owner: owner, calls: %{guard: guard}, port: port} = route(pool)
    %{log: %{pid: log}, server: %{watch: watch}} = :sys.get_state(owner)

    {pool, owner, guard, log, port, watch, Process.whereis(Portpool.Directory),
     Process.whereis(Portpool.Supervisor)}
  end

  # Processes that make calls without a pause, and how to end them. They return how many they have made.
  defp callers(pool, count) do
    stop = :atomics.new(1, [])
    {for(_ <- 1..count, do: Task.async(fn -> call_until(pool, stop, 0) end)), stop}
  end

  defp call_until(pool, stop, made) do
    if :atomics.get(stop, 1) == 1 do
      made
    else
      {:ok, ^made} = Portpool.call(pool, :jobs, :echo, [made])
      call_until(pool, stop, made + 1)
    end
  end
end
