defmodule Portpool do
  @moduledoc """
  A pool of Python workers.

      children = [
        {Portpool, name: MyApp.Python, size: 4, max_overflow: 2, python_path: ["priv/python"]}
      ]

      {:ok, plan} = Portpool.call(MyApp.Python, :auto_stacking, :optimize, [job], timeout: 10_000)

  The workers belong to a server program, which runs as a port. A call is written to the port by the process that
  makes it, and its reply is decoded there. Each call has exactly one outcome, `{:ok, value}` or
  `{:error, %Portpool.Error{}}`: also if Python dies, if the server dies, or if there is no pool of that name.

  ## Options of a pool

  #{Portpool.Options.docs(:pool)}
  Unknown and mistyped options are refused.

  ## Options of a call

  #{Portpool.Options.docs(:call)}
  """

  alias Portpool.{Bytes, Call, Directory, Encoding, Error, Options, Pool}

  @typedoc "A pool: the name under which it is registered, or the pid that `start_link/1` returned."
  @type pool :: atom | pid | {:global, term} | {:via, module, term}

  @typedoc "A module or function of Python. Both may be dotted, as in `os.path` and `str.upper`."
  @type text :: atom | String.t() | charlist

  # What `status/1` waits for the server.
  @status_timeout 5_000

  @doc """
  Returns a specification to run a pool under a supervisor. See `start_link/1` for the options.
  """
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: Keyword.get(options, :name) || __MODULE__,
      start: {__MODULE__, :start_link, [options]},
      type: :supervisor,
      shutdown: Keyword.get(options, :shutdown, Options.default(:shutdown))
    }
  end

  @doc """
  Starts a pool, linked to the calling process. The [options](#module-options-of-a-pool) are those of the module.

  It returns when Python was found, is new enough, and as many workers are ready as `:wait` says; if they are not
  within `:start_timeout` the pool lives and goes on trying. A wrong option or a Python that cannot be used is
  `{:error, %Portpool.Error{}}`, at once and without an exit signal.
  """
  @spec start_link(keyword) :: {:ok, pid} | {:error, Error.t() | {:already_started, pid}}
  def start_link(options) do
    with {:ok, config} <- Options.pool(options), do: Pool.start_link(config)
  end

  @doc """
  Calls a function of Python with positional arguments, and waits for what it returns.

  `:timeout` limits how long it runs: whatever overruns is stopped, with all its processes, before the error is
  returned. `:checkout_timeout` limits the wait for a worker. See the [options](#module-options-of-a-call).
  If the calling process dies its call is cancelled.

      {:ok, 4.0} = Portpool.call(MyApp.Python, :math, :sqrt, [16])
      {:ok, [3, 2, 1]} = Portpool.call(MyApp.Python, "builtins", "sorted", [[1, 2, 3]], kwargs: %{reverse: true})
  """
  @spec call(pool, text, text, [term], keyword) :: {:ok, term} | {:error, Error.t()}
  def call(pool, module, function, args, options \\ []) do
    with {:ok, options} <- Options.call(options),
         {:ok, route} <- Directory.route(pool),
         {:ok, args, options} <- Encoding.run(args, options) do
      Call.run(route, {:call, module, function, args, options}, limit(route, options))
    end
  end

  @doc """
  Calls a function of Python like `call/5` and returns the value itself, or raises `Portpool.Error`.
  """
  @spec call!(pool, text, text, [term], keyword) :: term
  def call!(pool, module, function, args, options \\ []) do
    case call(pool, module, function, args, options) do
      {:ok, value} -> value
      {:error, error} -> raise error
    end
  end

  @doc """
  Marks a binary as one that arrives in Python as `bytes`, at any depth of the arguments of a call.

  A plain binary arrives as `str` and must be UTF-8, unless the option `binaries: :bytes` says that all are `bytes`.

      {:ok, 907_060_870} = Portpool.call(MyApp.Python, :zlib, :crc32, [Portpool.bytes("hello")])
  """
  @spec bytes(binary) :: Bytes.t()
  def bytes(binary) when is_binary(binary), do: %Bytes{binary: binary}

  @doc """
  Returns the state of a pool: workers, queue, counters. `docs/protocol.md` 10 lists the keys.
  """
  @spec status(pool) :: {:ok, map} | {:error, Error.t()}
  def status(pool) do
    with {:ok, route} <- Directory.route(pool), do: Call.run(route, :status, @status_timeout)
  end

  @doc """
  Stops a pool and all its workers. Calls in flight end with `:shutdown`. It is no error if there is no such pool.

  A supervisor starts its permanent children again: use `Supervisor.terminate_child/2` for those.
  """
  @spec stop(pool) :: :ok
  def stop(pool) do
    case Directory.pool(pool) do
      {:ok, pid} -> Pool.stop(pid)
      {:error, %Error{reason: :noproc}} -> :ok
      {:error, error} -> raise error
    end
  end

  # The longest time in which the server answers by itself.
  defp limit(route, options) do
    case {Map.get(options, :checkout_timeout, route.checkout_timeout),
          Map.get(options, :timeout, route.timeout)} do
      {:infinity, _run} -> :infinity
      {_wait, :infinity} -> :infinity
      {wait, run} -> wait + run
    end
  end
end
