defmodule Portpool.Async do
  @moduledoc """
  A call that has been made and whose outcome has not been fetched yet: what `Portpool.async/5` returns.

  It belongs to the process that made it. If that process dies the call is cancelled.
  """

  alias Portpool.{Call, Calls, Error, Owner, Route, Wire}

  @derive {Inspect, only: [:id]}
  @enforce_keys [:caller]
  defstruct [:caller, :route, :id, :alias, :until, :refused]

  @opaque t :: %__MODULE__{
            caller: pid,
            route: Route.t() | nil,
            id: Wire.id() | nil,
            alias: reference | nil,
            until: integer | :infinity,
            refused: Error.t() | nil
          }

  @doc false
  @spec start(Route.t(), Wire.request(), timeout) :: t
  def start(route, request, limit) do
    alias = :erlang.monitor(:process, route.owner, alias: :reply_demonitor)

    case Call.submit(route, request, alias, :call) do
      {:ok, id} ->
        %__MODULE__{
          caller: self(),
          route: route,
          id: id,
          alias: alias,
          until: until(Route.patience(route, limit))
        }

      {:error, error} ->
        :erlang.demonitor(alias, [:flush])
        refused(error)
    end
  end

  @doc false
  @spec refused(Error.t()) :: t
  def refused(error), do: %__MODULE__{caller: self(), refused: error}

  @doc false
  @spec await(t) :: Call.outcome()
  def await(%__MODULE__{caller: caller}) when caller != self(),
    do:
      {:error,
       Error.new(
         :bad_request,
         "the call was made by #{inspect(caller)}: only that process can have its outcome"
       )}

  def await(%__MODULE__{refused: %Error{} = error}), do: {:error, error}

  def await(%__MODULE__{alias: alias, route: route, id: id} = async) do
    cond do
      outcome = arrived(async) -> outcome
      Calls.in_flight?(route.calls, id, alias) -> wait(async)
      true -> settled(async)
    end
  end

  @doc false
  @spec cancel(t) :: Call.outcome()
  def cancel(%__MODULE__{caller: caller, refused: nil} = async) when caller == self() do
    if Calls.in_flight?(async.route.calls, async.id, async.alias), do: Call.cancel(async.route.port, async.id)
    await(%{async | until: until(Route.patience(async.route, 0))})
  end

  def cancel(%__MODULE__{} = async), do: await(async)

  defp arrived(%__MODULE__{alias: alias, route: route, id: id}) do
    receive do
      {^alias, packet} -> Wire.result(packet)
      {:DOWN, ^alias, :process, _owner, reason} -> Call.lost(route, id, reason)
    after
      0 -> nil
    end
  end

  defp wait(%__MODULE__{alias: alias, route: route, id: id, until: until}) do
    receive do
      {^alias, packet} -> Wire.result(packet)
      {:DOWN, ^alias, :process, _owner, reason} -> Call.lost(route, id, reason)
    after
      left(until) -> Call.give_up(route, id, alias)
    end
  end

  # The row is gone. So the owner has sent the reply or is about to; or the outcome has been fetched before.
  defp settled(%__MODULE__{route: route} = async) do
    Owner.settle(route.owner)

    case arrived(async) do
      nil -> {:error, Error.new(:bad_request, "the outcome of this call has been fetched already")}
      outcome -> outcome
    end
  end

  defp until(:infinity), do: :infinity
  defp until(patience), do: System.monotonic_time(:millisecond) + patience

  defp left(:infinity), do: :infinity
  defp left(until), do: max(until - System.monotonic_time(:millisecond), 0)
end
