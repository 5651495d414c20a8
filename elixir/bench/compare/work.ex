defmodule Bench.Work do
  @moduledoc "What a caller does repeatedly, and which part of it is timed."

  alias Bench.Hold

  # If a worker dies after fewer calls, a pool may take that for a failed start and back off.
  @calls 3

  @enforce_keys [:make, :verify]
  defstruct [:make, :verify]

  @typedoc """
  `make` runs in the caller before the clock starts, and returns the function to repeat, which returns its own duration in nanoseconds.
  `verify` raises unless the system does this work correctly.
  """
  @type t :: %__MODULE__{
          make: (module, Bench.System.handle() -> (... -> non_neg_integer)),
          verify: (module, Bench.System.handle() -> :ok)
        }

  @doc "One call after the other. `args` is called with the system; `result` is what Python returns."
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

  @doc "Echoes a value."
  @spec echo(term) :: t
  def echo(value), do: call(:work, :echo, fn _system -> [value] end, value)

  @doc "Echoes a binary that is `bytes` in Python."
  @spec echo_bytes(binary) :: t
  def echo_bytes(binary), do: call(:work, :echo, &[&1.bytes(binary)], binary)

  @doc "The smallest call: `operator.add(1, 2)`."
  @spec small() :: t
  def small, do: call(:operator, :add, fn _system -> [1, 2] end, 3)

  @doc """
  Times a call made while the only worker is busy, to the reply from a worker started for it, which needs these modules. Afterwards the
  pool shrinks again.
  """
  @spec one_more_worker([String.t()]) :: t
  def one_more_worker(modules) do
    repeat(fn system, handle ->
      hold = Hold.take(system, handle, 1)
      time = timed(fn -> system.call(handle, :heavy, :load, [modules]) end)
      Hold.release(hold)
      system.settle(handle)
      time
    end)
  end

  @doc "Times from a call whose worker gets SIGKILL to the reply to the next call, made as soon as the first has failed."
  @spec killed_worker() :: t
  def killed_worker do
    repeat(fn system, handle ->
      for _ <- 1..@calls, do: add(system, handle)

      time =
        timed(fn ->
          {:failed, _reason} = Bench.System.attempt(fn -> system.call(handle, :work, :die, []) end)
          Bench.System.until_served(fn -> add(system, handle) end)
        end)

      system.settle(handle)
      time
    end)
  end

  @doc "Times from `kill -9` of all idle workers to the moment when as many new ones, with these modules, each run a call."
  @spec killed_workers(pos_integer, [String.t()]) :: t
  def killed_workers(count, modules) do
    repeat(fn system, handle ->
      for _ <- 2..@calls, do: Hold.release(Hold.take(system, handle, count, modules))
      hold = Hold.take(system, handle, count, modules)
      Hold.release(hold)
      start = :erlang.monotonic_time()
      {_output, 0} = System.cmd("kill", ["-KILL" | hold.pids])
      again = Hold.take(system, handle, count, modules)
      time = since(start)
      Hold.release(again)
      system.settle(handle)
      time
    end)
  end

  defp add(system, handle), do: 3 = system.call(handle, :operator, :add, [1, 2])

  defp repeat(work) do
    %__MODULE__{
      make: fn system, handle -> fn -> work.(system, handle) end end,
      verify: fn system, handle ->
        _time = work.(system, handle)
        :ok
      end
    }
  end

  defp timed(work) do
    start = :erlang.monotonic_time()
    work.()
    since(start)
  end

  defp since(start), do: :erlang.convert_time_unit(:erlang.monotonic_time() - start, :native, :nanosecond)
end
