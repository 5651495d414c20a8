defmodule Bench.Report do
  @moduledoc "All measurements as JSON, encoded by Python through Portpool."

  alias Bench.{Goal, Machine, Result, Settings}

  @doc "Writes the file."
  @spec write(Path.t(), [Result.t()], Machine.facts(), Settings.t()) :: :ok
  def write(path, results, facts, settings) do
    {:ok, pool} = Portpool.start_link(size: 1, python: settings.python)

    report = %{
      machine: Map.new(facts),
      mode: settings.mode,
      rows: Enum.map(results, &row/1)
    }

    {:ok, json} =
      Portpool.call(pool, :json, :dumps, [report], kwargs: %{indent: 1, sort_keys: true}, none_as: nil)

    :ok = Portpool.stop(pool)
    File.write!(path, json <> "\n")
  end

  defp row(%Result{row: row} = result) do
    %{
      id: row.id,
      title: row.title,
      figure: row.figure,
      axis: row.axis,
      systems: for({entrant, measured} <- result.measured, do: system(result, entrant, measured)),
      goals: Enum.map(row.goals, &goal(&1, result))
    }
  end

  defp system(result, entrant, measured) do
    base = %{name: entrant.name, x: entrant.x, callers: entrant.callers}

    case measured do
      {:absent, reason} ->
        Map.put(base, :absent, reason)

      {:memory, _python, _all} ->
        Map.put(base, :figures, Result.figures(result, entrant.id))

      slices ->
        Map.merge(base, %{figures: Result.figures(result, entrant.id), slices: Enum.map(slices, &slice/1)})
    end
  end

  # Without the single calls: a slice may have tens of thousands.
  defp slice(slice) do
    %{
      round: slice.round,
      calls: length(slice.times),
      elapsed_us: slice.elapsed / 1_000,
      cpu_us: Bench.Cpu.total(slice.cpu) / 1_000,
      p50_us: Bench.Statistics.of_slice(slice, :p50_us)
    }
  end

  defp goal(goal, result) do
    {value, verdict} = Goal.judge(goal, result)
    against = goal.against && Atom.to_string(goal.against)
    %{figure: goal.figure, against: against, is: goal.is, bound: goal.bound, value: value, verdict: verdict}
  end
end
