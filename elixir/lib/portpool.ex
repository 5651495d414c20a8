defmodule Portpool do
  @moduledoc """
  Calls Python functions in a pool of worker processes.

      children = [
        {Portpool, name: MyApp.Python, size: 4, python_path: [{:my_app, "priv/python"}]}
      ]

      {:ok, plan} = Portpool.call(MyApp.Python, :auto_stacking, :optimize, [job], timeout: 10_000)

  A server program, started as a port, owns the workers. The calling process writes its call to the port and decodes
  the reply itself. Each call has exactly one outcome, `{:ok, value}` or `{:error, %Portpool.Error{}}`, even if Python
  dies, the server dies, or no pool has that name.

  | to | use |
  |---|---|
  | call a function and wait | `call/5`, `call!/5`, `call_with_meta/5` |
  | call now and wait later | `async/5` with `await/2`, `yield/2`, `await_many/2`, `cancel/1` or `async_result/2` |
  | call for the effect alone | `cast/5` |
  | make several calls on one worker | `transaction/3`, or `checkout/2` and `checkin/2` |
  | call once on every worker | `broadcast/5` |
  | look after a pool | `status/1`, `resize/2`, `reload/1`, `flush_logs/1`, `stop/2` |
  | make a module that is its own pool | `use Portpool` |

  The Erlang module `portpool` offers the same.

  ## Options of a pool

  A wrong option is refused: `start_link/1` returns an error that names it. `{app, path}` is a path inside an
  application, found at start by `Application.app_dir/2`.

  #{Portpool.Options.Table.docs(:pool)}
  ## Options of a call

  #{Portpool.Options.Table.docs(:call)}
  A call on a worker that is checked out takes no `key`.

  ## Options of a checkout

  #{Portpool.Options.Table.docs(:checkout)}
  ## A module that is its own pool

      defmodule MyApp.Python do
        use Portpool, otp_app: :my_app, size: 4, python_path: [{:my_app, "priv/python"}]
      end

      # config/runtime.exs
      config :my_app, MyApp.Python, size: 8

      children = [MyApp.Python]
      {:ok, 4.0} = MyApp.Python.call(:math, :sqrt, [16])

  The module is the name of the pool. It has all functions of `Portpool`; those that take a pool take it from the
  module. Options come from three places, the last one wins: `use`, the configuration of `otp_app`, and the child
  specification or `start_link/1`. Only `use` takes `otp_app`.
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
    Options.Secret,
    Owner,
    Pool,
    Route,
    Worker
  }

  @typedoc "A pool: its registered name, or the pid that `start_link/1` returned."
  @type pool :: atom | pid | {:global, term} | {:via, module, term}

  @typedoc "A Python module or function. Both may be dotted, as in `os.path` and `str.upper`."
  @type text :: atom | String.t() | charlist

  @typedoc """
  How a call ran: microseconds in the queue and in the worker, the worker's number and pid, and how many attempts it
  took.
  """
  @type meta :: %{
          queue_us: non_neg_integer,
          run_us: non_neg_integer,
          worker: pos_integer,
          pid: pos_integer,
          attempt: pos_integer
        }

  @typedoc "How a call ended."
  @type outcome :: {:ok, term} | {:error, Error.t()}

  @doc false
  defmacro __using__(options), do: Definition.functions(options)

  @doc """
  Returns a child specification for a supervisor. It takes the options of `start_link/1`.

  The supervisor gives the pool `drain_timeout` plus 5000 ms to stop, so that running calls can end.

  If the pool cannot start, the supervisor gets `{%Portpool.Error{}, stacktrace}` as the reason, since supervisors and
  applications print that as the message of the error.
  """
  @spec child_spec(keyword) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: Options.given(options, :name) || __MODULE__,
      start: {Pool, :start_child, [__MODULE__, :start_link, [Secret.hide(options)]]},
      type: :supervisor,
      shutdown: Options.child_shutdown(options)
    }
  end

  @doc """
  Starts a pool and links it to the calling process. See the [options](#module-options-of-a-pool).

  It returns once Python was found and as many workers are ready as `:wait` says. If they are not ready within
  `:start_timeout`, the pool lives and keeps trying. A wrong option, or a Python that cannot be used, is
  `{:error, %Portpool.Error{}}`, at once and without an exit signal.

      iex> {:ok, pool} = Portpool.start_link(size: 1)
      iex> Portpool.call(pool, :os, :getcwd, [])
      {:ok, File.cwd!()}
      iex> Portpool.stop(pool)
      :ok
  """
  @spec start_link(keyword) :: {:ok, pid} | {:error, Error.t() | {:already_started, pid}}
  def start_link(options) do
    with {:ok, config} <- Options.pool(options), do: Pool.start_link(config)
  end

  @doc """
  Calls a Python function with positional arguments and waits for its result.

  `:timeout` limits how long the call runs: it is stopped, with all processes that it started, before the error is
  returned. `:checkout_timeout` limits how long it waits for a worker. See the [options](#module-options-of-a-call).
  If the calling process dies, its call is cancelled.

      iex> Portpool.call(MyApp.Python, :math, :sqrt, [16])
      {:ok, 4.0}
      iex> Portpool.call(MyApp.Python, "builtins", "sorted", [[1, 2, 3]], kwargs: %{reverse: true})
      {:ok, [3, 2, 1]}
      iex> {:error, error} = Portpool.call(MyApp.Python, :time, :sleep, [60], timeout: 50)
      iex> error.reason
      :timeout
  """
  @spec call(pool | Worker.t(), text, text, [term], keyword) :: outcome
  def call(pool, module, function, args, options \\ []) do
    with {:ok, route, request, limit} <- prepare(pool, {module, function, args}, options),
         do: Call.run(route, request, limit)
  end

  @doc """
  Like `call/5`, but returns the value itself, or raises `Portpool.Error`.

      iex> Portpool.call!(MyApp.Python, :operator, :add, [1, 2])
      3
  """
  @spec call!(pool | Worker.t(), text, text, [term], keyword) :: term
  def call!(pool, module, function, args, options \\ []) do
    case call(pool, module, function, args, options) do
      {:ok, value} -> value
      {:error, error} -> raise error
    end
  end

  @doc """
  Like `call/5`, but also returns how the call ran: how long it waited, how long it ran, and where.

      iex> {:ok, 4.0, meta} = Portpool.call_with_meta(MyApp.Python, :math, :sqrt, [16])
      iex> meta |> Map.keys() |> Enum.sort()
      [:attempt, :pid, :queue_us, :run_us, :worker]
  """
  @spec call_with_meta(pool | Worker.t(), text, text, [term], keyword) ::
          {:ok, term, meta} | {:error, Error.t()}
  def call_with_meta(pool, module, function, args, options \\ []) do
    with {:ok, route, {:call, module, function, args, options}, limit} <-
           prepare(pool, {module, function, args}, options),
         do: Call.run(route, {:call, module, function, args, Map.put(options, :meta, true)}, limit)
  end

  @doc """
  Calls a Python function and does not wait. Its result is dropped; a failure is logged.

  `:ok` means that the call is on its way. It goes on if the calling process dies.

      iex> Portpool.cast(MyApp.Python, :gc, :collect, [])
      :ok
  """
  @spec cast(pool | Worker.t(), text, text, [term], keyword) :: :ok | {:error, Error.t()}
  def cast(pool, module, function, args, options \\ []) do
    with {:ok, route, request, _limit} <- prepare(pool, {module, function, args}, options),
         {:ok, _id} <- Call.submit(route, request, {:unheard, {module, function}}, :cast),
         do: :ok
  end

  @doc """
  Calls a Python function and returns at once.

  `await/2`, `yield/2` or `await_many/2` fetch the outcome, `cancel/1` ends the call. In a GenServer, `async_result/2`
  reads the message that arrives in `handle_info/2`. `Portpool.Async` shows that, and compares all of this with `Task`.

      iex> calls = for n <- 1..4, do: Portpool.async(MyApp.Python, :math, :factorial, [n])
      iex> Portpool.await_many(calls)
      [ok: 1, ok: 2, ok: 6, ok: 24]

  A call that could not be made has its error as its outcome.
  """
  @spec async(pool | Worker.t(), text, text, [term], keyword) :: Async.t()
  def async(pool, module, function, args, options \\ []) do
    case prepare(pool, {module, function, args}, options) do
      {:ok, route, request, limit} -> Async.start(route, request, limit)
      {:error, error} -> Async.refused(error)
    end
  end

  @doc """
  Waits for the outcome of a call, in the process that made it.

  By default it waits for as long as the call may take. After `timeout` milliseconds it cancels the call and returns
  `{:error, %Portpool.Error{reason: :cancelled}}`, or the value if that came first. Nothing arrives later.

      iex> call = Portpool.async(MyApp.Python, :math, :sqrt, [16])
      iex> Portpool.await(call)
      {:ok, 4.0}
  """
  @spec await(Async.t(), timeout) :: outcome
  def await(%Async{} = async, timeout \\ :infinity), do: Async.await(async, timeout)

  @doc """
  Waits for the outcome of a call for `timeout` milliseconds. If there is none by then it returns `nil`, and the call
  goes on.

      iex> call = Portpool.async(MyApp.Python, :time, :sleep, [60])
      iex> {:error, error} = Portpool.yield(call, 10) || Portpool.cancel(call)
      iex> error.reason
      :cancelled
  """
  @spec yield(Async.t(), timeout) :: outcome | nil
  def yield(%Async{} = async, timeout \\ 5_000), do: Async.yield(async, timeout)

  @doc """
  Waits for the outcomes of several calls, and returns them in the same order.

  After `timeout` milliseconds all calls that have not ended are cancelled, and their outcome is `:cancelled`. If one
  call fails the others go on.
  """
  @spec await_many([Async.t()], timeout) :: [outcome] | {:error, Error.t()}
  def await_many(asyncs, timeout \\ :infinity) when is_list(asyncs), do: Async.await_many(asyncs, timeout)

  @doc """
  Returns the outcome that a message has for a call, or `:unknown` if it is not the message of this call.

  It is for `handle_info/2` and for your own `receive`. Each call sends one message: `{async.ref, packet}`, or a `:DOWN`
  with that reference. See `Portpool.Async`.
  """
  @spec async_result(Async.t(), message :: term) :: outcome | :unknown
  def async_result(%Async{} = async, message), do: Async.result(async, message)

  @doc """
  Ends a call and returns its outcome: `{:error, %Portpool.Error{reason: :cancelled}}`, or what came first. Nothing
  arrives later.

  A waiting call never runs. A running one is stopped with its worker, unless it was made with `on_cancel: :finish`.
  """
  @spec cancel(Async.t()) :: outcome
  def cancel(%Async{} = async), do: Async.cancel(async)

  @doc """
  Checks a worker out, for several calls that need the same one. See the [options](#module-options-of-a-checkout).

  Only the calling process can give it back, with `checkin/2`; `transaction/3` does so by itself. If the process dies,
  or keeps the worker for longer than `:lease_timeout`, the worker is stopped and replaced: nobody else gets it.

      iex> {:ok, worker} = Portpool.checkout(MyApp.Python)
      iex> Portpool.call(worker, :math, :sqrt, [16])
      {:ok, 4.0}
      iex> Portpool.checkin(worker)
      :ok
  """
  @spec checkout(pool, keyword) :: {:ok, Worker.t()} | {:error, Error.t()}
  def checkout(pool, options \\ []) do
    with {:ok, options} <- Options.request(:checkout, options),
         {:ok, route} <- Directory.route(pool),
         do: Lease.checkout(route, options)
  end

  @doc """
  Gives a worker back. With `broken: true` it is replaced.

  It does no harm if the lease has ended already. A call that still runs in the lease goes on, and then the worker is
  free. Any process but the one that checked the worker out gets `:bad_request`.
  """
  @spec checkin(Worker.t(), keyword) :: :ok | {:error, Error.t()}
  def checkin(%Worker{} = worker, options \\ []) do
    with {:ok, options} <- Options.request(:checkin, options), do: Lease.checkin(worker, options)
  end

  @doc """
  Runs a function with a worker of its own, and returns `{:ok, result}`.

      iex> Portpool.transaction(MyApp.Python, fn worker ->
      ...>   {:ok, nil} = Portpool.call(worker, :random, :seed, [42])
      ...>   Portpool.call!(worker, :random, :randint, [7, 7])
      ...> end)
      {:ok, 7}

  If the function raises, exits or throws, the worker is replaced, since its state is unknown, and the exception goes
  on. If no worker is available, the function does not run. It takes the options of `checkout/2`.
  """
  @spec transaction(pool, (Worker.t() -> result), keyword) :: {:ok, result} | {:error, Error.t()}
        when result: term
  def transaction(pool, fun, options \\ []) when is_function(fun, 1) do
    with {:ok, worker} <- checkout(pool, options), do: {:ok, Lease.run(worker, fun)}
  end

  @doc """
  Calls a function once on every worker, at the same time, and returns `{:ok, outcomes}`, in the order of the workers.

  Only workers that are ready take part. One that has left by the time of its call has the outcome `:worker_gone`. What
  every worker needs, later ones too, belongs in the option `init` of the pool. It takes the options of `call/5`, without
  `:key`.

      iex> Portpool.broadcast(MyApp.Python, :math, :sqrt, [16])
      {:ok, [ok: 4.0]}
  """
  @spec broadcast(pool, text, text, [term], keyword) :: {:ok, [outcome]} | {:error, Error.t()}
  def broadcast(pool, module, function, args, options \\ []) do
    with {:ok, _route} <- Directory.route(pool),
         {:ok, route, {:call, module, function, args, options}, limit} <-
           prepare(pool, {module, function, args}, options),
         :ok <- unbound(options),
         {:ok, %{workers: workers}} <- ask(route, :status) do
      calls =
        for %{state: state, id: id} <- workers, state in [:idle, :busy, :leased] do
          Async.start(route, {:call, module, function, args, Map.put(options, :worker, id)}, limit)
        end

      {:ok, Enum.map(calls, &Async.await(&1, :infinity))}
    end
  end

  @doc """
  Marks a binary that should arrive in Python as `bytes`. It works at any depth of the arguments.

  A plain binary arrives as `str` and must be UTF-8. With the option `binaries: :bytes`, all arrive as `bytes`.

      iex> Portpool.call(MyApp.Python, :zlib, :crc32, [Portpool.bytes("hello")])
      {:ok, 907_060_870}
  """
  @spec bytes(binary) :: Bytes.t()
  def bytes(binary) when is_binary(binary), do: %Bytes{binary: binary}

  @doc """
  Returns the state of a pool: its workers, its queue and its counters. [docs/protocol.md](https://github.com/portpool/portpool/blob/main/docs/protocol.md) 10
  lists the keys.

      iex> {:ok, status} = Portpool.status(MyApp.Python)
      iex> {status.size, status.busy, status.waiting}
      {1, 0, 0}
  """
  @spec status(pool) :: {:ok, map} | {:error, Error.t()}
  def status(pool) do
    with {:ok, route} <- Directory.route(pool), do: ask(route, :status)
  end

  # Its old name.
  @doc false
  @spec status(pool, term) :: {:error, Error.t()}
  def status(_pool, _form),
    do: {:error, Error.new(:bad_request, "status(pool, :poolboy) is now Portpool.Poolboy.status(pool)")}

  @doc """
  Changes the size of a running pool, from 1 to 1024 workers. It returns at once: workers start, or leave between two
  calls.

  A pool that is started again has the size of its options.

      iex> Portpool.resize(MyApp.Python, 2)
      :ok
  """
  @spec resize(pool, pos_integer) :: :ok | {:error, Error.t()}
  def resize(pool, size) do
    with {:ok, size} <- Options.size(size),
         {:ok, route} <- Directory.route(pool),
         {:ok, :resized} <- ask(route, {:resize, size}),
         do: Guard.resized(route.calls, size)
  end

  @doc """
  Replaces all workers with new ones, which load the current code. No call fails because of it.

  One new worker is started first. When it is ready the old ones leave, each between two calls. If it cannot start the
  old ones stay, and the error `:worker_start` says why.

      iex> Portpool.reload(MyApp.Python)
      :ok
  """
  @spec reload(pool) :: :ok | {:error, Error.t()}
  def reload(pool) do
    with {:ok, route} <- Directory.route(pool),
         {:ok, :reloaded} <- Call.run(route, :reload, Route.limit(route, :reload)),
         do: :ok
  end

  @doc """
  Waits until everything that Python has printed and logged so far is in `Logger`.

  Lines that were dropped are counted there. A line without a newline at its end is logged once it has one. It does not
  wait for calls. A test that looks for what a call prints calls it before it looks:

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          Portpool.call!(MyApp.Python, :builtins, :print, ["hello"])
          :ok = Portpool.flush_logs(MyApp.Python)
        end)

      assert log =~ "hello"
  """
  @spec flush_logs(pool) :: :ok | {:error, Error.t()}
  def flush_logs(pool) do
    with {:ok, route} <- Directory.route(pool),
         {:ok, :flushed} <- ask(route, :flush),
         do: Owner.flush(route.owner)
  end

  @doc """
  Stops a pool and all its workers. It does no harm if the pool is not running.

  Waiting calls fail with `:shutdown` at once. Running calls have `drain_timeout` to end: the pool's, or the option given
  here. A supervisor that stops a pool does the same.

  A supervisor starts a permanent child again: use `Supervisor.terminate_child/2` there. A wrong option, or the name of
  a pool on another node, raises `Portpool.Error`.
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

  # What all kinds of calls need: the route, the request, and how long the server may take to answer.
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
       Options.refused(:key, "does not go with a worker: the call runs on that worker, whatever the key")}

  defp unbound(_options), do: :ok

  defp ask(route, request), do: Call.run(route, request, Route.limit(route, :control))
end
