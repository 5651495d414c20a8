defmodule Bench.Settings do
  @moduledoc "The settings of a run, from the command line and the environment."

  @switches [
    quick: :boolean,
    once: :boolean,
    only: :keep,
    json: :string,
    docs: :string,
    help: :boolean
  ]

  @help """
  Compare Portpool with ErlPort + Poolboy and with plain echo programs, taking turns in one run.

  Usage: make bench [ARGS="OPTIONS"]

  Options:
    --quick       Take fewer samples; under two minutes
    --once        Run everything once, to check that the benchmark works; measures nothing
    --only ROW    Run only this row; repeatable; an unknown name lists all rows
    --json FILE   Write all figures, including those of each slice
    --docs FILE   Put the tables into FILE, between `<!-- bench -->` and `<!-- /bench -->`
    --help        Print this help

  Environment:
    PYTHON        The interpreter for both sides; some rows need numpy and pandas in it
    ERLPORT_EBIN  The directory of ErlPort's compiled code, with its `priv` next to it
    POOLBOY_EBIN  The directory of Poolboy's compiled code
  """

  @modes %{
    full: %{rounds: 40, slice_ms: 120, events: 11, growth: %{rounds: 9, slice_ms: 120}},
    quick: %{rounds: 7, slice_ms: 50, events: 3, growth: %{rounds: 3, slice_ms: 40}},
    once: %{rounds: 1, slice_ms: 0, events: 1, growth: %{rounds: 1, slice_ms: 0}}
  }

  @enforce_keys [:mode, :rounds, :slice_ms, :events, :growth]
  defstruct [:mode, :rounds, :slice_ms, :events, :growth, :examples, :peer, :json, :docs] ++
              [only: [], python: "python3", say: &__MODULE__.silent/1]

  @typedoc """
  `rounds`: in each, every system has one slice of `slice_ms`. `events`: the rounds of rows where a slice is one event. `growth`: both,
  for the sweeps. `peer`: the two directories, or `nil`. `say` is called with the progress messages.
  """
  @type t :: %__MODULE__{}

  @doc "Returns the settings, or the exit status and the text to print."
  @spec parse([String.t()], %{String.t() => String.t()}) :: {:ok, t} | {:stop, 0 | 2, String.t()}
  def parse(argv, env) do
    case OptionParser.parse(argv, strict: @switches) do
      {options, [], []} -> if options[:help], do: {:stop, 0, @help}, else: {:ok, settings(options, env)}
      {_options, more, wrong} -> {:stop, 2, "unexpected argument: #{shown(more, wrong)}\n\n" <> @help}
    end
  end

  defp shown(more, wrong), do: Enum.join(more ++ Enum.map(wrong, &elem(&1, 0)), " ")

  defp settings(options, env) do
    mode(options)
    |> new()
    |> struct!(
      python: Map.get(env, "PORTPOOL_TEST_PYTHON", "python3"),
      examples: env["PORTPOOL_EXAMPLES"],
      peer: peer(env),
      only: Keyword.get_values(options, :only),
      json: path(options[:json], env),
      docs: path(options[:docs], env),
      say: &IO.write(:stderr, &1)
    )
  end

  # File names are relative to the directory that make was called in.
  defp path(nil, _env), do: nil
  defp path(name, env), do: Path.expand(name, Map.get(env, "PORTPOOL_BENCH_ROOT", "."))

  defp mode(options) do
    cond do
      options[:once] -> :once
      options[:quick] -> :quick
      true -> :full
    end
  end

  @doc "The settings of a mode, without those from the environment."
  @spec new(:full | :quick | :once) :: t
  def new(mode), do: struct!(__MODULE__, Map.put(Map.fetch!(@modes, mode), :mode, mode))

  defp peer(%{"ERLPORT_EBIN" => erlport, "POOLBOY_EBIN" => poolboy}) when erlport != "" and poolboy != "",
    do: [erlport, poolboy]

  defp peer(_env), do: nil

  @doc "The directory of the benchmark's Python modules."
  @spec python_path() :: Path.t()
  def python_path, do: Path.expand("../python", __DIR__)

  @doc false
  def silent(_text), do: :ok
end
