defmodule Bench.Settings do
  @moduledoc "The command line and the environment, and what they mean for a run."

  @switches [
    quick: :boolean,
    once: :boolean,
    only: :keep,
    json: :string,
    docs: :string,
    help: :boolean
  ]

  @help """
  make bench [ARGS="..."]: Portpool beside ErlPort + Poolboy and beside plain echoes, in turn in one run.

    --quick       less of everything, in under two minutes
    --once        each thing once: shows that the benchmark works, and measures nothing
    --only ROW    this row (several times: these rows); a name that is not known lists them
    --json FILE   writes all figures, those of each slice too
    --docs FILE   puts the tables into a document, between `<!-- bench -->` and `<!-- /bench -->`

  Environment: PYTHON, the interpreter of both sides, with numpy and pandas for the rows that need them; ERLPORT_EBIN and
  POOLBOY_EBIN, directories with the compiled code of ErlPort (`priv` beside it) and of Poolboy.
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
  How much is measured: `rounds`, in each of which every system has one slice of `slice_ms`, or `events` rounds where one slice is one
  event; `growth` has both for the sweeps. `peer`: the two directories, or `nil`. `say` gets what is told while it runs.
  """
  @type t :: %__MODULE__{}

  @doc "Returns the settings, or the text to print and the exit status."
  @spec parse([String.t()], %{String.t() => String.t()}) :: {:ok, t} | {:stop, 0 | 2, String.t()}
  def parse(argv, env) do
    case OptionParser.parse(argv, strict: @switches) do
      {options, [], []} -> if options[:help], do: {:stop, 0, @help}, else: {:ok, settings(options, env)}
      {_options, more, wrong} -> {:stop, 2, "not understood: #{shown(more, wrong)}\n\n" <> @help}
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

  # Names of files start where make was called.
  defp path(nil, _env), do: nil
  defp path(name, env), do: Path.expand(name, Map.get(env, "PORTPOOL_BENCH_ROOT", "."))

  defp mode(options) do
    cond do
      options[:once] -> :once
      options[:quick] -> :quick
      true -> :full
    end
  end

  @doc "The settings of a mode, without what the environment gives."
  @spec new(:full | :quick | :once) :: t
  def new(mode), do: struct!(__MODULE__, Map.put(Map.fetch!(@modes, mode), :mode, mode))

  defp peer(%{"ERLPORT_EBIN" => erlport, "POOLBOY_EBIN" => poolboy}) when erlport != "" and poolboy != "",
    do: [erlport, poolboy]

  defp peer(_env), do: nil

  @doc "The directory of the Python modules of the benchmark."
  @spec python_path() :: Path.t()
  def python_path, do: Path.expand("../python", __DIR__)

  @doc false
  def silent(_text), do: :ok
end
