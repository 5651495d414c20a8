defmodule Bench.System do
  @moduledoc "A system under test: something that calls Python functions, or a floor."

  alias Bench.Settings

  # Seconds.
  @patience 60

  @typedoc "A running system."
  @type handle :: term

  @typedoc """
  `size`, `max_overflow`, and further options of Portpool, which the others ignore; `program` is the program of a floor.
  """
  @type pool :: keyword

  @doc "Starts it, linked to the caller, or says in a few words why it cannot start."
  @callback start(pool, Settings.t()) :: {:ok, handle} | {:absent, String.t()}

  @doc "Runs in each caller before the clock starts, and returns the handle for its calls."
  @callback enter(handle) :: handle

  @doc "Calls a function; raises or exits if that fails."
  @callback call(handle, module, atom, [term]) :: term

  @doc "Runs in each caller after its last call."
  @callback leave(handle) :: :ok

  @doc "Returns when the pool is as it was at start: all workers there and idle."
  @callback settle(handle) :: :ok

  @callback stop(handle) :: :ok

  @doc "The argument that is `bytes` in Python."
  @callback bytes(binary) :: term

  @doc "What a call returns whose Python function returns `result`."
  @callback expected(args :: [term], result :: term) :: term

  @doc """
  Repeats a call until it succeeds, and returns its result: a pool may hand out a worker whose death it has not noticed. Raises after
  a minute.
  """
  @spec until_served((... -> term)) :: term
  def until_served(call), do: until_served(call, System.monotonic_time(:second) + @patience)

  defp until_served(call, deadline) do
    case {attempt(call), System.monotonic_time(:second) < deadline} do
      {{:ok, result}, _in_time} -> result
      {{:failed, _reason}, true} -> until_served(call, deadline)
      {{:failed, reason}, false} -> raise "a call still fails after #{@patience} s: #{inspect(reason)}"
    end
  end

  @doc "Makes a call that may fail."
  @spec attempt((... -> term)) :: {:ok, term} | {:failed, term}
  def attempt(call) do
    {:ok, call.()}
  rescue
    error -> {:failed, error}
  catch
    :exit, reason -> {:failed, reason}
  end
end
