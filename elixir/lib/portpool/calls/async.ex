defmodule Portpool.Async do
  @moduledoc """
  A call in flight: what `Portpool.async/5` returns.

  | field | value |
  |---|---|
  | `ref` | the reference in the call's message |
  | `caller` | the process that made the call: it gets the message, and it alone can await the outcome |

  All other fields are private.

  ## The message

  Each call sends its caller exactly one message: `{ref, packet}`, or `{:DOWN, ref, :process, pid, reason}` if the pool
  ends first. Never both. `Portpool.await/2`, `Portpool.yield/2`, `Portpool.await_many/2` and `Portpool.cancel/1` receive
  it for you. In a GenServer it arrives in `handle_info/2`, where `Portpool.async_result/2` turns it into the outcome:

      def handle_call({:forecast, city}, from, state) do
        async = Portpool.async(MyApp.Python, :weather, :forecast, [city])
        {:noreply, put_in(state.calls[async.ref], {async, from})}
      end

      def handle_info({ref, _packet} = message, state) when is_map_key(state.calls, ref),
        do: {:noreply, answer(ref, message, state)}

      def handle_info({:DOWN, ref, :process, _pid, _reason} = message, state) when is_map_key(state.calls, ref),
        do: {:noreply, answer(ref, message, state)}

      defp answer(ref, message, state) do
        {{async, from}, calls} = Map.pop!(state.calls, ref)
        GenServer.reply(from, Portpool.async_result(async, message))
        %{state | calls: calls}
      end

  The limits of the call end it, so the message always comes. A process that never receives it keeps it in its mailbox,
  as it would the message of a task. If the process dies, its calls are cancelled.

  ## Compared with `Task`

  | | `Task` | `Portpool` |
  |---|---|---|
  | message | `{ref, result}` and then a `:DOWN`, unless you demonitor | `{ref, packet}` or a `:DOWN`, never both |
  | in `handle_info/2` | match `{ref, result}`, then `Process.demonitor(ref, [:flush])` | `async_result(async, message)` |
  | `await/2` | 5000 ms by default, then the caller exits | no limit by default: the call has its own. After `timeout` the call is cancelled, and `:cancelled` returned |
  | `yield/2` | `nil` after the timeout, and the task goes on | the same |
  | `await_many/2` | results, or the caller exits | outcomes; what has not ended is cancelled |
  | stop it | `Task.shutdown/2` | `cancel/1` |
  | failure | the caller exits: the two are linked | `{:error, %Portpool.Error{}}`; nothing is linked |
  | caller dies | the task dies with it | the call is cancelled |
  | await twice | waits for the whole timeout, then exits | `:bad_request`, at once |
  | await elsewhere | raises | `:bad_request` |
  """

  alias Portpool.{Call, Calls, Error, Options, Owner, Route, Wire}

  @derive {Inspect, only: [:ref, :caller]}
  @enforce_keys [:ref, :caller]
  defstruct [:ref, :caller, :route, :id, :until]

  @typedoc "A call in flight. `ref` and `caller` are public."
  @type t :: %__MODULE__{
          ref: reference,
          caller: pid,
          route: Route.t() | nil,
          id: Wire.id() | nil,
          until: integer | :infinity | nil
        }

  @doc false
  @spec start(Route.t(), Wire.request(), timeout) :: t
  def start(route, request, limit) do
    # The reply ends the monitor, and the end of the owner ends the alias: one message, whichever comes first.
    ref = :erlang.monitor(:process, route.owner, alias: :reply_demonitor)

    case Call.submit(route, request, ref, :call) do
      {:ok, id} ->
        until = until(Route.patience(route, limit))
        %__MODULE__{ref: ref, caller: self(), route: route, id: id, until: until}

      {:error, error} ->
        :erlang.demonitor(ref, [:flush])
        refused(error)
    end
  end

  @doc """
  A call that could not be made. It sends its one message too, as its caller may be waiting for one in `handle_info/2`.
  """
  @spec refused(Error.t()) :: t
  def refused(error) do
    async = %__MODULE__{ref: make_ref(), caller: self()}
    send(self(), {async.ref, error})
    async
  end

  @doc false
  @spec result(t, term) :: Call.outcome() | :unknown
  def result(%__MODULE__{ref: ref, id: id}, {ref, packet}) when is_binary(packet) and id != nil,
    do: if(Wire.reply_id(packet) == id, do: Wire.result(packet), else: :unknown)

  def result(%__MODULE__{ref: ref}, {ref, %Error{} = error}), do: {:error, error}

  def result(%__MODULE__{ref: ref, route: route, id: id}, {:DOWN, ref, :process, _owner, reason}),
    do: Call.lost(route, id, reason)

  def result(%__MODULE__{}, _message), do: :unknown

  @doc false
  @spec await(t, timeout) :: Call.outcome()
  def await(async, timeout) do
    with {:ok, until} <- deadline(timeout), do: async |> fetch(until) |> or_cancel(async, timeout)
  end

  @doc false
  @spec yield(t, timeout) :: Call.outcome() | nil
  def yield(async, timeout) do
    with {:ok, until} <- deadline(timeout), do: fetch(async, until)
  end

  @doc false
  @spec await_many([t], timeout) :: [Call.outcome()] | {:error, Error.t()}
  def await_many(asyncs, timeout) do
    with {:ok, until} <- deadline(timeout) do
      outcomes = Enum.map(asyncs, &{&1, fetch(&1, until)})
      # All of them first: they end at the same time.
      for {async, nil} <- outcomes, do: tell_cancel(async)
      for {async, outcome} <- outcomes, do: or_cancel(outcome, async, timeout)
    end
  end

  @doc false
  @spec cancel(t) :: Call.outcome()
  def cancel(%__MODULE__{caller: caller, route: %Route{} = route} = async) when caller == self() do
    tell_cancel(async)
    fetch(%{async | until: until(Route.patience(route, 0))}, :infinity)
  end

  def cancel(async), do: fetch(async, :infinity)

  defp tell_cancel(%{route: route, id: id} = async), do: if(pending?(async), do: Call.cancel(route.port, id))

  defp or_cancel(nil, async, timeout), do: async |> cancel() |> say_why(timeout)
  defp or_cancel(outcome, _async, _timeout), do: outcome

  defp say_why({:error, %Error{reason: :cancelled} = error}, timeout),
    do: {:error, %{error | message: error.message <> " (the await ended after #{timeout} ms)"}}

  defp say_why(outcome, _timeout), do: outcome

  # The outcome, or `nil` if there is none at that time.
  defp fetch(%__MODULE__{caller: caller}, _until) when caller != self() do
    message = "the call was made by #{inspect(caller)}: only that process can await or cancel it"
    {:error, Error.new(:bad_request, message)}
  end

  defp fetch(%__MODULE__{} = async, until) do
    with nil <- arrived(async, 0) do
      if pending?(async), do: wait(async, until), else: settled(async)
    end
  end

  # Whether the message has yet to be sent, and will be. In this order: a row that is there has had no reply, and an
  # owner that lives has sent no `:DOWN`. Only this process could have received either since.
  defp pending?(%{route: nil}), do: false

  defp pending?(%{route: route, id: id, ref: ref}),
    do: Calls.in_flight?(route.calls, id, ref) and Process.alive?(route.owner)

  defp wait(%{until: limit} = async, until) do
    with nil <- arrived(async, left(min(limit, until))) do
      if limit <= until, do: Call.give_up(async.route, async.id, async.ref)
    end
  end

  defp arrived(%{ref: ref} = async, timeout) do
    receive do
      {^ref, _packet} = message -> result(async, message)
      {:DOWN, ^ref, :process, _owner, _reason} = message -> result(async, message)
    after
      timeout -> nil
    end
  end

  # The message is on its way here, or it has been received before.
  defp settled(%{route: nil}), do: {:error, received()}

  defp settled(%{route: route, id: id, ref: ref} = async) do
    Owner.settle(route.owner)

    with nil <- arrived(async, 0) do
      # A monitor that is still there has not fired: the owner is dead, and its `:DOWN` was not received.
      if :erlang.demonitor(ref, [:info]), do: Call.lost(route, id, :killed), else: late(async)
    end
  end

  defp late(async), do: with(nil <- arrived(async, 0), do: {:error, received()})

  defp received do
    message =
      "the outcome of this call was fetched before: by await, yield or cancel, or by a receive or " <>
        "handle_info that got its message (use async_result there)"

    Error.new(:bad_request, message)
  end

  defp deadline(timeout) do
    with {:ok, timeout} <- Options.timeout(timeout), do: {:ok, until(timeout)}
  end

  defp until(:infinity), do: :infinity
  defp until(patience), do: System.monotonic_time(:millisecond) + patience

  # An atom is greater than any number, so `min` and `<=` take `:infinity` for what it is.
  defp left(:infinity), do: :infinity
  defp left(until), do: max(until - System.monotonic_time(:millisecond), 0)
end
