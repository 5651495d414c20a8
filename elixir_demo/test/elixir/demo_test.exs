defmodule Mix.Tasks.DemoTest do
  use ExUnit.Case

  import ExUnit.CaptureIO

  @moduletag :tmp_dir

  test "one's own job is planned, checked and shown", %{tmp_dir: dir} do
    assert {0, out, ""} = demo([job(dir, "mine.json", delivery("K-1") <> "," <> delivery(17))])
    assert out =~ "Planning 1 job at once on a pool of"
    assert out =~ ~r"mine +2 +2 +1 of 2 +10\.0 +\d+\.\d +\d+\.\d +\d+\.\d s +feasible +passed"
    assert out =~ "K-1"
    assert out =~ "17"
  end

  test "what a job is called and what its ids are cannot command the terminal", %{tmp_dir: dir} do
    hostile = String.replace(delivery("K"), ~s|"K"|, ~S|"\u001b[2J"|)
    assert {0, out, ""} = demo([job(dir, "a\e[2J.json", hostile), job(dir, "b.json", hostile)])
    assert out =~ "a?[2J"
    assert out =~ "?[2J"
    refute out =~ "\e"
  end

  test "a job that cannot be right is told in one line, and the others are planned", %{tmp_dir: dir} do
    bad = job(dir, "bad.json", delivery("K-1") <> "," <> String.replace(delivery("K-2"), "50", "-50"))
    good = job(dir, "good.json", delivery("K-1"))

    assert {1, out, err} = demo([bad, good])
    assert err =~ ~s|bad: ValueError: deliveries[1] (id "K-2"): the window is the wrong way round|
    refute err =~ "Traceback"
    assert out =~ ~r"good +1 +1"
  end

  test "a file that is missing or no JSON is told", %{tmp_dir: dir} do
    path = Path.join(dir, "text.json")
    File.write!(path, "{deliveries}")
    assert {1, _out, err} = demo([path, Path.join(dir, "none.json")])
    assert err =~ "none.json: no such file or directory"
    assert err =~ ~r"text.json: .*Expecting property name"
  end

  defp demo(args) do
    parent = self()

    err =
      capture_io(:stderr, fn ->
        out = capture_io(fn -> send(parent, {:status, status(args)}) end)
        send(parent, {:out, out})
      end)

    assert_received {:status, status}
    assert_received {:out, out}
    {status, out, err}
  end

  defp status(args) do
    Mix.Tasks.Demo.run(args)
    0
  catch
    :exit, {:shutdown, status} -> status
  end

  defp job(dir, name, deliveries) do
    path = Path.join(dir, name)

    File.write!(path, """
    {"capacity": 10, "max_vehicles": 2, "seconds": 0.1, "depot": {"x": 0, "y": 0, "earliest": 0, "latest": 100},
     "deliveries": [#{deliveries}]}
    """)

    path
  end

  defp delivery(id) do
    ~s|{"id": #{inspect(id)}, "x": 3, "y": 4, "demand": 2, "earliest": 10, "latest": 50, "service": 1}|
  end
end
