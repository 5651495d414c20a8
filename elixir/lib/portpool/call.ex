defmodule Portpool.Call do
  @moduledoc false

  # One request, made, awaited and decoded in the process of its caller.

  alias Portpool.{Calls, Error, Route, Wire}

  # The server keeps the time limits. The caller's own timer is for a server that is stuck: it fires this much later.
  @margin 5_000

  # The longest time that `receive` can wait.
  @longest 0xFFFFFFFF

  @doc """
  Makes a request and waits for its outcome, at most `limit` milliseconds and a margin.

  When it returns nothing of it is left: no row, no monitor, no message on its way to the caller.
  """
  @spec run(Route.t(), Wire.request(), timeout) :: {:ok, term} | {:error, Error.t()}
  def run(%Route{} = route, request, limit) do
    # One reference is monitor, address of the reply and mark in the mailbox: `receive` skips what was there before.
    alias = :erlang.monitor(:process, route.owner, alias: :reply_demonitor)

    case submit(route, request, alias) do
      {:ok, id} ->
        receive do
          {^alias, packet} -> Wire.result(packet)
          {:DOWN, ^alias, :process, _owner, reason} -> lost(route, id, reason)
        after
          patience(limit) -> give_up(route, id, alias)
        end

      {:error, error} ->
        :erlang.demonitor(alias, [:flush])
        {:error, error}
    end
  end

  defp submit(%Route{calls: calls} = route, request, alias) do
    id = Calls.next_id(calls)
    packet = Wire.request(id, request)
    bytes = :erlang.iolist_size(packet)
    max_frame = max_frame(request, route)

    if bytes > max_frame,
      do: {:error, too_large(bytes, max_frame)},
      else: enter(route, request, packet, {id, alias, self(), route.port, bytes})
  rescue
    # The tables end with the pool.
    ArgumentError -> {:error, noproc()}
  end

  defp max_frame({:call, _module, _function, _args, %{max_frame: limit}}, route),
    do: min(limit, route.max_frame)

  defp max_frame(_request, route), do: route.max_frame

  # From here on the row is there, and nothing can fail but the port, which may close at any time.
  defp enter(%Route{calls: calls} = route, request, packet, {id, alias, _caller, _port, _bytes} = row) do
    case Calls.enter(calls, row) do
      :ok -> write(route, id, packet)
      :full -> {:error, queue_full(calls)}
      :in_use -> submit(route, request, alias)
    end
  end

  defp write(%Route{calls: calls, port: port}, id, packet) do
    Port.command(port, packet)
    {:ok, id}
  rescue
    # The server is gone since the route was looked up.
    ArgumentError ->
      Calls.take(calls, id)
      {:error, noproc()}
  end

  # The owner is gone, and the alias with it.
  defp lost(route, id, reason) do
    Calls.take(route.calls, id)
    {:error, owner_exit(reason)}
  end

  # Whoever takes the row ends the call. Without a row the reply has been sent: it is in the mailbox, or on its way to
  # an alias that is no longer active.
  defp give_up(route, id, alias) do
    if Calls.take(route.calls, id), do: cancel(route.port, id)
    :erlang.demonitor(alias, [:flush])

    receive do
      {^alias, packet} -> Wire.result(packet)
    after
      0 -> {:error, Error.new(:internal, "the server of the pool does not answer")}
    end
  end

  defp cancel(port, id) do
    Port.command(port, Wire.cancel(id))
  rescue
    ArgumentError -> true
  end

  defp patience(:infinity), do: :infinity
  defp patience(limit), do: min(limit + @margin, @longest)

  defp owner_exit(:noproc), do: noproc()

  defp owner_exit(reason) when reason in [:normal, :shutdown],
    do: Error.new(:shutdown, "the pool was stopped")

  defp owner_exit({:shutdown, {:server_exit, how}}) do
    Error.new(:internal, "the server of the pool ended (#{how}) while the call was in flight")
  end

  defp owner_exit(reason) do
    Error.new(:internal, "the pool ended (#{inspect(reason)}) while the call was in flight")
  end

  defp noproc, do: Error.new(:noproc, "the pool has stopped or is being restarted; the call did not run")

  defp too_large(bytes, limit) do
    message = "the call is #{bytes} bytes, and max_frame is #{limit}"
    Error.new(:too_large, message, %{bytes: bytes, limit: limit})
  end

  defp queue_full(calls) do
    message =
      "the server does not keep up: #{calls.max_calls} calls or #{calls.max_bytes} bytes are in flight"

    Error.new(:queue_full, message)
  end
end
