defmodule Portpool.Guard do
  @moduledoc false

  # Watches the callers of a pool. When one dies, its calls in flight are cancelled. Owns the tables of the calls, so
  # that no call can be entered that nobody guards.

  use GenServer

  alias Portpool.{Calls, Config, Directory, Options, Wire}

  @spec start_link({pid, Config.t()}) :: GenServer.on_start()
  def start_link(args), do: GenServer.start_link(__MODULE__, args)

  @impl true
  def init({pool, config}) do
    {max_calls, max_bytes} = Options.limits(config)
    calls = Calls.new(max_calls, max_bytes)
    Directory.put_calls(pool, calls)
    {:ok, calls}
  end

  @impl true
  def handle_info({:watch, caller}, calls) do
    Process.monitor(caller)
    {:noreply, calls}
  end

  def handle_info({:DOWN, _ref, :process, caller, _reason}, calls) do
    calls |> Calls.forget(caller) |> Enum.each(&cancel/1)
    {:noreply, calls}
  end

  def handle_info(_other, calls), do: {:noreply, calls}

  # A call that was entered but never written is cancelled too: the server knows no such id and ignores it.
  defp cancel({id, _alias, _caller, port, _bytes}) do
    Port.command(port, Wire.cancel(id))
  rescue
    # The server is gone, and the call with it.
    ArgumentError -> true
  end
end
