defmodule PortpoolDemo.PoolTest do
  use ExUnit.Case

  alias PortpoolDemo.{Check, Job, Planned}

  @pool PortpoolDemo.Python

  test "every bundled job is planned, feasible and passes the check" do
    jobs = bundled(0.3)
    assert length(jobs) >= 4
    outcomes = @pool |> Planned.stream(jobs) |> Enum.to_list()
    assert length(outcomes) == length(jobs)

    for {:ok, %Planned{} = planned} <- outcomes do
      assert length(planned.job["deliveries"]) >= 100
      assert {planned.name, planned.faults, planned.plan["feasible"]} == {planned.name, [], true}
    end
  end

  test "jobs that are planned at once are planned by two workers at the same time" do
    [{:ok, first}, {:ok, second}] = @pool |> Planned.stream(Enum.take(bundled(1), 2)) |> Enum.to_list()
    assert first.worker != second.worker
    assert first.begun < second.ended and second.begun < first.ended

    {:ok, %{workers: workers}} = Portpool.status(@pool)
    pids = Enum.map(workers, & &1.pid)
    assert first.worker in pids and second.worker in pids
  end

  test "a plan that is damaged on its way does not pass the check" do
    {:ok, %Planned{job: job, plan: plan}} = Planned.plan(@pool, hd(bundled(0.3)))
    assert Check.faults(job, plan) == []

    for damage <- [
          &update_in(&1, ["stacks", Access.at(0), "deliveries"], fn ids -> tl(ids) end),
          &update_in(&1, ["stacks", Access.at(0), "deliveries"], fn ids -> ids ++ [hd(ids)] end),
          &update_in(&1, ["stacks", Access.at(0), "deliveries"], fn ids -> Enum.reverse(ids) end),
          &update_in(&1, ["stacks"], fn [a, b | rest] -> [join(a, b) | rest] end),
          &update_in(&1, ["stacks", Access.at(0), "start"], fn start -> start + 240 end),
          &update_in(&1, ["distance"], fn distance -> distance * 0.99 end)
        ] do
      assert Check.faults(job, damage.(plan)) != []
    end
  end

  test "a job that is too large for its couriers gets a partial plan that passes the check" do
    {name, job} = hd(bundled(0.5))
    {:ok, planned} = Planned.plan(@pool, {name, %{job | "max_vehicles" => 2}})
    assert planned.faults == []
    assert planned.plan["feasible"] == false
    assert length(planned.plan["unassigned"]) in 1..(length(job["deliveries"]) - 1)
  end

  test "a job that cannot be right is an error that names the delivery" do
    {name, job} = hd(bundled(0.3))
    broken = put_in(job, ["deliveries", Access.at(2), "demand"], -4)
    id = Enum.at(job["deliveries"], 2)["id"]

    assert {:error, {^name, %Portpool.Error{reason: :exception} = error}} =
             Planned.plan(@pool, {name, broken})

    assert error.message =~ ~s|deliveries[2] (id "#{id}"): "demand" is -4, but it must be 0 or more|
    assert error.detail.type =~ "ValueError"

    assert {:error, {"x", %Portpool.Error{reason: :exception, message: message}}} =
             Planned.plan(@pool, {"x", [1]})

    assert message =~ "job: a list of 1 is not an object with fields"
  end

  test "the optimiser takes JSON text and gives JSON text" do
    text = File.read!(hd(Job.bundled()))
    short = String.replace(text, ~s|"seconds": 2|, ~s|"seconds": 0.3|)
    plan = Portpool.call!(@pool, :auto_stacking, :optimize, [short])
    job = Portpool.call!(@pool, :json, :loads, [text])
    assert Check.faults(job, Portpool.call!(@pool, :json, :loads, [plan])) == []
  end

  defp bundled(seconds) do
    for path <- Job.bundled() do
      {:ok, {name, job}} = Job.read(@pool, path)
      {name, Map.put(job, "seconds", seconds)}
    end
  end

  defp join(a, b),
    do: %{a | "deliveries" => a["deliveries"] ++ b["deliveries"], "load" => a["load"] + b["load"]}
end
