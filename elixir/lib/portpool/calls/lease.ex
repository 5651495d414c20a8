defmodule Portpool.Lease do
  @moduledoc false

  # A worker for one process: checked out, used, checked in. `Portpool.Calls` says who answers for it in between.

  alias Portpool.{Call, Calls, Error, Route, Wire, Worker}

  @spec checkout(Route.t(), map) :: {:ok, Worker.t()} | {:error, Error.t()}
  def checkout(%Route{} = route, options) do
    alias = :erlang.monitor(:process, route.owner, alias: :reply_demonitor)

    case Call.submit(route, {:checkout, options}, alias, :lease) do
      {:ok, id} ->
        receive do
          {^alias, packet} -> checked_out(route, id, Wire.result(packet))
          {:DOWN, ^alias, :process, _owner, reason} -> Call.lost(route, id, reason)
        after
          Route.patience(route, Route.limit(route, :checkout, options)) -> give_up(route, id, alias)
        end

      {:error, error} ->
        :erlang.demonitor(alias, [:flush])
        {:error, error}
    end
  end

  defp checked_out(route, id, {:ok, %{id: number, pid: pid}}),
    do: {:ok, %Worker{id: number, pid: pid, holder: self(), lease: id, route: route}}

  defp checked_out(route, id, {:error, error}) do
    Calls.take(route.calls, id)
    {:error, error}
  end

  # The row is also that of the lease, which ends with it.
  defp give_up(route, id, alias) do
    Call.give_up(route, id, alias)
    {:error, Call.stuck()}
  end

  @doc "Gives a worker back. It does no harm if the lease has ended, or is not one of this server."
  @spec checkin(Worker.t(), map) :: :ok | {:error, Error.t()}
  def checkin(%Worker{holder: holder}, _options) when holder != self() do
    {:error,
     Error.new(
       :bad_request,
       "the worker was checked out by #{inspect(holder)}: only that process can check it in"
     )}
  end

  def checkin(%Worker{lease: lease, route: route}, options) do
    # The request comes first: if this process is killed between the two lines, its guard ends a lease that is over. There is
    # nothing to wait for, as what this process asks for next is read after it.
    if Calls.held?(route.calls, lease),
      do: Call.submit(route, {:checkin, lease, options}, {:unheard, :checkin}, :cast)

    Calls.take(route.calls, lease)
    :ok
  end

  @doc "Runs a function with a worker. One that raises, exits or throws leaves a worker that nobody else gets."
  @spec run(Worker.t(), (Worker.t() -> result)) :: result when result: term
  def run(worker, fun) do
    fun.(worker)
  catch
    kind, reason ->
      checkin(worker, %{broken: true})
      :erlang.raise(kind, reason, __STACKTRACE__)
  else
    result ->
      checkin(worker, %{})
      result
  end
end
