defmodule PortpoolDemo.Report do
  @moduledoc "Formats outcomes for people. Pure functions that return text."

  alias PortpoolDemo.{Planned, Table}

  # The number of stop ids shown.
  @shown 4

  @doc "One line per job: how much is planned, with how many couriers, the distance, and the result of the check."
  @spec summary([Planned.t()]) :: String.t()
  def summary(all) do
    columns = [
      {"Job", :left},
      {"Deliveries", :right},
      {"Planned", :right},
      {"Couriers", :right},
      {"Distance", :right},
      {"First out", :right},
      {"Last back", :right},
      {"Took", :right},
      {"Plan", :left},
      {"Check", :left}
    ]

    Table.render(columns, Enum.map(all, &summary_row/1))
  end

  defp summary_row(%Planned{job: job, plan: plan} = planned) do
    total = length(job["deliveries"])
    stacks = plan["stacks"]

    [
      planned.name,
      "#{total}",
      "#{total - length(plan["unassigned"])}",
      "#{length(stacks)} of #{job["max_vehicles"]}",
      distance(plan["distance"], job),
      stacks |> Enum.map(& &1["start"]) |> Enum.min(fn -> nil end) |> time(job),
      stacks |> Enum.map(& &1["end"]) |> Enum.max(fn -> nil end) |> time(job),
      seconds(planned.ended - planned.begun),
      if(plan["feasible"], do: "feasible", else: "partial"),
      if(planned.faults == [], do: "passed", else: "FAILED")
    ]
  end

  @doc "One line per courier: the number of stops, the load, the times of departure and return, and the first stops."
  @spec routes(Planned.t()) :: String.t()
  def routes(%Planned{job: job, plan: plan}) do
    columns = [
      {"Courier", :right},
      {"Stops", :right},
      {"Load", :right},
      {"Leaves", :right},
      {"Back", :right},
      {"Distance", :right},
      {"First stops", :left}
    ]

    rows =
      for {stack, number} <- Enum.with_index(plan["stacks"], 1) do
        [
          "#{number}",
          "#{length(stack["deliveries"])}",
          "#{stack["load"]}/#{job["capacity"]}",
          time(stack["start"], job),
          time(stack["end"], job),
          distance(stack["distance"], job),
          ids(stack["deliveries"], " → ")
        ]
      end

    Table.render(columns, rows)
  end

  @doc "What each worker did, and when, in seconds since the first one began."
  @spec workers([Planned.t()]) :: String.t()
  def workers(all) do
    zero = all |> Enum.map(& &1.begun) |> Enum.min(fn -> 0 end)

    all
    |> Enum.sort_by(& &1.begun)
    |> Enum.group_by(& &1.worker)
    |> Enum.sort_by(fn {_worker, [first | _rest]} -> first.begun end)
    |> Enum.map_join("\n", fn {worker, done} ->
      "  worker #{worker}: " <> Enum.map_join(done, ", ", &span(&1, zero))
    end)
  end

  defp span(planned, zero),
    do: "#{planned.name} #{seconds(planned.begun - zero)}–#{seconds(planned.ended - zero)}"

  @doc "Remarks on a plan: unassigned deliveries and faults."
  @spec remarks(Planned.t()) :: [String.t()]
  def remarks(%Planned{name: name, plan: plan, faults: faults}) do
    unassigned = plan["unassigned"]

    left =
      if unassigned == [],
        do: [],
        else: ["#{name}: #{length(unassigned)} unassigned: #{ids(unassigned, ", ")}"]

    left ++ Enum.map(faults, &"#{name}: check failed: #{&1}")
  end

  @doc "A time of a job: as time of day if the unit of the job is the minute, otherwise as a number."
  @spec time(number | nil, map) :: String.t()
  def time(nil, _job), do: "–"

  def time(time, %{"unit" => "minutes"}) when time >= 0 do
    minutes = round(time)
    pad = &String.pad_leading("#{&1}", 2, "0")
    "#{pad.(div(minutes, 60))}:#{pad.(rem(minutes, 60))}"
  end

  def time(time, _job), do: decimal(time)

  defp distance(distance, %{"unit" => "minutes"}), do: decimal(distance) <> " min"
  defp distance(distance, _job), do: decimal(distance)

  defp seconds(ms), do: decimal(ms / 1000) <> " s"

  defp decimal(number), do: :erlang.float_to_binary(number * 1.0, decimals: 1)

  defp ids(ids, separator) do
    {first, rest} = Enum.split(ids, @shown)
    more = if rest == [], do: "", else: "#{separator}… #{length(rest)} more"
    Enum.map_join(first, separator, &if(is_binary(&1), do: &1, else: inspect(&1))) <> more
  end
end
