defmodule Bench.Contest do
  @moduledoc "Measures the entrants of a row in turn: a short slice of each per round, so that all meet the same conditions."

  alias Bench.{Entrant, Processes, Result, Row, Settings, Slice}

  # `{:ok, handle}` for each system and pool, which several entrants may share.
  @typep started :: %{{module, Bench.System.pool()} => {:ok, Bench.System.handle()} | {:absent, String.t()}}

  @spec run(Row.t(), Settings.t()) :: Result.t()
  def run(%Row{modules: modules} = row, settings) do
    if importable?(modules, settings.python),
      do: measure(row, settings),
      else:
        each(row, fn _entrant ->
          {:absent, "not measured: this Python lacks #{Enum.join(modules, " and ")}"}
        end)
  end

  defp importable?([], _python), do: true

  defp importable?(modules, python) do
    import = "import " <> Enum.join(modules, ", ")
    match?({_output, 0}, System.cmd(python, ["-c", import], stderr_to_stdout: true))
  end

  defp each(row, measured),
    do: %Result{row: row, measured: for(entrant <- row.entrants, do: {entrant, measured.(entrant)})}

  defp measure(%Row{kind: :memory} = row, settings), do: each(row, &memory(&1, settings))

  defp measure(%Row{} = row, settings) do
    {present, resting} = Enum.split_with(row.entrants, &Entrant.in_round?(&1, settings, 1))
    started = start(present, settings)
    running = for entrant <- present, {:ok, handle} <- [of(started, entrant)], do: {entrant, handle}
    slices = in_turn(row, running, settings)
    stop(started)
    each(row, &measured(&1, resting, started, slices))
  end

  @spec start([Entrant.t()], Settings.t()) :: started
  defp start(entrants, settings) do
    for {system, pool} <- entrants |> Enum.map(&key/1) |> Enum.uniq(), into: %{} do
      {{system, pool}, system.start(pool, settings)}
    end
  end

  defp key(entrant), do: {entrant.system, entrant.pool}

  defp of(started, entrant), do: Map.fetch!(started, key(entrant))

  defp stop(started), do: for({{system, _pool}, {:ok, handle}} <- started, do: system.stop(handle))

  defp in_turn(row, running, settings) do
    {rounds, ms} = amount(row, settings)
    for {entrant, handle} <- running, do: warm_up(entrant, handle, warm_up_ms(row, ms))

    for round <- 1..rounds do
      settings.say.(".")

      for {entrant, handle} <- to_and_fro(running, round), Entrant.in_round?(entrant, settings, round) do
        :erlang.garbage_collect()
        {entrant.id, Slice.run(entrant, handle, round, ms)}
      end
    end
    |> Enum.concat()
  end

  # A B C D, D C B A: no entrant always follows the same one.
  defp to_and_fro(running, round) when rem(round, 2) == 1, do: running
  defp to_and_fro(running, _round), do: Enum.reverse(running)

  defp amount(%Row{kind: :events}, settings), do: {settings.events, 0}
  defp amount(%Row{axis: nil}, settings), do: {settings.rounds, settings.slice_ms}
  defp amount(%Row{}, %Settings{growth: growth}), do: {growth.rounds, growth.slice_ms}

  # A slice of no length is one call or event of each caller, and so is its warm-up.
  defp warm_up_ms(_row, 0), do: 0
  defp warm_up_ms(row, ms), do: row.warm_up_ms || ms

  # An entrant so slow that it has few rounds is not warmed up with its own work.
  defp warm_up(%Entrant{rounds: nil} = entrant, handle, ms) do
    verify(entrant, handle)
    Slice.run(entrant, handle, 0, ms)
  end

  defp warm_up(entrant, handle, _ms), do: verify(%{entrant | work: Bench.Work.small()}, handle)

  # In a process of its own, like every caller.
  defp verify(%Entrant{system: system, work: work}, handle) do
    fn ->
      handle = system.enter(handle)
      :ok = work.verify.(system, handle)
      system.leave(handle)
    end
    |> Task.async()
    |> Task.await(:infinity)
  end

  defp measured(entrant, resting, started, slices) do
    cond do
      entrant in resting -> {:absent, "too slow for this mode"}
      match?({:absent, _reason}, of(started, entrant)) -> of(started, entrant)
      true -> for({id, slice} <- slices, id == entrant.id, do: slice)
    end
  end

  # The memory of Python, including a template, and of all processes of the pool, after one reply per caller. This VM is not counted.
  defp memory(entrant, settings) do
    before = Processes.tree()

    with {:ok, handle} <- entrant.system.start(entrant.pool, settings) do
      Slice.run(entrant, handle, 0, 0)
      pool = Processes.tree() -- before

      memory =
        {:memory, pool |> Enum.filter(&Processes.python?/1) |> Processes.memory(), Processes.memory(pool)}

      entrant.system.stop(handle)
      memory
    end
  end
end
