defmodule Portpool.Directory do
  @moduledoc false

  # From the name of a pool to the way to its server: a row `{pool, hello, calls, route}` for each pool, keyed by the pid
  # of its supervisor, so that every kind of name works and none of them can be stale. Callers read the table
  # themselves; this process writes it and removes the rows of pools that are gone.
  #
  # `hello` is the first packet to each server of the pool. It may hold secrets, in `env` and `init`. It is here and not
  # in the state of a process of the pool, or in the arguments of its children, because those are shown in crash reports
  # and by `:sys.get_status/1`. While a pool starts its key is `{:starting, pid}`, with the process that starts it.

  use GenServer

  alias Portpool.{Calls, Error, Route, Wire}

  @table __MODULE__

  # The places in a row.
  @hello 2
  @calls 3
  @route 4

  @doc "Creates the table. The calling process owns it."
  @spec new() :: :ets.table()
  def new, do: :ets.new(@table, [:named_table, :public, read_concurrency: true])

  @spec start_link(any) :: GenServer.on_start()
  def start_link(_arg), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  @spec running?() :: boolean
  def running?, do: Process.whereis(__MODULE__) != nil

  @doc "Runs `fun`, in which `take_hello/1` can be called for the calling process."
  @spec with_hello(Wire.packet(), (... -> result)) :: result when result: term
  def with_hello(hello, fun) do
    starter = self()
    put({:starting, starter}, [{@hello, hello}])
    fun.()
  after
    GenServer.call(__MODULE__, {:forget, {:starting, self()}}, :infinity)
  end

  @doc "Enters the calling process as a pool that `starter` has begun to start."
  @spec take_hello(pid) :: :ok
  def take_hello(starter), do: put(self(), [{@hello, hello({:starting, starter})}])

  @doc "Enters that a pool has its guard, but no server yet."
  @spec put_calls(pid, Calls.t()) :: :ok
  def put_calls(pool, calls), do: put(pool, [{@calls, calls}, {@route, nil}])

  @doc "Enters that a pool can be called."
  @spec put_route(pid, Route.t()) :: :ok
  def put_route(pool, route), do: put(pool, [{@route, route}])

  defp put(pool, elements), do: GenServer.call(__MODULE__, {:put, pool, elements}, :infinity)

  @doc "Returns the `hello` packet for the servers of a pool."
  @spec hello(pid | {:starting, pid}) :: Wire.packet()
  def hello(pool), do: :ets.lookup_element(@table, pool, @hello)

  @doc "Returns the calls of a pool that has its guard."
  @spec calls(pid) :: Calls.t()
  def calls(pool), do: :ets.lookup_element(@table, pool, @calls)

  @doc "Finds the way to a pool. `noproc` if there is none."
  @spec route(Portpool.pool()) :: {:ok, Route.t()} | {:error, Error.t()}
  def route(pool) do
    with {:ok, pid} <- whereis(pool) do
      case lookup(pid) do
        %Route{} = route -> {:ok, route}
        nil -> {:error, noproc(pool)}
      end
    end
  end

  defp lookup(pid) do
    :ets.lookup_element(@table, pid, @route)
  rescue
    # No row, or no table: the application is not running.
    ArgumentError -> nil
  end

  @doc "Finds the supervisor of a pool. `noproc` if another kind of process has that name or pid."
  @spec pool(Portpool.pool()) :: {:ok, pid} | {:error, Error.t()}
  def pool(pool) do
    with {:ok, pid} <- whereis(pool) do
      if known?(pid), do: {:ok, pid}, else: {:error, noproc(pool)}
    end
  end

  defp known?(pid) do
    :ets.member(@table, pid)
  rescue
    ArgumentError -> false
  end

  defp whereis(pool) when is_atom(pool), do: local(Process.whereis(pool), pool)
  defp whereis(pool) when is_pid(pool), do: local(pool, pool)
  defp whereis({:global, _name} = pool), do: local(GenServer.whereis(pool), pool)

  defp whereis({:via, _module, _name} = pool) do
    case registry(pool) do
      {:ok, pid} -> local(pid, pool)
      {:error, why} -> {:error, noproc(pool, why)}
    end
  end

  defp whereis({name, node} = pool) when is_atom(name) and is_atom(node),
    do: local(GenServer.whereis(pool), pool)

  defp whereis(other) do
    bad_request("#{inspect(other)} names no pool: an atom, a pid, {:via, ..} and {:global, ..} do")
  end

  defp local(pid, _pool) when is_pid(pid) and node(pid) == node(), do: {:ok, pid}
  defp local(nil, pool), do: {:error, noproc(pool)}

  defp local(_elsewhere, pool) do
    bad_request("the pool #{inspect(pool)} is on another node; call it there, by :erpc for example")
  end

  defp bad_request(message), do: {:error, Error.new(:bad_request, message)}

  defp noproc(pool) do
    if running?(),
      do: Error.new(:noproc, "there is no pool #{inspect(pool)}"),
      else: noproc(pool, "the :portpool application is not started")
  end

  defp noproc(pool, why), do: Error.new(:noproc, "there is no pool #{inspect(pool)}: #{why}")

  @doc "Asks the registry of a name which process has it. Or says why it cannot be asked: its code is not ours."
  @spec registry({:via, module, term}) :: {:ok, pid | nil} | {:error, String.t()}
  def registry(name) do
    {:ok, GenServer.whereis(name)}
  rescue
    error -> {:error, Exception.message(error)}
  catch
    kind, reason -> {:error, Exception.format_banner(kind, reason)}
  end

  @impl true
  def init(nil) do
    # After a restart of this process the rows are still there.
    {:ok, @table |> :ets.select([{{:"$1", :_, :_, :_}, [], [:"$1"]}]) |> Enum.reduce(%{}, &watch/2)}
  end

  @impl true
  def handle_call({:put, key, elements}, _from, watched) do
    :ets.insert_new(@table, {key, nil, nil, nil})
    :ets.update_element(@table, key, elements)
    {:reply, :ok, watch(key, watched)}
  end

  def handle_call({:forget, key}, _from, watched) do
    :ets.delete(@table, key)
    {:reply, :ok, watched}
  end

  @impl true
  def handle_info({:DOWN, _ref, :process, pool, _reason}, watched) do
    :ets.delete(@table, pool)
    :ets.delete(@table, {:starting, pool})
    {:noreply, Map.delete(watched, pool)}
  end

  def handle_info(_other, watched), do: {:noreply, watched}

  defp watch({:starting, starter}, watched), do: watch(starter, watched)
  defp watch(pool, watched), do: Map.put_new_lazy(watched, pool, fn -> Process.monitor(pool) end)
end
