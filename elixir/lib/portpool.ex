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

  `call/5` waits for the outcome; `async/5` with `await/1` and `cancel/1` lets the caller do something else meanwhile;
  `cast/5` is for what nobody waits for. `transaction/3` has one worker for several calls, `broadcast/5` all workers for
  one. `use Portpool` makes a module that is its own pool; the Erlang module `portpool` is the same for Erlang.

  ## Options of a pool

  #{Portpool.Options.Table.docs(:pool)}
  Unknown, mistyped and contradictory options are refused.

  ## Options of a call

  #{Portpool.Options.Table.docs(:call)}
  `key` cannot be combined with a worker that is checked out.

  ## Options of a checkout

  #{Portpool.Options.Table.docs(:checkout)}
  ## A module that is its own pool

      defmodule MyApp.Python do
        use Portpool, otp_app: :my_app, size: 4, python_path: ["priv/python"]
      end

      # config/runtime.exs
      config :my_app, MyApp.Python, size: 8

      children = [MyApp.Python]
      {:ok, 4.0} = MyApp.Python.call(:math, :sqrt, [16])

  It has the functions of this module without their first argument. Its name is that of the module. The options are
  those of a pool: what `start_link/1` or the child specification gives comes before the configuration of the
  application `otp_app`, and that before what `use` gives. `otp_app` itself is for `use` only.
  """

  alias Portpool.{
    Async,
    Bytes,
    Call,
    Definition,
    Directory,
    Encoding,
    Error,
    Guard,
    Lease,
    Options,
    Pool,
    Route,
    Worker
  }

  @typedoc "A pool: the name under which it is registered, or the pid that `start_link/1` returned."
  @type pool :: atom | pid | {:global, term} | {:via, module, term}

  @typedoc "A module or function of Python. Both may be dotted, as in `os.path` and `str.upper`."
  @type text :: atom | String.t() | charlist

  @typedoc """
  How a call was run: microseconds in the queue and in the worker, the worker's number and pid, and which attempt it
  was: 1, unless it was made again.
  """
  @type meta :: %{
          queue_us: non_neg_integer,
          run_us: non_neg_integer,
          worker: pos_integer,
          pid: pos_integer,
          attempt: pos_integer
        }

  @typedoc "What becomes of a call. It is `{:ok, value, meta}` with the option `meta: true` only."
  @type outcome :: {:ok, term} | {:ok, term, meta} | {:error, Error.t()}

  @doc false
  defmacro __using__(options), do: Definition.functions(options)

  @doc """
  Returns a specification to run a pool under a supervisor. See `start_link/1` for the options.

  Its `shutdown` is `drain_timeout` and 5000 ms: a supervisor that stops the pool lets running calls end.
  """
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: Keyword.get(options, :name) || __MODULE__,
      start: {__MODULE__, :start_link, [options]},
      type: :supervisor,
      shutdown: Options.child_shutdown(options)
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
  @spec call(pool | Worker.t(), text, text, [term], keyword) :: outcome
  def call(pool, module, function, args, options \\ []) do
    with {:ok, route, request, limit} <- prepare(pool, {module, function, args}, options),
         do: Call.run(route, request, limit)
  end

  @doc """
  Calls a function of Python like `call/5` and returns the value itself, or raises `Portpool.Error`.

  With `meta: true` it returns `{value, meta}`.
  """
  @spec call!(pool | Worker.t(), text, text, [term], keyword) :: term | {term, meta}
  def call!(pool, module, function, args, options \\ []) do
    case call(pool, module, function, args, options) do
      {:ok, value} -> value
      {:ok, value, meta} -> {value, meta}
      {:error, error} -> raise error
    end
  end

  @doc """
  Calls a function of Python and does not wait. What it returns is thrown away; if it fails, that is logged.

  `:ok` means that the call is on its way. It is not cancelled when the calling process dies.
  """
  @spec cast(pool | Worker.t(), text, text, [term], keyword) :: :ok | {:error, Error.t()}
  def cast(pool, module, function, args, options \\ []) do
    with {:ok, route, request, _limit} <- prepare(pool, {module, function, args}, options),
         {:ok, _id} <- Call.submit(route, request, {:unheard, {module, function}}, :cast),
         do: :ok
  end

  @doc """
  Calls a function of Python and returns at once. `await/1` waits for the outcome, `cancel/1` ends the call.

      calls = for city <- cities, do: Portpool.async(MyApp.Python, :weather, :forecast, [city])
      forecasts = Enum.map(calls, &Portpool.await/1)

  A call that could not even be made has its error as its outcome.
  """
  @spec async(pool | Worker.t(), text, text, [term], keyword) :: Async.t()
  def async(pool, module, function, args, options \\ []) do
    case prepare(pool, {module, function, args}, options) do
      {:ok, route, request, limit} -> Async.start(route, request, limit)
      {:error, error} -> Async.refused(error)
    end
  end

  @doc """
  Waits for the outcome of a call that `async/5` has made, once, in the process that made it.

  It takes no timeout: the call has its own limits, and ends within them.
  """
  @spec await(Async.t()) :: outcome
  def await(%Async{} = async), do: Async.await(async)

  @doc """
  Ends a call that `async/5` has made, and returns its outcome: `{:error, %Portpool.Error{reason: :cancelled}}`, or
  what came first. Nothing arrives later.

  A call that waits never runs; one that runs is stopped with its worker, unless `on_cancel: :finish` was said.
  """
  @spec cancel(Async.t()) :: outcome
  def cancel(%Async{} = async), do: Async.cancel(async)

  @doc """
  Takes a worker out of the pool, for several calls that need the same one.

  Only the calling process can give it back, by `checkin/2`. If it dies, or has not done so within `:lease_timeout`,
  the worker is stopped and replaced: nobody else gets it. `transaction/3` cannot forget to. See the
  [options](#module-options-of-a-checkout); `checkout_timeout: 0` does not wait.
  """
  @spec checkout(pool, keyword) :: {:ok, Worker.t()} | {:error, Error.t()}
  def checkout(pool, options \\ []) do
    with {:ok, options} <- Options.request(:checkout, options),
         {:ok, route} <- Directory.route(pool),
         do: Lease.checkout(route, options)
  end

  @doc """
  Gives a worker back. `broken: true` has it replaced.

  It is no error if the lease has ended already, by an earlier `checkin/2` or otherwise. A call of the lease that
  still runs goes on, and then the worker is free. From any process but the one that checked it out it is
  `:bad_request`, and does nothing.
  """
  @spec checkin(Worker.t(), keyword) :: :ok | {:error, Error.t()}
  def checkin(%Worker{} = worker, options \\ []) do
    with {:ok, options} <- Options.request(:checkin, options), do: Lease.checkin(worker, options)
  end

  @doc """
  Runs a function with a worker of its own, and returns `{:ok, what it returned}`.

      {:ok, model} =
        Portpool.transaction(MyApp.Python, fn worker ->
          {:ok, _} = Portpool.call(worker, :training, :load, ["data.csv"])
          Portpool.call!(worker, :training, :fit, [], timeout: 60_000)
        end)

  If it raises, exits or throws, the worker is replaced, since nobody knows in which state it is, and the exception
  goes on. If there is no worker to be had the function does not run. The options are those of `checkout/2`.
  """
  @spec transaction(pool, (Worker.t() -> result), keyword) :: {:ok, result} | {:error, Error.t()}
        when result: term
  def transaction(pool, fun, options \\ []) when is_function(fun, 1) do
    with {:ok, worker} <- checkout(pool, options), do: {:ok, Lease.run(worker, fun)}
  end

  @doc """
  Calls a function once on every worker, at the same time, and returns the outcomes in the order of the workers.

  It takes the workers that are ready. One that is starting is not among them: what every worker needs, also
  those to come, is for the option `init` of the pool. `:key` cannot be given.
  """
  @spec broadcast(pool, text, text, [term], keyword) :: [outcome] | {:error, Error.t()}
  def broadcast(pool, module, function, args, options \\ []) do
    with {:ok, _route} <- Directory.route(pool),
         {:ok, route, {:call, module, function, args, options}, limit} <-
           prepare(pool, {module, function, args}, options),
         :ok <- unbound(options),
         {:ok, %{workers: workers}} <- ask(route, :status) do
      workers
      |> Enum.filter(&(&1.state in [:idle, :busy, :leased]))
      |> Enum.map(
        &Async.start(route, {:call, module, function, args, Map.put(options, :worker, &1.id)}, limit)
      )
      |> Enum.map(&Async.await/1)
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
    with {:ok, route} <- Directory.route(pool), do: ask(route, :status)
  end

  @doc """
  Returns the state of a pool as Poolboy has it: whether a worker is to be had, and how many are idle, beyond `size`, and
  busy.

  `:ready` if a worker is idle or on its way, `:overflow` if only one beyond `size` can be had, `:full` if none can.
  """
  @spec status(pool, :poolboy) ::
          {:ready | :overflow | :full, idle :: non_neg_integer, overflow :: non_neg_integer,
           busy :: non_neg_integer}
          | {:error, Error.t()}
  def status(pool, :poolboy) do
    with {:ok, %{idle: idle, overflow: overflow, busy: busy} = status} <- status(pool),
         do: {availability(status), idle, overflow, busy}
  end

  defp availability(%{idle: idle, busy: busy, size: size}) when idle > 0 or busy < size, do: :ready
  defp availability(%{busy: busy, size: size, max_overflow: more}) when busy < size + more, do: :overflow
  defp availability(_status), do: :full

  @doc """
  Gives a running pool another size, 1 to 1024. It returns at once: workers are started, or retired between their calls.

  A pool that is started again, by its supervisor for example, has the size of its options.
  """
  @spec resize(pool, pos_integer) :: :ok | {:error, Error.t()}
  def resize(pool, size) do
    with {:ok, size} <- Options.size(size),
         {:ok, route} <- Directory.route(pool),
         {:ok, :resized} <- ask(route, {:resize, size}),
         do: Guard.resized(route.calls, size)
  end

  @doc """
  Has all workers replaced by new ones, which see the code as it now is. No call fails for it.

  A new worker is started beside the others first. If it gets ready the old ones go, each between two calls; if it
  does not, they stay, and the error `:worker_start` says why.
  """
  @spec reload(pool) :: :ok | {:error, Error.t()}
  def reload(pool) do
    with {:ok, route} <- Directory.route(pool),
         {:ok, :reloaded} <- Call.run(route, :reload, Route.limit(route, :reload)),
         do: :ok
  end

  @doc """
  Stops a pool and all its workers. It is no error if there is no such pool.

  Calls that wait end with `:shutdown` at once, those that run have `drain_timeout` to end, the pool's or the option given
  here: milliseconds or `:infinity`. A supervisor that stops a pool does the same.

  A supervisor starts its permanent children again: use `Supervisor.terminate_child/2` for those. A wrong option, or the
  name of a pool on another node, raises `Portpool.Error`.
  """
  @spec stop(pool, keyword) :: :ok
  def stop(pool, options \\ []) do
    with {:ok, options} <- Options.request(:stop, options),
         {:ok, pid} <- Directory.pool(pool) do
      Pool.stop(pid, options)
    else
      {:error, %Error{reason: :noproc}} -> :ok
      {:error, error} -> raise error
    end
  end

  # What all kinds of calls have in common: the way, the request, and the longest time in which the server answers.
  defp prepare(pool, {module, function, args}, options) do
    with {:ok, options} <- Options.request(:call, options),
         {:ok, route, options} <- target(pool, options),
         {:ok, args, options} <- Encoding.run(args, options),
         do: {:ok, route, {:call, module, function, args, options}, Route.limit(route, :call, options)}
  end

  defp target(%Worker{} = worker, options) do
    with :ok <- unbound(options), do: {:ok, worker.route, Map.put(options, :lease, worker.lease)}
  end

  defp target(pool, options) do
    with {:ok, route} <- Directory.route(pool), do: {:ok, route, options}
  end

  defp unbound(%{key: _key}),
    do:
      {:error,
       Options.refused(:key, "cannot be combined with a worker: that one runs the call, whatever the key")}

  defp unbound(_options), do: :ok

  defp ask(route, request), do: Call.run(route, request, Route.limit(route, :control))
end
