defmodule Bench.Work do
  @moduledoc "What a caller does again and again, and what of it is timed."

  alias Bench.{Hold, System}

  @enforce_keys [:make, :verify]
  defstruct [:make, :verify]

  @typedoc """
  `make` runs in the process of the caller, before the clock starts, and returns what is repeated: a function that returns its own
  nanoseconds. `verify` raises unless a system does this work and does it right.
  """
  @type t :: %__MODULE__{
          make: (module, System.handle() -> (() -> non_neg_integer)),
          verify: (module, System.handle() -> :ok)
        }

  @doc "One call after the other. `args` gets the system; `result` is what Python returns."
  @spec call(module, atom, (module -> [term]), term) :: t
  def call(module, function, args, result) do
    %__MODULE__{
      make: fn system, handle ->
        args = args.(system)
        fn -> timed(fn -> system.call(handle, module, function, args) end) end
      end,
      verify: fn system, handle ->
        args = args.(system)
        true = system.call(handle, module, function, args) == system.expected(args, result)
        :ok
      end
    }
  end

  @doc "The echo of a value."
  @spec echo(term) :: t
  def echo(value), do: call(:work, :echo, fn _system -> [value] end, value)

  @doc "The echo of a binary that is `bytes` in Python."
  @spec echo_bytes(binary) :: t
  def echo_bytes(binary), do: call(:work, :echo, &[&1.bytes(binary)], binary)

  @doc "The smallest call: `operator.add(1, 2)`."
  @spec small() :: t
  def small, do: call(:operator, :add, fn _system -> [1, 2] end, 3)

  @doc """
  From a call while every worker is busy to its answer by a worker that was started for it, and that needs numpy and pandas. After
  that the worker goes.
  """
  @spec one_more_worker() :: t
  def one_more_worker do
    repeat(fn system, handle ->
      hold = Hold.take(system, handle)
      time = timed(fn -> system.call(handle, :heavy, :load, []) end)
      Hold.release(hold)
      system.settle(handle)
      time
    end)
  end

  @doc "From a call whose worker gets SIGKILL to the answer of the next call, made as soon as the first has failed."
  @spec killed_worker() :: t
  def killed_worker do
    repeat(fn system, handle ->
      # A worker that dies before it has done anything is another matter: who starts it may pause.
      for _ <- 1..3, do: 3 = system.call(handle, :operator, :add, [1, 2])

      time =
        timed(fn ->
          {:failed, _reason} = attempt(fn -> system.call(handle, :work, :die, []) end)
          until_served(system, handle)
        end)

      system.settle(handle)
      time
    end)
  end

  defp repeat(work) do
    %__MODULE__{
      make: fn system, handle -> fn -> work.(system, handle) end end,
      verify: fn system, handle ->
        _time = work.(system, handle)
        :ok
      end
    }
  end

  # A pool that has not noticed the death may hand out the dead worker.
  defp until_served(system, handle) do
    case attempt(fn -> system.call(handle, :operator, :add, [1, 2]) end) do
      {:ok, 3} -> :ok
      {:failed, _reason} -> until_served(system, handle)
    end
  end

  defp attempt(call) do
    {:ok, call.()}
  rescue
    error -> {:failed, error}
  catch
    :exit, reason -> {:failed, reason}
  end

  defp timed(work) do
    start = :erlang.monotonic_time()
    work.()
    :erlang.convert_time_unit(:erlang.monotonic_time() - start, :native, :nanosecond)
  end
end
