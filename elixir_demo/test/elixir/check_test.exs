defmodule PortpoolDemo.CheckTest do
  use ExUnit.Case, async: true

  import PortpoolDemo.Check, only: [faults: 2]

  # Two couriers on a straight road, three stops each: 1, 2 and 3 to the east, and the same to the west.
  @job %{
    "capacity" => 6,
    "max_vehicles" => 2,
    "depot" => %{"x" => 0, "y" => 0, "earliest" => 0, "latest" => 34},
    "deliveries" =>
      for {side, x} <- [{"east", 1}, {"west", -1}], i <- 1..3 do
        %{
          "id" => "#{side} #{i}",
          "x" => x * i,
          "y" => 0,
          "demand" => 2,
          "earliest" => 10 * i,
          "latest" => 10 * i + 1,
          "service" => 1
        }
      end
  }

  @plan %{
    "feasible" => true,
    "distance" => 12.0,
    "vehicles" => 2,
    "stacks" => [
      %{
        "deliveries" => ["east 1", "east 2", "east 3"],
        "load" => 6,
        "distance" => 6.0,
        "start" => 9.0,
        "end" => 34.0
      },
      %{
        "deliveries" => ["west 1", "west 2", "west 3"],
        "load" => 6,
        "distance" => 6.0,
        "start" => 0.0,
        "end" => 34.0
      }
    ],
    "unassigned" => []
  }

  test "a good plan has no faults" do
    assert faults(@job, @plan) == []
  end

  test "a partial plan that says so has no faults" do
    plan = %{@plan | "feasible" => false, "vehicles" => 1, "distance" => 6.0}
    [east, west] = @plan["stacks"]
    assert faults(@job, %{plan | "stacks" => [east], "unassigned" => west["deliveries"]}) == []
  end

  test "a delivery that is left out, doubled or invented" do
    assert_fault("delivery east 3 is in the plan 0 times", deliveries: ["east 1", "east 2"])

    assert_fault("delivery west 1 is in the plan 2 times",
      deliveries: ["west 1", "east 1", "east 2", "east 3"]
    )

    assert_fault("delivery ghost is not in the job", deliveries: ["east 1", "east 2", "east 3", "ghost"])
    assert_fault("delivery east 1 is in the plan 2 times", %{@plan | "unassigned" => ["east 1"]})
    assert_fault("delivery 7 is not in the job", %{@plan | "unassigned" => [7]})
  end

  test "too much on board, and a load that is not the sum of the demands" do
    assert_fault("courier 1: carries 6, not 5", load: 5)
    assert_fault("courier 1: carries 6, but can carry 5", %{@job | "capacity" => 5}, @plan)
  end

  test "a service that starts too late, by waiting or by the order of the stops" do
    assert_fault("courier 1: serves east 1 at 12.0, after 11", start: 11.0)
    assert_fault("courier 1: serves east 2 at 32.0, after 21", deliveries: ["east 1", "east 3", "east 2"])
  end

  test "a courier who leaves before the depot opens or is back after it has closed" do
    assert_fault("courier 1: leaves at -1.0, before 0", start: -1.0)
    closing = put_in(@job, ["depot", "latest"], 33)
    assert_fault("courier 1: is back at 34.0, after 33", closing, @plan)
  end

  test "a return and a distance that are not what they are said to be" do
    assert_fault("courier 1: is back at 34.0, not at 33.0", end: 33.0)
    assert_fault("courier 1: drives 6.0, not 5.0", distance: 5.0)
    assert_fault("the distance is not the sum", %{@plan | "distance" => 11.0})
  end

  test "more couriers than vehicles, and couriers counted wrong" do
    assert_fault("2 couriers, but 1 vehicles", %{@job | "max_vehicles" => 1}, @plan)
    assert_fault("2 stacks are counted as 1 vehicles", %{@plan | "vehicles" => 1})
  end

  test "a verdict that is not true" do
    assert_fault("feasible is false with 0 deliveries unassigned", %{@plan | "feasible" => false})
  end

  test "what is not a plan at all" do
    for plan <- [nil, 7, [], %{}, %{@plan | "stacks" => [%{}]}, %{@plan | "distance" => "12"}] do
      assert faults(@job, plan) == ["the plan does not have the agreed form"]
    end

    assert_fault("agreed form", deliveries: [])
  end

  defp assert_fault(text, changes) when is_list(changes) do
    changes = Map.new(changes, fn {key, value} -> {Atom.to_string(key), value} end)
    assert_fault(text, update_in(@plan, ["stacks", Access.at(0)], &Map.merge(&1, changes)))
  end

  defp assert_fault(text, plan), do: assert_fault(text, @job, plan)

  defp assert_fault(text, job, plan) do
    faults = faults(job, plan)
    assert Enum.any?(faults, &(&1 =~ text)), "no #{inspect(text)} in #{inspect(faults)}"
  end
end
