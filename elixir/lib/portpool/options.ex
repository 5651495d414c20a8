defmodule Portpool.Options do
  @moduledoc false

  # The options of a pool and of a call: one table validates them, documents them and makes of them what the server
  # is told (docs/protocol.md 7). A row is `{key, type, default, unit and meaning}`.

  alias Portpool.{Binary, Config, Error}
  alias Portpool.Options.Type

  @pool [
    {:name, :name, nil, "the name to register: an atom, `{:global, term}` or `{:via, module, term}`"},
    {:size, {:integer, 1..1024, [:auto]}, :auto,
     "workers that are always there; `:auto` is the number of processors that may be used"},
    {:max_overflow, {:integer, 0..1024, []}, 0, "workers beyond `size` that are started while calls wait"},
    {:overflow_ttl, :ms, 30_000, "ms; how long an idle overflow worker stays"},
    {:checkout_timeout, :ms_or_infinity, 5_000, "ms; the longest wait for a worker"},
    {:timeout, :ms_or_infinity, 60_000, "ms; the longest run of a call, from the moment a worker gets it"},
    {:start_timeout, :ms, 30_000, "ms; the longest start of a worker"},
    {:wait, {:one_of, [:none, :first, :all]}, :first,
     "the workers that `start_link/1` waits for, within `start_timeout`"},
    {:max_queue, {:integer, 0..1_000_000, []}, 1_000,
     "calls that may wait; one more is refused with `:queue_full`"},
    {:max_queue_bytes, {:integer, 0..0xFFFFFFFFFFFF, []}, 268_435_456,
     "bytes; encoded calls that may wait, likewise"},
    {:max_frame, {:integer, 1024..0x7FFFFFFF, []}, 67_108_864,
     "bytes; the largest call and the largest reply"},
    {:binaries, {:one_of, [:str, :bytes]}, :str,
     "what a binary becomes in Python: `:str`, which must be UTF-8, or `:bytes`; see `Portpool.bytes/1`"},
    {:none, {:one_of, [nil, :undefined]}, nil,
     "the atom that is Python's `None`, both ways; the other one is an atom like any other"},
    {:python, :program, "python3", "the interpreter: a path, or a name that is looked up in `PATH`"},
    {:python_path, :paths, [],
     "directories before Python's own `sys.path`, in this order; a relative one starts at the current directory (`Application.app_dir/2` names those of an application)"},
    {:env, :env, %{},
     "map, keyword list or list of pairs; environment of the workers on top of this one; `false` removes a variable"},
    {:cd, :path, nil, "the working directory of the workers; the current one if it is not given"},
    {:binary, :path, nil,
     "the server program; else the environment variable `PORTPOOL_BINARY`, else `priv/portpool`"},
    {:shutdown, :shutdown, 5_000,
     "ms, `:infinity` or `:brutal_kill`; what a supervisor gives the pool to stop"}
  ]

  @call [
    {:timeout, :ms_or_infinity, "the pool's", "ms; the longest run, from the moment a worker gets the call"},
    {:checkout_timeout, :ms_or_infinity, "the pool's",
     "ms; the longest wait for a worker; 0 means: only if one is idle now"},
    {:binaries, {:one_of, [:str, :bytes]}, "the pool's", "as above"},
    {:none, {:one_of, [nil, :undefined]}, "the pool's", "as above"},
    {:max_frame, {:integer, 1024..0x7FFFFFFF, []}, "the pool's",
     "bytes; the largest request and the largest reply of this call, if less than the pool's"},
    {:kwargs, :kwargs, %{}, "map or keyword list; arguments by keyword, on top of `args`"}
  ]

  # These are told only where they differ from the default: a server that does not know them does just that.
  @terms [:binaries, :none]

  # These concern this side alone.
  @local [:name, :binary, :shutdown, :started]

  @tables %{pool: @pool, call: @call}

  @doc "Validates the options of a pool and fills in the defaults."
  @spec pool(term) :: {:ok, Config.t()} | {:error, Error.t()}
  def pool(options) do
    with {:ok, given} <- validate(options, @pool),
         config = Map.merge(defaults(), given),
         {:ok, binary} <- Binary.find(config.binary) do
      {:ok, struct!(Config, Map.merge(config, %{binary: binary, started: :atomics.new(1, [])}))}
    end
  end

  @doc "Validates the options of a call: those given, as docs/protocol.md 7.3 has them."
  @spec call(term) :: {:ok, map} | {:error, Error.t()}
  def call([]), do: {:ok, %{}}
  def call(options), do: validate(options, @call)

  @doc "Returns the options that the server is told."
  @spec hello(Config.t()) :: map
  def hello(config) do
    for {key, value} <- Map.from_struct(config),
        key not in @local,
        told?(key, value),
        into: %{},
        do: {key, value}
  end

  defp told?(key, value) when key in @terms, do: value != default(key)
  defp told?(_key, value), do: value != nil

  @doc """
  Returns how many calls and bytes may be in flight: twice what the server would hold at most.

  A server that reads refuses what is too much by itself; these limits are for one that does not.
  """
  @spec limits(Config.t()) :: {pos_integer, pos_integer}
  def limits(config) do
    workers = workers(config.size) + config.max_overflow
    {2 * (config.max_queue + workers), 2 * (config.max_queue_bytes + workers * config.max_frame)}
  end

  # The server counts the processors for itself, in much the same way.
  defp workers(:auto), do: System.schedulers_online()
  defp workers(size), do: size

  @doc "Returns the default of an option of a pool."
  @spec default(atom) :: term
  def default(key), do: Map.fetch!(defaults(), key)

  defp defaults, do: Map.new(@pool, fn {key, _type, default, _doc} -> {key, default} end)

  defp validate(options, table) do
    if Keyword.keyword?(options), do: reduce(options, table), else: {:error, no_keywords(options)}
  end

  defp reduce(options, table) do
    Enum.reduce_while(options, {:ok, %{}}, fn {key, value}, {:ok, valid} ->
      case option(key, value, valid, table) do
        {:ok, checked} -> {:cont, {:ok, Map.put(valid, key, checked)}}
        {:error, message} -> {:halt, {:error, refused(key, message)}}
      end
    end)
  end

  defp option(key, _value, valid, _table) when is_map_key(valid, key), do: {:error, "is given twice"}

  defp option(key, value, _valid, table) do
    case List.keyfind(table, key, 0) do
      {_key, type, _default, _doc} -> Type.check(type, value)
      nil -> {:error, "is unknown. " <> hint(key, table)}
    end
  end

  defp hint(key, table) do
    names = Enum.map(table, &elem(&1, 0))
    nearest = Enum.max_by(names, &String.jaro_distance("#{&1}", "#{key}"))

    if String.jaro_distance("#{nearest}", "#{key}") > 0.75,
      do: "Did you mean #{inspect(nearest)}?",
      else: "There are " <> Enum.map_join(names, ", ", &inspect/1)
  end

  defp refused(key, message) do
    Error.new(:bad_request, "option #{inspect(key)} #{message}", %{option: Atom.to_string(key)})
  end

  defp no_keywords(options),
    do: Error.new(:bad_request, "the options are a keyword list, not #{inspect(options)}")

  @doc "Renders a table for the documentation."
  @spec docs(:pool | :call) :: String.t()
  def docs(table) do
    rows =
      for {key, _type, default, doc} <- Map.fetch!(@tables, table),
          do: "| `#{key}` | #{shown(key, default)} | #{doc} |\n"

    "| option | default | unit and meaning |\n|---|---|---|\n" <> Enum.join(rows)
  end

  defp shown(key, nil) when key != :none, do: "none"
  defp shown(_key, "the pool's" = text), do: text
  defp shown(_key, value), do: "`#{inspect(value)}`"
end
