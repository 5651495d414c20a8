defmodule Bench.System do
  @moduledoc "What is measured: something that calls functions of Python, or the floor under all that do."

  alias Bench.Settings

  # Seconds.
  @patience 60

  @typedoc "A system that runs."
  @type handle :: term

  @typedoc """
  `size` and `max_overflow` of the pool, and further options of Portpool, which others leave alone; `program` is the one of a floor.
  """
  @type pool :: keyword

  @doc "Starts it, linked to the caller, or says in a few words why that cannot be."
  @callback start(pool, Settings.t()) :: {:ok, handle} | {:absent, String.t()}

  @doc "Runs in the process of each caller before the clock starts, and returns what that calls with."
  @callback enter(handle) :: handle

  @doc "Calls a function, and raises or exits if that fails."
  @callback call(handle, module, atom, [term]) :: term

  @doc "Runs in the process of each caller when it has made its last call."
  @callback leave(handle) :: :ok

  @doc "Returns when the pool is as it was at its start: with as many workers, all of them idle."
  @callback settle(handle) :: :ok

  @callback stop(handle) :: :ok

  @doc "The argument that is `bytes` in Python."
  @callback bytes(binary) :: term

  @doc "What comes back from a call that returns `result` in Python."
  @callback expected(args :: [term], result :: term) :: term

  @doc """
  Makes a call until it is served, and returns its result: a pool that has not noticed the death of a worker may hand it out. Raises
  when that takes a minute.
  """
  @spec until_served((() -> term)) :: term
  def until_served(call), do: until_served(call, System.monotonic_time(:second) + @patience)

  defp until_served(call, deadline) do
    case {attempt(call), System.monotonic_time(:second) < deadline} do
      {{:ok, result}, _in_time} -> result
      {{:failed, _reason}, true} -> until_served(call, deadline)
      {{:failed, reason}, false} -> raise "a call still fails after #{@patience} s: #{inspect(reason)}"
    end
  end

  @doc "Makes a call that may fail."
  @spec attempt((() -> term)) :: {:ok, term} | {:failed, term}
  def attempt(call) do
    {:ok, call.()}
  rescue
    error -> {:failed, error}
  catch
    :exit, reason -> {:failed, reason}
  end
end
