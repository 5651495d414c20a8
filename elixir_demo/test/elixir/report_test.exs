defmodule PortpoolDemo.ReportTest do
  use ExUnit.Case, async: true

  alias PortpoolDemo.{Planned, Report, Table}

  @planned %Planned{
    name: "Old Town",
    job: %{
      "unit" => "minutes",
      "capacity" => 60,
      "max_vehicles" => 3,
      "deliveries" => [%{"id" => "a"}, %{"id" => 7}, %{"id" => "c"}]
    },
    plan: %{
      "feasible" => false,
      "distance" => 20.04,
      "vehicles" => 1,
      "stacks" => [
        %{"deliveries" => ["a", 7], "load" => 12, "distance" => 20.04, "start" => 450.2, "end" => 1505.0}
      ],
      "unassigned" => ["c"]
    },
    worker: 4711,
    begun: 1000,
    ended: 3100,
    faults: []
  }

  test "a table aligns its columns" do
    assert Table.render([{"Job", :left}, {"Stops", :right}], [["a", "1"], ["longer", "200"]]) ==
             """
               Job     Stops
               ──────  ─────
               a           1
               longer    200\
             """
  end

  test "a cell cannot break the table, and is cut where it is long" do
    table = Table.render([{"Job", :left}], [["a\nb"], [String.duplicate("x", 90)]])
    assert length(String.split(table, "\n")) == 4
    assert table =~ String.duplicate("x", 59) <> "…"
    refute table =~ String.duplicate("x", 60)
  end

  test "times are times of the day if the unit is the minute, past midnight too, else numbers" do
    minutes = %{"unit" => "minutes"}
    assert Report.time(450.2, minutes) == "07:30"
    assert Report.time(0, minutes) == "00:00"
    assert Report.time(1505, minutes) == "25:05"
    assert Report.time(-3, minutes) == "-3.0"
    assert Report.time(450.26, %{}) == "450.3"
    assert Report.time(nil, minutes) == "–"
  end

  test "the summary says how much is planned, by whom, and whether it was checked" do
    assert Report.summary([@planned]) =~
             ~r"Old Town +3 +2 +1 of 3 +20\.0 min +07:30 +25:05 +2\.1 s +partial +passed"

    assert Report.summary([%{@planned | faults: ["x"]}]) =~ "FAILED"
  end

  test "a job without deliveries has a line too" do
    plan = %{"feasible" => true, "distance" => 0.0, "vehicles" => 0, "stacks" => [], "unassigned" => []}
    empty = %{@planned | job: %{"max_vehicles" => 0, "deliveries" => [], "capacity" => 0}, plan: plan}
    assert Report.summary([empty]) =~ ~r"Old Town +0 +0 +0 of 0 +0\.0 +– +– +2\.1 s +feasible +passed"
    assert Report.routes(empty) =~ "Courier"
  end

  test "the routes say who carries what, when and where first" do
    assert Report.routes(@planned) =~ ~r"1 +2 +12/60 +07:30 +25:05 +20\.0 min +a → 7"
  end

  test "the workers are shown with what each did, in order" do
    second = %{@planned | name: "Harbour", begun: 3200, ended: 5000}
    other = %{@planned | name: "Hillside", worker: 4712, begun: 1100}

    assert Report.workers([second, other, @planned]) == """
             worker 4711: Old Town 0.0 s–2.1 s, Harbour 2.2 s–4.0 s
             worker 4712: Hillside 0.1 s–2.1 s\
           """
  end

  test "what is unassigned and what is wrong is said" do
    assert Report.remarks(%{@planned | faults: ["bad"]}) ==
             ["Old Town: 1 unassigned: c", "Old Town: check failed: bad"]
  end
end
