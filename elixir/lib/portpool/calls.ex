defmodule Portpool.Calls do
  @moduledoc false

  # The calls in flight. A row says who waits for an id; exactly one process takes it (the owner with the reply,
  # the caller that gives up, or the guard of a caller that died), and with the row the duty to end the call.
  #
  # An id is the number of its caller and that caller's own count. So ids need no shared counter, and the ids of one
  # caller are neighbours in an ordered table: the guard finds the calls of a dead process without a scan.
  #
  # The tables have no write concurrency on purpose: their locks are held for a few per cent of the time at the rate of
  # the fastest server, and the plain ones cost 0.2 µs less for each call.

  import Bitwise

  alias Portpool.Wire

  @count_bits 24
  @max_count (1 <<< @count_bits) - 1
  # 35 and 24 bits: an id is a small integer of the VM (59 bits), not a bignum.
  @max_number (1 <<< 35) - 1

  # Slots of the counters.
  @calls 1
  @bytes 2
  @numbers 3

  @typedoc "One call in flight: its id, the alias of the caller, the caller, the port it went to, its size."
  @type row :: {Wire.id(), reference, pid, port, non_neg_integer}

  @type t :: %__MODULE__{
          rows: :ets.table(),
          callers: :ets.table(),
          counters: :atomics.atomics_ref(),
          guard: pid,
          max_calls: pos_integer,
          max_bytes: pos_integer
        }

  @enforce_keys [:rows, :callers, :counters, :guard, :max_calls, :max_bytes]
  defstruct @enforce_keys

  @doc "Creates empty tables. The calling process is the guard and owns them."
  @spec new(pos_integer, pos_integer) :: t
  def new(max_calls, max_bytes) do
    %__MODULE__{
      rows: :ets.new(:portpool_calls, [:ordered_set, :public]),
      callers: :ets.new(:portpool_callers, [:set, :public]),
      counters: :atomics.new(3, signed: true),
      guard: self(),
      max_calls: max_calls,
      max_bytes: max_bytes
    }
  end

  @doc "Returns the next id of the calling process, and makes that process known to the guard."
  @spec next_id(t) :: Wire.id()
  def next_id(%__MODULE__{callers: callers} = calls) do
    [number, count] = :ets.update_counter(callers, self(), [{2, 0}, {3, 1, @max_count, 0}])
    number <<< @count_bits ||| count
  rescue
    ArgumentError ->
      introduce(calls)
      next_id(calls)
  end

  # The guard is told first: whoever is killed between the two lines leaves no row that nobody would remove.
  defp introduce(%__MODULE__{guard: guard, callers: callers, counters: counters}) do
    send(guard, {:watch, self()})
    number = :atomics.add_get(counters, @numbers, 1) &&& @max_number
    :ets.insert(callers, {self(), number, 0})
  end

  @doc """
  Enters a call, if there is room for it. `:in_use` if the id is in flight, after it came round.

  The row comes before the count: a caller that is killed between the two makes the guard uncount what was never
  counted, so that the limit gets one call wider. The other way round it would get narrower.
  """
  @spec enter(t, row) :: :ok | :full | :in_use
  def enter(%__MODULE__{rows: rows, counters: counters} = calls, {id, _alias, _caller, _port, bytes} = row) do
    if :ets.insert_new(rows, row) do
      in_flight = :atomics.add_get(counters, @calls, 1)
      queued = :atomics.add_get(counters, @bytes, bytes)

      if in_flight > calls.max_calls or queued > calls.max_bytes do
        take(calls, id)
        :full
      else
        :ok
      end
    else
      :in_use
    end
  end

  @doc "Takes a call out. `nil` if another process was faster, or the pool is gone."
  @spec take(t, Wire.id()) :: row | nil
  def take(%__MODULE__{rows: rows, counters: counters}, id) do
    case :ets.take(rows, id) do
      [{_id, _alias, _caller, _port, bytes} = row] ->
        :atomics.sub(counters, @calls, 1)
        :atomics.sub(counters, @bytes, bytes)
        row

      [] ->
        nil
    end
  rescue
    # The table ends with the guard.
    ArgumentError -> nil
  end

  @doc "Takes out all calls of a process that died, and forgets the process."
  @spec forget(t, pid) :: [row]
  def forget(%__MODULE__{callers: callers} = calls, caller) do
    case :ets.take(callers, caller) do
      [{_caller, number, _count}] -> take_from(calls, caller, number, (number <<< @count_bits) - 1)
      [] -> []
    end
  end

  defp take_from(%__MODULE__{rows: rows} = calls, caller, number, last) do
    case :ets.next(rows, last) do
      id when is_integer(id) and id >>> @count_bits == number ->
        List.wrap(take_if(calls, caller, id)) ++ take_from(calls, caller, number, id)

      _beyond ->
        []
    end
  end

  # Numbers come round after 2^35 callers: a neighbour may belong to a process that lives.
  defp take_if(%__MODULE__{rows: rows} = calls, caller, id) do
    if match?([{_id, _alias, ^caller, _port, _bytes}], :ets.lookup(rows, id)), do: take(calls, id)
  end
end
