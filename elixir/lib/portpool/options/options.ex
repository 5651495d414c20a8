defmodule Portpool.Options do
  @moduledoc false

  # Validates the options of a pool and of its requests, and turns them into those of the server (docs/protocol.md 7).
  # `Portpool.Options.Table` lists the options.

  alias Portpool.{Binary, Config, Error}
  alias Portpool.Options.{Secret, Table, Type}

  # The server is not told of these.
  @local [:name, :binary, :shutdown, :started]

  # Beyond `drain_timeout` the server gives its workers two seconds to end (docs/protocol.md 4.9); the rest is margin.
  @ending 5_000

  # The most workers a pool can be resized to.
  @most_workers 1024

  @doc "Validates the options of a pool and fills in the defaults."
  @spec pool(term) :: {:ok, Config.t()} | {:error, Error.t()}
  def pool(options) do
    with {:ok, given} <- options |> Secret.reveal() |> validate(:pool),
         config = Map.merge(Table.defaults(), given),
         {:ok, binary} <- Binary.find(config.binary, Map.get(config, :venv)) do
      {:ok, struct!(Config, Map.merge(config, %{binary: binary, started: :atomics.new(1, [])}))}
    end
  end

  @doc "Validates the options of a request, and returns them as docs/protocol.md 7.3 and 7.4 have them."
  @spec request(:call | :checkout | :checkin | :stop, term) :: {:ok, map} | {:error, Error.t()}
  def request(_table, []), do: {:ok, %{}}

  def request(table, options) do
    with {:ok, valid} <- validate(options, table), do: {:ok, Table.wire(valid)}
  end

  @doc "Validates how long to wait for a call."
  @spec timeout(term) :: {:ok, timeout} | {:error, Error.t()}
  def timeout(timeout) do
    case Type.check(:ms_or_infinity, timeout) do
      {:ok, timeout} -> {:ok, timeout}
      {:error, message} -> {:error, Error.new(:bad_request, "the timeout " <> message)}
    end
  end

  @doc "Validates the new size of a pool."
  @spec size(term) :: {:ok, 1..1024} | {:error, Error.t()}
  def size(size) do
    case Type.check({:integer, 1..@most_workers, []}, size) do
      {:ok, size} -> {:ok, size}
      {:error, message} -> {:error, refused(:size, message)}
    end
  end

  @doc "Returns the options for the server, without those that have its defaults. Python's output goes to `Logger`."
  @spec hello(Config.t()) :: map
  def hello(config) do
    defaults = Table.defaults()

    options =
      for {key, value} <- Map.from_struct(config),
          key not in @local and value != Map.fetch!(defaults, key),
          into: %{logs: :owner},
          do: {key, value}

    Table.wire(options)
  end

  @doc "Returns how long a pool may take to stop, in milliseconds."
  @spec shutdown(timeout) :: timeout
  def shutdown(:infinity), do: :infinity
  def shutdown(drain_timeout), do: drain_timeout + @ending

  @doc """
  Returns how long a supervisor waits for a pool with these options to stop.

  The options may be wrong here. They are refused when the pool starts.
  """
  @spec child_shutdown(term) :: timeout | :brutal_kill
  def child_shutdown(options) do
    drain = given(options, :drain_timeout, Table.defaults().drain_timeout)

    case {Type.check(:shutdown, given(options, :shutdown)), Type.check(:ms_or_infinity, drain)} do
      {{:ok, given}, _drain} -> given
      {_none, {:ok, drain}} -> shutdown(drain)
      {_none, {:error, _message}} -> @ending
    end
  end

  @doc "Returns the value of an option as it was given, in options that may be wrong."
  @spec given(term, atom, term) :: term
  def given(options, key, default \\ nil),
    do: if(Keyword.keyword?(options), do: Keyword.get(options, key, default), else: default)

  @doc """
  Returns how many calls and bytes may be in flight: twice what the server can hold.

  A server that reads its input refuses excess calls itself. These limits are for a server that does not read.
  """
  @spec limits(Config.t(), :auto | pos_integer) :: {pos_integer, pos_integer}
  def limits(config, size) do
    workers = workers(size) + config.max_overflow
    {2 * (config.max_queue + workers), 2 * (config.max_queue_bytes + workers * config.max_frame)}
  end

  # The server counts the processors for itself, in much the same way.
  defp workers(:auto), do: System.schedulers_online()
  defp workers(size), do: size

  defp validate(options, table) do
    with {:ok, valid} <-
           if(Keyword.keyword?(options), do: reduce(options, table), else: no_keywords(options)),
         :ok <- agree(table, valid),
         do: {:ok, valid}
  end

  defp reduce(options, table) do
    Enum.reduce_while(options, {:ok, %{}}, fn {key, value}, {:ok, valid} ->
      case option(table, key, value, valid) do
        {:ok, checked} -> {:cont, {:ok, Map.put(valid, key, checked)}}
        {:error, message} -> {:halt, {:error, refused(key, message)}}
      end
    end)
  end

  defp option(_table, key, _value, valid) when is_map_key(valid, key), do: {:error, "is given twice"}

  defp option(table, key, value, _valid) do
    rows = Table.rows(table)

    case List.keyfind(rows, key, 0) do
      {_key, type, _default, _doc} -> Type.check(type, value)
      nil -> {:error, Table.moved(table, key) || "is unknown. " <> hint(key, rows)}
    end
  end

  defp hint(key, rows) do
    names = Enum.map(rows, &elem(&1, 0))
    nearest = Enum.max_by(names, &String.jaro_distance("#{&1}", "#{key}"))

    if String.jaro_distance("#{nearest}", "#{key}") > 0.75,
      do: "Did you mean #{inspect(nearest)}?",
      else: "The options are " <> Enum.map_join(names, ", ", &inspect/1)
  end

  # Options that contradict each other.
  defp agree(:pool, valid) do
    defaults = Table.defaults()
    %{max_overflow: overflow, drain_timeout: drain, shutdown: shutdown} = all = Map.merge(defaults, valid)

    cond do
      all.on_start_failure == :fail and all.wait == :none ->
        {:error,
         refused(
           :on_start_failure,
           "is :fail, which needs :wait to be :first or :all: with :none, nobody waits for a failure"
         )}

      is_map_key(valid, :venv) and is_map_key(valid, :python) ->
        {:error, refused(:venv, "cannot be combined with :python: an environment has its own interpreter")}

      is_map_key(valid, :overflow_ttl) and overflow == 0 ->
        {:error, refused(:overflow_ttl, "needs :max_overflow, which is 0: there are no overflow workers")}

      # An atom is greater than any number.
      is_integer(shutdown) and drain > shutdown ->
        {:error,
         refused(:shutdown, "is less than :drain_timeout, #{inspect(drain)}: it would cut the drain short")}

      true ->
        :ok
    end
  end

  defp agree(_table, _valid), do: :ok

  @doc "Returns the error for a wrong option."
  @spec refused(atom, String.t()) :: Error.t()
  def refused(key, message) do
    Error.new(:bad_request, "option #{inspect(key)} #{message}", %{option: Atom.to_string(key)})
  end

  defp no_keywords(options),
    do: {:error, Error.new(:bad_request, "options must be a keyword list, not #{kind(options)}")}

  # Not what it is: an environment may hold secrets.
  defp kind(options) when is_map(options), do: "a map"
  defp kind(options) when is_list(options), do: "another list"
  defp kind(options) when is_atom(options) or is_number(options), do: inspect(options)
  defp kind(_options), do: "another term"
end
