defmodule Portpool.Call do
  @moduledoc false

  # One request, made, awaited and decoded in the process of its caller.

  alias Portpool.{Calls, Error, Route, Server, Wire}

  @type outcome :: {:ok, term} | {:error, Error.t()}

  @doc """
  Makes a request and waits for its outcome, at most `limit` milliseconds and the margin of the route.

  When it returns nothing of it is left: no row, no monitor, no message on its way to the caller.
  """
  @spec run(Route.t(), Wire.request(), timeout) :: outcome | {:ok, term, map}
  def run(%Route{} = route, request, limit) do
    # One reference is monitor, address of the reply and mark in the mailbox: `receive` skips what was there before.
    alias = :erlang.monitor(:process, route.owner, alias: :reply_demonitor)

    case submit(route, request, alias, :call) do
      {:ok, id} ->
        receive do
          {^alias, packet} -> Wire.result(packet)
          {:DOWN, ^alias, :process, _owner, reason} -> lost(route, id, reason)
        after
          Route.patience(route, limit) -> give_up(route, id, alias)
        end

      {:error, error} ->
        :erlang.demonitor(alias, [:flush])
        {:error, error}
    end
  end

  @doc "Makes a request whose reply is heard by `recipient`, and returns its id."
  @spec submit(Route.t(), Wire.request(), Calls.recipient(), Calls.kind()) ::
          {:ok, Wire.id()} | {:error, Error.t()}
  def submit(%Route{calls: calls} = route, request, recipient, kind) do
    id = Calls.next_id(calls, kind)
    packet = Wire.request(id, request)
    bytes = :erlang.iolist_size(packet)
    max_frame = max_frame(request, route)

    if bytes > max_frame do
      {:error, too_large(bytes, max_frame)}
    else
      case enter(calls, request, {id, recipient, self(), route.port, bytes}) do
        :ok -> write(route, id, packet, request)
        :full -> {:error, queue_full(calls)}
        :in_use -> submit(route, request, recipient, kind)
      end
    end
  rescue
    # The tables end with the pool.
    ArgumentError -> {:error, gone(request)}
  end

  defp max_frame({:call, _module, _function, _args, %{max_frame: limit}}, route),
    do: min(limit, route.max_frame)

  defp max_frame(_request, route), do: route.max_frame

  # What gives something back is never refused.
  defp enter(calls, {:checkin, _lease, _options}, row),
    do: if(Calls.enter_anyway(calls, row) == :in_use, do: :in_use, else: :ok)

  defp enter(calls, _request, row), do: Calls.enter(calls, row)

  # From here on the row is there, and nothing can fail but the port, which may close at any time.
  defp write(%Route{calls: calls, port: port}, id, packet, request) do
    case Server.write(port, packet) do
      :ok ->
        {:ok, id}

      # The server is gone since the route was looked up.
      :closed ->
        Calls.take(calls, id)
        {:error, gone(request)}
    end
  end

  @doc "Ends a request whose owner has ended. The alias ended with it."
  @spec lost(Route.t(), Wire.id(), term) :: {:error, Error.t()}
  def lost(route, id, reason) do
    Calls.take(route.calls, id)
    {:error, owner_exit(reason)}
  end

  @doc """
  Ends a request that took longer than its caller waits.

  The process that takes the row ends the request. If the row is gone, the reply has been sent: it is in the mailbox, or
  on its way to an alias that is no longer active.
  """
  @spec give_up(Route.t(), Wire.id(), reference) :: outcome | {:ok, term, map}
  def give_up(route, id, alias) do
    if Calls.take(route.calls, id), do: cancel(route.port, id)
    :erlang.demonitor(alias, [:flush])

    receive do
      {^alias, packet} -> Wire.result(packet)
    after
      0 -> {:error, stuck()}
    end
  end

  @doc "Writes a `cancel`. A server that is gone needs none."
  @spec cancel(port, Wire.id()) :: :ok | :closed
  def cancel(port, id), do: Server.write(port, Wire.cancel(id))

  @doc false
  @spec stuck() :: Error.t()
  def stuck, do: Error.new(:internal, "the pool's server does not answer")

  defp owner_exit(:noproc), do: gone(:status)

  defp owner_exit(reason) when reason in [:normal, :shutdown],
    do: Error.new(:shutdown, "the pool was stopped")

  defp owner_exit({:shutdown, {:server_exit, how}}) do
    Error.new(:internal, "the pool's server ended (#{how}) while the call was in flight")
  end

  defp owner_exit({:shutdown, %Error{} = error}) do
    Error.new(:internal, "the pool ended while the call was in flight: #{error.message}")
  end

  defp owner_exit(reason) do
    Error.new(:internal, "the pool ended (#{inspect(reason)}) while the call was in flight")
  end

  # A lease ends with its server: to make the call again in it would be of no use.
  defp gone({:call, _module, _function, _args, %{lease: _lease}}),
    do: Error.new(:lease_lost, "the lease ended with the pool's server; the call did not run")

  defp gone(_request),
    do: Error.new(:noproc, "the pool has stopped, or is being restarted; the call did not run")

  defp too_large(bytes, limit) do
    message = "the call has #{bytes} bytes; max_frame allows #{limit}"
    Error.new(:too_large, message, %{bytes: bytes, limit: limit})
  end

  defp queue_full(calls) do
    {max_calls, max_bytes} = Calls.limits(calls)

    message =
      "the server does not keep up: the limit of #{max_calls} calls or #{max_bytes} bytes in flight is reached"

    Error.new(:queue_full, message)
  end
end
