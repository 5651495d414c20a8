defmodule Portpool.Guard do
  @moduledoc false

  # Watches the callers of a pool. When one dies, its calls in flight are cancelled, and the workers that it has
  # checked out are replaced. Owns the tables of the calls, so that no call can be entered that nobody guards.

  use GenServer

  alias Portpool.{Call, Calls, Config, Directory, Options}

  @spec start_link({pid, Config.t()}) :: GenServer.on_start()
  def start_link(args), do: GenServer.start_link(__MODULE__, args)

  @doc "Says that the pool has another size now: more workers may have more calls in flight."
  @spec resized(Calls.t(), pos_integer) :: :ok
  def resized(calls, size), do: GenServer.cast(calls.guard, {:resized, size})

  @impl true
  def init({pool, config}) do
    {max_calls, max_bytes} = Options.limits(config, config.size)
    calls = Calls.new(max_calls, max_bytes)
    Directory.put_calls(pool, calls)
    {:ok, {calls, config}}
  end

  @impl true
  def handle_cast({:resized, size}, {calls, config} = state) do
    {max_calls, max_bytes} = Options.limits(config, size)
    Calls.limit(calls, max_calls, max_bytes)
    {:noreply, state}
  end

  @impl true
  def handle_info({:watch, caller}, state) do
    Process.monitor(caller)
    {:noreply, state}
  end

  # A request that was entered but never written is cancelled too: the server knows no such id and ignores it.
  def handle_info({:DOWN, _ref, :process, caller, _reason}, {calls, _config} = state) do
    for {id, _alias, _caller, port, _bytes} <- Calls.forget(calls, caller), do: Call.cancel(port, id)
    {:noreply, state}
  end

  def handle_info(_other, state), do: {:noreply, state}
end
