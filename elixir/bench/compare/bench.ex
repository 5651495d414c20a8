defmodule Bench do
  @moduledoc "Portpool against ErlPort + Poolboy and against the floors: `make bench`."

  alias Bench.{Contest, Docs, Goal, Growth, Machine, Report, Result, Row, Settings, Table, Workloads}

  @doc "Runs from the command line and ends the VM with the exit status: 0, or 2 for wrong usage."
  @spec main([String.t()]) :: no_return
  def main(argv) do
    with {:ok, settings} <- Settings.parse(argv, System.get_env()),
         {:ok, rows} <- choose(settings.only) do
      # The benchmark kills workers on purpose; do not log that.
      Logger.configure(level: :none)
      facts = Machine.facts(settings)
      publish(run(rows, settings), facts, settings)
      System.halt(0)
    else
      {:stop, status, text} ->
        IO.puts(if(status == 0, do: :stdio, else: :stderr), text)
        System.halt(status)
    end
  end

  @doc "All rows: the comparison, then the sweeps. `heavy` are modules that are slow to import."
  @spec rows([String.t()]) :: [Row.t()]
  def rows(heavy \\ ["numpy", "pandas"]), do: Workloads.rows(heavy) ++ Growth.rows()

  @doc "Measures rows one by one."
  @spec run([Row.t()], Settings.t()) :: [Result.t()]
  def run(rows, settings) do
    for {row, number} <- Enum.with_index(rows, 1) do
      settings.say.("#{number}/#{length(rows)} #{row.id} ")
      result = Contest.run(row, settings)
      settings.say.(" #{Table.line(result)}\n")
      result
    end
  end

  @doc "The tables, and the machine they were made on, as Markdown. Sweeps are for plots."
  @spec markdown([Result.t()], Machine.facts()) :: String.t()
  def markdown(results, facts) do
    Enum.join(
      [
        Machine.paragraph(facts),
        Table.summary(results),
        verdicts(results),
        "All figures:\n",
        Table.figures(results)
      ],
      "\n"
    )
  end

  defp verdicts(results) do
    judged =
      for result <- results, goal <- result.row.goals, do: {result.row.id, elem(Goal.judge(goal, result), 1)}

    met = for {_id, :met} <- judged, do: :met
    missed = for {id, :missed} <- judged, do: id
    slower = for result <- results, Result.better?(result, :peer) == false, do: result.row.id

    "Goals: #{length(met)} met; missed: #{listed(missed)}; not measured: #{length(judged) - length(met ++ missed)}. " <>
      "Rows in which Portpool is no better than ErlPort + Poolboy: #{listed(slower)}.\n"
  end

  defp listed([]), do: "none"
  defp listed(ids), do: ids |> Enum.uniq() |> Enum.join(", ")

  @doc "Returns the rows with these ids (all if none are given), or the error for an unknown id."
  @spec choose([String.t()]) :: {:ok, [Row.t()]} | {:stop, 2, String.t()}
  def choose([]), do: {:ok, rows()}

  def choose(ids) do
    known = Enum.map(rows(), & &1.id)

    case ids -- known do
      [] -> {:ok, Enum.filter(rows(), &(&1.id in ids))}
      [id | _more] -> {:stop, 2, "unknown row #{id}; the rows are: #{Enum.join(known, ", ")}"}
    end
  end

  defp publish(results, facts, settings) do
    text = markdown(results, facts)
    IO.puts(text <> "\n" <> Table.sweeps(results))
    if settings.docs, do: Docs.put(settings.docs, text)
    if settings.json, do: Report.write(settings.json, results, facts, settings)
  end
end
