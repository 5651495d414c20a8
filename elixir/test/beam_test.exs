defmodule Portpool.BeamTest do
  use Portpool.Test.Case

  alias Portpool.Test.Beam

  # A second VM with a pool, whose workers are busy in different ways.
  @script """
  {:ok, pool} = Portpool.start_link(size: 3, python_path: [hd(System.argv())], wait: :all)
  spawn(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
  spawn(fn -> Portpool.call(pool, :jobs, :with_grandchild, [60]) end)
  busy = fn busy ->
    case Portpool.status(pool) do
      {:ok, %{busy: 2}} -> :ok
      _other -> busy.(busy)
    end
  end
  busy.(busy)
  ready.()
  Process.sleep(:infinity)
  """

  test "a VM that is killed leaves no process behind, a second later at the latest" do
    beam = Beam.start(@script, [python()])
    # The VM and its helper, the server, three workers, a grandchild.
    eventually(fn -> length(ours()) >= 6 end, 5_000)
    signal(beam, "KILL")
    eventually(fn -> ours() == [] end, 1_000)
  end

  test "a VM that halts leaves no process behind" do
    beam = Beam.start(@script, [python()])
    signal(beam, "TERM")
    eventually(fn -> not alive?(beam) end, 10_000)
    eventually(fn -> ours() == [] end, 1_000)
  end
end
