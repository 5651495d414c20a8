defmodule PortpoolDemo.Check do
  @moduledoc """
  Checks a plan against its job without trusting the optimiser or its claims about the plan.

  Each delivery is in exactly one stack or unassigned; no courier carries more than the capacity; each service starts
  in its window, where a courier who is early waits; the couriers leave and return while the depot is open; there are
  no more couriers than vehicles; and loads, distances and times are what they are said to be.
  """

  alias PortpoolDemo.Job

  # Differences that rounding explains: absolute, in the job's unit, and relative, for sums of large numbers.
  @tolerance 1.0e-6
  @relative 1.0e-9

  @doc "Returns what is wrong with the plan, as text; an empty list means that all checks pass."
  @spec faults(Job.t(), term) :: [String.t()]
  def faults(job, plan) do
    if form?(plan) do
      assignment(job, plan) ++
        totals(job, plan) ++ Enum.flat_map(Enum.with_index(plan["stacks"], 1), &stack(job, &1))
    else
      ["the plan does not have the agreed form"]
    end
  end

  defp form?(%{"feasible" => feasible, "distance" => distance, "vehicles" => vehicles} = plan)
       when is_boolean(feasible) and is_number(distance) and is_integer(vehicles),
       do:
         is_list(plan["unassigned"]) and is_list(plan["stacks"]) and Enum.all?(plan["stacks"], &stack_form?/1)

  defp form?(_plan), do: false

  defp stack_form?(%{
         "deliveries" => ids,
         "load" => load,
         "distance" => distance,
         "start" => leaves,
         "end" => back
       }),
       do: is_list(ids) and ids != [] and Enum.all?([load, distance, leaves, back], &is_number/1)

  defp stack_form?(_stack), do: false

  defp assignment(job, plan) do
    placed = Enum.frequencies(Enum.flat_map(plan["stacks"], & &1["deliveries"]) ++ plan["unassigned"])
    known = MapSet.new(job["deliveries"], & &1["id"])

    for(
      id <- known,
      (count = Map.get(placed, id, 0)) != 1,
      do: "delivery #{show(id)} is in the plan #{count} times"
    ) ++
      for {id, _count} <- placed, id not in known, do: "delivery #{show(id)} is not in the job"
  end

  defp totals(job, %{"stacks" => stacks} = plan) do
    Enum.reject(
      [
        plan["vehicles"] != length(stacks) &&
          "#{length(stacks)} stacks are counted as #{plan["vehicles"]} vehicles",
        length(stacks) > job["max_vehicles"] &&
          "#{length(stacks)} couriers, but #{job["max_vehicles"]} vehicles",
        far?(plan["distance"], stacks |> Enum.map(& &1["distance"]) |> Enum.sum()) &&
          "the distance is not the sum of the couriers' distances",
        plan["feasible"] != (plan["unassigned"] == []) &&
          "feasible is #{plan["feasible"]} with #{length(plan["unassigned"])} deliveries unassigned"
      ],
      &(&1 == false)
    )
  end

  defp stack(job, {stack, number}) do
    by_id = Map.new(job["deliveries"], &{&1["id"], &1})
    stops = for id <- stack["deliveries"], stop = by_id[id], do: stop
    Enum.map(load(job, stack, stops) ++ drive(job, stack, stops), &"courier #{number}: #{&1}")
  end

  defp load(job, stack, stops) do
    load = stops |> Enum.map(& &1["demand"]) |> Enum.sum()

    over =
      if after?(load, job["capacity"]), do: ["carries #{load}, but can carry #{job["capacity"]}"], else: []

    said = if far?(load, stack["load"]), do: ["carries #{load}, not #{stack["load"]}"], else: []
    over ++ said
  end

  # The courier drives from the depot through the stops and back: one step a place, with the clock running.
  defp drive(%{"depot" => depot}, stack, stops) do
    courier = %{place: depot, clock: stack["start"], distance: 0.0, faults: early(depot, stack["start"])}
    courier = stops |> Enum.reduce(courier, &serve/2) |> go(depot)

    courier.faults ++
      late(courier.clock, depot, "is back") ++
      if(far?(courier.clock, stack["end"]),
        do: ["is back at #{courier.clock}, not at #{stack["end"]}"],
        else: []
      ) ++
      if(far?(courier.distance, stack["distance"]),
        do: ["drives #{courier.distance}, not #{stack["distance"]}"],
        else: []
      )
  end

  defp serve(stop, courier) do
    courier = go(courier, stop)
    start = max(courier.clock, stop["earliest"])
    faults = courier.faults ++ late(start, stop, "serves #{show(stop["id"])}")
    %{courier | clock: start + stop["service"], faults: faults}
  end

  defp go(%{place: from} = courier, to) do
    leg = :math.sqrt(square(from["x"] - to["x"]) + square(from["y"] - to["y"]))
    %{courier | place: to, clock: courier.clock + leg, distance: courier.distance + leg}
  end

  defp square(number), do: number * number * 1.0

  defp early(depot, leaves) do
    if leaves < depot["earliest"], do: ["leaves at #{leaves}, before #{depot["earliest"]}"], else: []
  end

  defp late(time, place, what) do
    if after?(time, place["latest"]), do: ["#{what} at #{time}, after #{place["latest"]}"], else: []
  end

  defp after?(number, limit), do: number - limit > slack(limit)
  defp far?(number, said), do: abs(number - said) > slack(said)
  defp slack(number), do: @tolerance + @relative * abs(number)

  defp show(id) when is_binary(id), do: id
  defp show(id), do: inspect(id)
end
