defmodule Bench.Table do
  @moduledoc "Results as Markdown tables: one of ratios and goals, one of all figures, one per sweep."

  alias Bench.{Format, Goal, Result}

  @head ["workload", "figure", "Portpool", "ErlPort + Poolboy", "ratio", "compared with", "ratio", "goal"]
  @figures [
    "p50",
    "p99",
    "calls/s",
    "CPU time per call",
    "BEAM",
    "programs",
    "Python",
    "ended"
  ]
  @all ["workload", "system", "calls" | @figures]

  @doc "Portpool against its peer, and against the floor or whatever else the goals name."
  @spec summary([Result.t()]) :: String.t()
  def summary(results), do: table(@head, Enum.map(rows(results), &summary_row/1))

  defp summary_row(%Result{row: row} = result) do
    beside = beside(result)

    [
      row.title,
      Format.name(row.figure),
      cell(result, Result.subject(result)),
      cell(result, :peer),
      ratio(result, :peer),
      beside && "#{name(result, beside)}: #{cell(result, beside)}",
      beside && ratio(result, beside),
      Enum.map_join(row.goals, "; ", &goal(&1, result))
    ]
  end

  # The entrant that a goal names, or the nearest floor.
  defp beside(%Result{row: row, measured: measured}) do
    named = for %{against: id} <- row.goals, id not in [nil, :peer], do: id
    there = for {%{id: :two_hops}, _measured} <- measured, do: :two_hops
    List.first(named ++ there)
  end

  defp ratio(result, other), do: Format.ratio(Result.ratio(result, other, result.row.figure))

  defp goal(goal, result) do
    {_value, verdict} = Goal.judge(goal, result)
    "#{Format.goal(goal, goal.against && name(result, goal.against))}: **#{verdict(verdict)}**"
  end

  defp verdict(:unknown), do: "not measured"
  defp verdict(verdict), do: Atom.to_string(verdict)

  @doc "A row in one line: the subject's figure and its ratio to the peer."
  @spec line(Result.t()) :: String.t()
  def line(%Result{row: %{axis: nil}} = result) do
    beside = Result.ratio(result, :peer, result.row.figure)

    cell(result, Result.subject(result)) <>
      if(beside, do: ", #{Format.ratio(beside)} ErlPort + Poolboy", else: "")
  end

  def line(_sweep), do: ""

  @doc "All figures of all entrants."
  @spec figures([Result.t()]) :: String.t()
  def figures(results), do: table(@all, Enum.flat_map(rows(results), &figures_rows/1))

  # The title of the workload appears once.
  defp figures_rows(%Result{row: row, measured: measured} = result) do
    titles = Stream.concat([row.title], Stream.cycle([""]))

    for {title, {entrant, _measured}} <- Enum.zip(titles, measured),
        do: [title, entrant.name | entrant_figures(result, entrant.id)]
  end

  defp entrant_figures(result, id) do
    case {Result.measured(result, id), Result.figures(result, id)} do
      {{:absent, reason}, nil} -> [reason]
      {_memory, %{memory_mb: _} = figures} -> [memory(figures)]
      {_slices, figures} -> [figures.calls | shown(result.row, figures)]
    end
  end

  defp memory(%{memory_mb: python, pool_mb: all}),
    do: "#{Format.figure(:memory_mb, python)}, #{Format.figure(:memory_mb, all)} for the whole pool"

  # What happens between two events is not part of them, so only their duration is shown.
  defp shown(%{kind: :events}, figures), do: [Format.figure(:p50_us, figures.p50_us)]

  defp shown(_row, figures) do
    whole =
      for figure <- [:p50_us, :p99_us, :calls_per_second, :cpu_us], do: Format.figure(figure, figures[figure])

    whole ++
      for whose <- [:beam, :programs, :python, :ended], do: Format.figure(:cpu_us, figures.cpu_of[whose])
  end

  @doc "The sweeps, one line per point."
  @spec sweeps([Result.t()]) :: String.t()
  def sweeps(results) do
    for(%Result{row: %{axis: axis}} = result <- results, axis != nil, do: sweep(result)) |> Enum.join("\n")
  end

  defp sweep(%Result{row: row} = result) do
    head = [row.axis, "system" | @figures]

    rows =
      for {entrant, _measured} <- result.measured, figures = Result.figures(result, entrant.id) do
        [entrant.x, entrant.name | shown(row, figures)]
      end

    "#{row.title}:\n\n" <> table(head, rows)
  end

  defp rows(results), do: Enum.filter(results, &(&1.row.axis == nil))

  defp cell(result, id) do
    case Result.measured(result, id) do
      {:absent, reason} -> reason
      _measured -> Format.figure(result.row.figure, Result.figure(result, id, result.row.figure))
    end
  end

  defp name(%Result{measured: measured}, id) do
    Enum.find_value(measured, fn {entrant, _measured} -> entrant.id == id and entrant.name end)
  end

  # Missing cells at the end of a row are empty.
  defp table(head, rows) do
    width = length(head)

    Enum.map_join([head, List.duplicate("---", width) | rows], fn cells ->
      cells = Enum.take(cells ++ List.duplicate("", width), width)
      "| " <> Enum.map_join(cells, " | ", &to_string/1) <> " |\n"
    end)
  end
end
