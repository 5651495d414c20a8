defmodule Portpool.Calls do
  @moduledoc false

  # The requests in flight. A row says who waits for an id; exactly one process takes it (the owner with the reply,
  # the caller that gives up, or the guard of a caller that died), and with the row the duty to end the request.
  #
  # An id is the number of its caller, a bit that marks leases, and that caller's own count. So ids need no shared
  # counter, and the ids of one caller are neighbours in an ordered table: the guard finds what a dead process had
  # without a scan. The caller 0 does not exist: its numbers belong to what nobody waits for.
  #
  # The row of a lease is there before its checkout is written and stays until the worker has been given back, so that
  # there is no moment at which its holder could die unnoticed. As soon as the worker is here the row is `:held`, and
  # no longer counts as a request in flight.
  #
  # The tables have no write concurrency on purpose: their locks are held for a few per cent of the time at the rate of
  # the fastest server, and the plain ones cost 0.2 µs less for each call.

  import Bitwise

  alias Portpool.Wire

  @count_bits 23
  @max_count (1 <<< @count_bits) - 1
  @lease 1 <<< @count_bits
  @caller_bits @count_bits + 1
  # 35 and 24 bits: an id is a small integer of the VM (59 bits), not a bignum.
  @max_number (1 <<< 35) - 1

  # Slots of the counters.
  @calls 1
  @bytes 2
  @numbers 3
  @casts 4
  @max_calls 5
  @max_bytes 6

  @typedoc "Who hears the reply: a process by its alias, or nobody; then the log hears of a failure of this."
  @type recipient :: reference | {:unheard, what :: {Wire.text(), Wire.text()} | :checkin}

  @typedoc "One request in flight: its id, who hears its reply, who made it, the port it went to, its size."
  @type row :: {Wire.id(), recipient, pid, port, non_neg_integer | :held}

  @typedoc "What a request is, as far as its id goes."
  @type kind :: :call | :lease | :cast

  @type t :: %__MODULE__{
          rows: :ets.table(),
          callers: :ets.table(),
          counters: :atomics.atomics_ref(),
          guard: pid
        }

  @enforce_keys [:rows, :callers, :counters, :guard]
  defstruct @enforce_keys

  @doc "Creates empty tables. The calling process is the guard and owns them."
  @spec new(pos_integer, pos_integer) :: t
  def new(max_calls, max_bytes) do
    calls = %__MODULE__{
      rows: :ets.new(:portpool_calls, [:ordered_set, :public]),
      callers: :ets.new(:portpool_callers, [:set, :public]),
      counters: :atomics.new(6, signed: true),
      guard: self()
    }

    limit(calls, max_calls, max_bytes)
    calls
  end

  @doc "Says how many requests and bytes may be in flight from now on."
  @spec limit(t, pos_integer, pos_integer) :: :ok
  def limit(%__MODULE__{counters: counters}, max_calls, max_bytes) do
    :atomics.put(counters, @max_calls, max_calls)
    :atomics.put(counters, @max_bytes, max_bytes)
  end

  @doc "Returns how many requests and bytes may be in flight."
  @spec limits(t) :: {pos_integer, pos_integer}
  def limits(%__MODULE__{counters: counters}),
    do: {:atomics.get(counters, @max_calls), :atomics.get(counters, @max_bytes)}

  @doc "Returns the next id of the calling process, and makes that process known to the guard."
  @spec next_id(t, kind) :: Wire.id()
  def next_id(calls, kind \\ :call)
  def next_id(calls, :call), do: next_own(calls)
  def next_id(calls, :lease), do: next_own(calls) ||| @lease

  def next_id(%__MODULE__{counters: counters}, :cast),
    do: :atomics.add_get(counters, @casts, 1) &&& @max_count

  defp next_own(%__MODULE__{callers: callers} = calls) do
    [number, count] = :ets.update_counter(callers, self(), [{2, 0}, {3, 1, @max_count, 0}])
    number <<< @caller_bits ||| count
  rescue
    ArgumentError ->
      introduce(calls)
      next_own(calls)
  end

  # The guard is told first: a caller that is killed between the two lines leaves no row that nobody would remove.
  defp introduce(%__MODULE__{guard: guard, callers: callers} = calls) do
    send(guard, {:watch, self()})
    :ets.insert(callers, {self(), number(calls), 0})
  end

  defp number(%__MODULE__{counters: counters} = calls) do
    case :atomics.add_get(counters, @numbers, 1) &&& @max_number do
      0 -> number(calls)
      number -> number
    end
  end

  @doc "Tells whether an id is that of a lease."
  @spec lease?(Wire.id()) :: boolean
  def lease?(id), do: (id &&& @lease) != 0

  @doc """
  Enters a request, if there is room for it. `:in_use` if the id is in flight, after it came round.

  The row comes before the count: a caller that is killed between the two makes the guard uncount what was never
  counted, so that the limit gets one call wider. The other way round it would get narrower.
  """
  @spec enter(t, row) :: :ok | :full | :in_use
  def enter(%__MODULE__{counters: counters} = calls, {id, _to, _caller, _port, _bytes} = row) do
    case enter_anyway(calls, row) do
      {in_flight, bytes} ->
        if in_flight > :atomics.get(counters, @max_calls) or bytes > :atomics.get(counters, @max_bytes) do
          take(calls, id)
          :full
        else
          :ok
        end

      :in_use ->
        :in_use
    end
  end

  @doc "Enters a request without a limit, and returns what is in flight now."
  @spec enter_anyway(t, row) :: {calls :: integer, bytes :: integer} | :in_use
  def enter_anyway(%__MODULE__{rows: rows, counters: counters}, {_id, _to, _caller, _port, bytes} = row) do
    if :ets.insert_new(rows, row),
      do: {:atomics.add_get(counters, @calls, 1), :atomics.add_get(counters, @bytes, bytes)},
      else: :in_use
  end

  @doc "Takes a request out. `nil` if another process was faster, or the pool is gone."
  @spec take(t, Wire.id()) :: row | nil
  def take(%__MODULE__{rows: rows} = calls, id) do
    case :ets.take(rows, id) do
      [{_id, _to, _caller, _port, bytes} = row] ->
        uncount(calls, bytes)
        row

      [] ->
        nil
    end
  rescue
    # The table ends with the guard.
    ArgumentError -> nil
  end

  defp uncount(_calls, :held), do: :ok

  defp uncount(%__MODULE__{counters: counters}, bytes) do
    :atomics.sub(counters, @calls, 1)
    :atomics.sub(counters, @bytes, bytes)
  end

  @doc """
  Returns who waits for the reply to a checkout. The row stays, as that of a lease.

  A process that takes it at the same moment gets either the row that counts or the one that does not, so it is
  uncounted once.
  """
  @spec hold(t, Wire.id()) :: reference | nil
  def hold(%__MODULE__{rows: rows} = calls, id) do
    case lookup(calls, id) do
      [{_id, alias, _caller, _port, bytes}] when bytes != :held ->
        if :ets.update_element(rows, id, {5, :held}), do: uncount(calls, bytes)
        alias

      _held_or_gone ->
        nil
    end
  rescue
    # The table ends with the guard.
    ArgumentError -> nil
  end

  @doc "Tells whether a request that this alias waits for is in flight."
  @spec in_flight?(t, Wire.id(), reference) :: boolean
  def in_flight?(calls, id, alias), do: match?([{_id, ^alias, _caller, _port, _bytes}], lookup(calls, id))

  @doc "Tells whether the calling process has this lease."
  @spec held?(t, Wire.id()) :: boolean
  def held?(calls, id) do
    caller = self()
    match?([{_id, _alias, ^caller, _port, :held}], lookup(calls, id))
  end

  defp lookup(%__MODULE__{rows: rows}, id) do
    :ets.lookup(rows, id)
  rescue
    ArgumentError -> []
  end

  @doc "Tells whether any request is in flight."
  @spec busy?(t) :: boolean
  def busy?(%__MODULE__{counters: counters}), do: :atomics.get(counters, @calls) > 0

  @doc "Returns how many requests are in flight whose reply nobody would have heard."
  @spec unheard(t) :: non_neg_integer
  def unheard(%__MODULE__{rows: rows}) do
    :ets.select_count(rows, [{{:_, {:unheard, :_}, :_, :_, :_}, [], [true]}])
  rescue
    ArgumentError -> 0
  end

  @doc "Tells whether anybody can still hear a reply: the tables end with the guard."
  @spec alive?(t) :: boolean
  def alive?(%__MODULE__{rows: rows}), do: :ets.info(rows, :size) != :undefined

  @doc "Takes out everything of a process that died, and forgets the process."
  @spec forget(t, pid) :: [row]
  def forget(%__MODULE__{callers: callers} = calls, caller) do
    case :ets.take(callers, caller) do
      [{_caller, number, _count}] -> take_from(calls, caller, number, (number <<< @caller_bits) - 1)
      [] -> []
    end
  end

  defp take_from(%__MODULE__{rows: rows} = calls, caller, number, last) do
    case :ets.next(rows, last) do
      id when is_integer(id) and id >>> @caller_bits == number ->
        List.wrap(take_if(calls, caller, id)) ++ take_from(calls, caller, number, id)

      _beyond ->
        []
    end
  end

  # Numbers come round after 2^35 callers: a neighbour may belong to a process that lives.
  defp take_if(calls, caller, id) do
    if match?([{_id, _to, ^caller, _port, _bytes}], lookup(calls, id)), do: take(calls, id)
  end
end
