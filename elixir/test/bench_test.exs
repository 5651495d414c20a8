defmodule Portpool.BenchTest do
  # The benchmark of `make bench`, with each thing once: that it runs, and that its sums are right. No time is looked at.
  use Portpool.Test.Case

  alias Bench.{Cpu, Docs, Entrant, Format, Goal, Report, Result, Row}
  alias Bench.{Settings, Slice, Statistics, Systems, Work}

  @python System.get_env("PORTPOOL_TEST_PYTHON") || "python3"

  defp settings, do: %{Settings.new(:once) | python: @python, examples: System.get_env("PORTPOOL_EXAMPLES")}

  defp slice(round, times, elapsed, python \\ 0) do
    cpu = %{beam: 0, programs: 0, python: python, ended: 0}
    %Slice{round: round, times: times, elapsed: elapsed, cpu: cpu}
  end

  defp result(measured, row \\ []) do
    measured = for {id, what} <- measured, do: {entrant(id), what}
    %Result{row: struct!(%Row{id: "row", title: "a row", entrants: []}, row), measured: measured}
  end

  defp entrant(id), do: %Entrant{id: id, name: "#{id}", system: nil, pool: [], work: nil}

  defp assert_measured(Systems.ErlPort, measured), do: assert({:absent, _reason} = measured)
  defp assert_measured(Systems.Echo, [%Slice{times: [_]}]), do: :ok

  defp assert_measured(Systems.Echo, measured),
    do: assert({{:absent, "not found"}, nil} == {measured, settings().examples})

  defp assert_measured(Systems.Portpool, {:memory, python, all}),
    do: assert(python > 1_000_000 and all > python)

  defp assert_measured(Systems.Portpool, measured), do: assert([%Slice{times: [_ | _]}] = measured)

  @tag timeout: 300_000
  test "every row is measured, without the peers, and the figures of all are in the tables and in the file" do
    rows = Bench.rows(["json", "decimal"])
    facts = Bench.Machine.facts(settings())
    results = Bench.run(rows, settings())

    for result <- results,
        {entrant, measured} <- result.measured,
        do: assert_measured(entrant.system, measured)

    path = Path.join(System.tmp_dir!(), "portpool-bench-#{System.pid()}.json")
    on_exit(fn -> File.rm(path) end)
    :ok = Report.write(path, results, facts, settings())
    text = Bench.markdown(results, facts) <> Bench.Table.sweeps(results)

    for row <- rows do
      assert text =~ row.title
      assert File.read!(path) =~ ~s("id": "#{row.id}")
    end

    assert text =~ "ErlPort + Poolboy: **not measured**"
  end

  test "a ratio is the median over the rounds that both took part in" do
    ours = for {round, time} <- [{1, 10}, {2, 20}, {3, 60}, {4, 1}], do: slice(round, [time], 100)
    theirs = for {round, time} <- [{1, 10}, {2, 10}, {3, 10}, {5, 1}], do: slice(round, [time], 100)
    assert Statistics.ratio(ours, theirs, :p50_us) == 2.0
    assert Statistics.ratio(ours, [], :p50_us) == nil
  end

  test "p50 and the rate are medians of the slices, p99 is over all calls, processor time the mean of a call" do
    slices = [
      slice(1, Enum.to_list(1_000..100_000//1_000), 1_000_000, 300_000),
      slice(2, [50_000], 1_000_000_000)
    ]

    figures = Statistics.figures(slices)
    assert %{calls: 101, p50_us: 50.25, p99_us: 99.0} = figures
    assert_in_delta figures.calls_per_second, (100_000 + 1) / 2, 0.01
    assert_in_delta figures.cpu_us, 300 / 101, 0.001
    assert %{p99_us: nil} = Statistics.figures([slice(1, [1, 2, 3], 10)])
  end

  test "a goal is met, missed, or not measured" do
    both = result(a: [slice(1, [20_000], 100)], b: [slice(1, [10_000], 100)])
    assert {2.0, :met} = Goal.judge(Goal.times(:p50_us, :b, :at_most, 2), both)
    assert {2.0, :missed} = Goal.judge(Goal.times(:p50_us, :b, :at_most, 1.9), both)
    assert {1.0, :missed} = Goal.judge(Goal.times(:calls_per_second, :b, :at_least, 3), both)
    assert {20.0, :met} = Goal.judge(Goal.most(:p50_us, 20), both)
    alone = result(a: [slice(1, [20_000], 100)], b: {:absent, "not found"})
    assert {nil, :unknown} = Goal.judge(Goal.times(:p50_us, :b, :at_most, 2), alone)
  end

  test "better is less time and less memory, but more calls" do
    slices = [a: [slice(1, [20_000], 50)], b: [slice(1, [10_000], 100)]]
    assert Result.better?(result(slices, figure: :calls_per_second), :b)
    refute Result.better?(result(slices), :b)
    assert Result.better?(result([a: {:memory, 1, 2}, b: {:memory, 2, 2}], figure: :memory_mb), :b)
  end

  test "the processor time of a descendant counts while it lives and when it has ended" do
    spend = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    count = Cpu.start()

    port =
      Port.open({:spawn_executable, System.find_executable(@python)}, [
        :binary,
        :exit_status,
        args: ["-c", spend]
      ])

    assert_receive {^port, {:data, _spent}}, 10_000
    assert %{python: python} = Cpu.spent(count)
    assert python >= 200_000_000
    Port.command(port, "\n")
    assert_receive {^port, {:exit_status, 0}}, 5_000
    assert %{python: 0, ended: ended} = Cpu.spent(count)
    # It is told in steps of 10 ms.
    assert ended >= 190_000_000
  end

  test "a row for which Python lacks a module says so" do
    [row] = for %Row{id: "ready"} = row <- Bench.rows(["no_such_module"]), do: row

    assert Bench.markdown([Bench.Contest.run(row, settings())], []) =~
             "not measured: this Python lacks no_such_module"
  end

  test "a system whose answer is wrong stops the benchmark" do
    Process.flag(:trap_exit, true)
    {:ok, pool} = Systems.Portpool.start([size: 1], settings())
    wrong = Work.call(:operator, :add, fn _system -> [1, 2] end, 4)
    assert_raise MatchError, fn -> wrong.verify.(Systems.Portpool, pool) end
    :ok = Systems.Portpool.stop(pool)
    assert_receive {:EXIT, ^pool, _reason}
  end

  test "figures are told in three digits with a unit that fits" do
    assert Enum.map([0.002, 9.994, 31.26, 412.0, 1_530.0, 17.2e6], &Format.figure(:p50_us, &1)) ==
             ["0", "9.99 µs", "31.3 µs", "412 µs", "1.53 ms", "17.2 s"]

    assert Format.figure(:calls_per_second, 1_234_567.0) == "1,234,567"
    assert Format.ratio(0.00714) == "0.0071 x"
  end

  test "wrong words on the command line are named, and a row that is not known lists the rows" do
    assert {:ok, %Settings{mode: :quick, only: ["maps"]}} = Settings.parse(["--quick", "--only", "maps"], %{})
    assert {:stop, 2, "unexpected argument: --fast" <> _} = Settings.parse(["--fast"], %{})
    assert {:stop, 0, help} = Settings.parse(["--help"], %{})
    assert help =~ "ERLPORT_EBIN"
    assert {:stop, 2, "unknown row map; the rows are: small," <> _} = Bench.choose(["map"])
  end

  test "tables replace those that a document has, and nothing else" do
    path = Path.join(System.tmp_dir!(), "portpool-bench-#{System.pid()}.md")
    on_exit(fn -> File.rm(path) end)
    File.write!(path, "before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    :ok = Docs.put(path, "new\n")
    assert File.read!(path) == "before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n"
    File.write!(path, "no marks")
    assert_raise RuntimeError, fn -> Docs.put(path, "new\n") end
  end
end
