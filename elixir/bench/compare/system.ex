defmodule Bench.System do
  @moduledoc "What is measured: something that calls functions of Python, or the floor under all that do."

  alias Bench.Settings

  @typedoc "A system that runs."
  @type handle :: term

  @typedoc "`size`, `max_overflow` and `max_queue` of the pool, and `preload`, the modules that its calls need."
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

  @doc "Makes a call until it is served: a pool that has not noticed the death of a worker may hand it out. Returns the result."
  @spec until_served((() -> term)) :: term
  def until_served(call) do
    case attempt(call) do
      {:ok, result} -> result
      {:failed, _reason} -> until_served(call)
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
