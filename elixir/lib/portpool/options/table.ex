defmodule Portpool.Options.Table do
  @moduledoc false

  # Every option, once: a row is `{key, type, default, meaning}`. Validation, documentation and what the server is
  # told (docs/protocol.md 7) all come from here.

  alias Portpool.Options.Type

  @type row :: {atom, Type.t(), default :: term, String.t()}
  @type name :: :pool | :call | :checkout | :checkin | :stop

  @pools "the pool's"
  @most 0x20000000000000

  @everyday [
    {:name, :name, nil,
     "The name to register: an atom, `{:global, term}` or `{:via, module, term}`. A pool without a name is called by its pid."},
    {:size, {:integer, 1..1024, [:auto]}, :auto,
     "The number of workers. `:auto` is one for each processor that may be used."},
    {:max_overflow, {:integer, 0..1024, []}, 0, "How many more workers may start while calls wait."},
    {:python, :program, nil,
     "The interpreter, or a script that ends in `exec python3 \"$@\"`: a path, `{app, path}`, or a name to look up in `PATH`. Default: that of the virtual environment from which the server program is run, if pip has installed it in one, and otherwise `python3`. It is what runs for each worker, so a shim costs its time at each start."},
    {:venv, :path, nil,
     "A virtual environment: a path or `{app, path}`, such as `{:my_app, \"priv/venv\"}`. Its Python runs the workers, as if it had been activated. The pool does not start if that is not the Python with which the environment was made. It cannot be combined with `python`."},
    {:python_path, :paths, [],
     "Directories to search before Python's own `sys.path`, in this order. `{:my_app, \"priv/python\"}` is a directory of an application, in a release too. A relative path starts at the current directory."},
    {:env, :env, %{},
     "Environment variables for the workers, added to those of the VM: a map, a keyword list or a list of pairs. `false` removes a variable."},
    {:cd, :path, nil,
     "The working directory of the workers: a path or `{app, path}`. Default: that of the VM."},
    {:timeout, :ms_or_infinity, 60_000,
     "Milliseconds or `:infinity`. How long a call may run. The time starts when a worker gets the call."},
    {:checkout_timeout, :ms_or_infinity, 5_000,
     "Milliseconds or `:infinity`. How long a call or a checkout waits for a worker."},
    {:preload, :names, [],
     "Modules to import once, in a template process. Workers are forked from it, so they start fast and share memory."},
    {:init, :mfa, nil, "`{module, function, args}`. A call that each worker makes before it is ready."},
    {:start_timeout, :ms, 30_000,
     "Milliseconds. How long a worker may take to start, with `preload` and `init`."},
    {:wait, {:one_of, [:none, :first, :all]}, :first,
     "Which workers `start_link/1` waits for: none, the first, or all. It waits for `start_timeout` at most."},
    {:on_start_failure, {:one_of, [:retry, :fail]}, :retry,
     "What happens if a worker cannot start while `start_link/1` waits for it. `:retry`: the pool keeps trying, in the background after `start_timeout`. `:fail`: `start_link/1` returns Python's error, at the first failed start or after `start_timeout`. `:fail` cannot be combined with `wait: :none`."},
    {:drain_timeout, :ms_or_infinity, 5_000,
     "Milliseconds or `:infinity`. When the pool stops, running calls have this long to end. Waiting calls fail with `:shutdown` at once."}
  ]

  @careful [
    {:deadline, :ms_or_infinity, :infinity,
     "Milliseconds or `:infinity`. How long a call may take in all, waiting and running."},
    {:grace, :ms, 0,
     "Milliseconds. A call that runs too long gets a `KeyboardInterrupt`, and this long to clean up before its worker is killed. With 0 the worker is killed at once."},
    {:on_cancel, {:one_of, [:kill, :finish]}, :kill,
     "What happens to a running call that is cancelled, or whose caller dies. `:kill` kills its worker; `:finish` lets the call end and drops its result."},
    {:lease_timeout, :ms_or_infinity, 60_000,
     "Milliseconds or `:infinity`. How long `checkout/2` and `transaction/3` may keep a worker."},
    {:overflow_ttl, :ms, 30_000, "Milliseconds. How long an idle overflow worker stays."},
    {:strategy, {:one_of, [:lifo, :fifo]}, :lifo,
     "Which idle worker gets the next call. `:lifo`: the one used last, whose caches are warm. `:fifo`: the one that has been idle longest."},
    {:on_crash_loop, {:one_of, [:retry, :exit]}, :retry,
     "What happens when workers keep failing. `:retry`: calls fail with `:crash_loop` until a worker starts. `:exit`: the pool ends, and its supervisor decides."},
    {:quarantine, {:integer, 0..1000, []}, 3,
     "How many workers a call with `retry` may kill within ten minutes. The same call then fails with `:quarantined`. 0 means no limit."},
    {:max_queue, {:integer, 0..1_000_000, []}, 1_000,
     "How many calls may wait. Further calls fail with `:queue_full`."},
    {:max_calls, {:integer, 1..@most, [:infinity]}, :infinity,
     "A worker is replaced after this many calls. Above 10, each worker gets a random limit up to 10 % lower, so that they are not all replaced at once."},
    {:max_age, :ms_or_infinity, :infinity,
     "Milliseconds or `:infinity`. A worker this old is replaced between two calls. Each worker gets a random limit up to 10 % lower."},
    {:max_memory, {:integer, 0..@most, [:infinity]}, :infinity,
     "Bytes or `:infinity`. A worker is replaced if it has more resident memory than this after a call and a garbage collection."},
    {:memory_limit, {:integer, 0..@most, [:infinity]}, :infinity,
     "Bytes or `:infinity`. How much a worker may allocate. Beyond it Python raises `MemoryError`."},
    {:pool_memory_limit, {:integer, 1..@most, [:infinity]}, :infinity,
     "Bytes or `:infinity`. How much memory all workers and their children may use together. Beyond it the kernel kills one of them. Needs a `cgroup` with a memory controller."},
    {:rlimits, :rlimits, %{},
     "Further limits for each worker and its children, as in setrlimit(2): `%{nofile: 1024, core: 0, cpu: 3600}`. A map or keyword list; also `as`, `fsize`, `memlock`, `msgqueue`, `nice`, `nproc`, `rtprio`, `rttime`, `sigpending`, `stack`."},
    {:no_new_privs, {:one_of, [true, false]}, false,
     "With `true`, workers and their children cannot gain rights: set-uid programs run without them."},
    {:allow, :names, nil,
     "Patterns `module:function` of the functions that calls may name. `*` stands for any characters but a dot. Other calls fail with `:denied`. Default: all functions."},
    {:binaries, {:one_of, [:str, :bytes]}, :str,
     "What a binary becomes in Python: `:str`, which must be UTF-8, or `:bytes`. See `Portpool.bytes/1`."},
    {:none_as, {:one_of, [nil, :undefined]}, nil,
     "The atom for Python's `None`, in arguments and results. The other one is then an ordinary atom."}
  ]

  @rare [
    {:warmup, :mfa, nil,
     "`{module, function, args}`. A call that the template process makes before it forks the first worker."},
    {:idle_check, :ms_or_infinity, :infinity,
     "Milliseconds or `:infinity`. A worker that has been idle this long is checked, and replaced if it does not answer."},
    {:busy_poll, {:integer, 0..1_000, [:auto]}, :auto,
     "Microseconds. How long the server and the workers poll for the next event before they sleep. `:auto` is 100, or 0 on one processor."},
    {:prefetch, {:one_of, [:auto, :off]}, :auto,
     "Whether short calls may be sent to a busy worker before it can run them. They begin sooner, and are taken back if they cannot."},
    {:signals, {:one_of, [:ignore, :drain]}, :ignore,
     "What SIGTERM, SIGINT, SIGHUP and SIGQUIT do to the server. `:ignore`: nothing, since the VM decides when its pools stop. `:drain`: the server lets running calls end, and stops."},
    {:max_queue_bytes, {:integer, 0..0xFFFFFFFFFFFF, []}, 268_435_456,
     "Bytes. How much the waiting calls may take in all. Further calls fail with `:queue_full`."},
    {:max_inflight_bytes, {:integer, 65_536..0xFFFFFFFFFFFF, []}, 268_435_456,
     "Bytes. How much memory results may take in the server. Each result counts as twice its size, for what the worker sent and for the reply made from it. When the limit is reached, results wait in their workers."},
    {:max_frame, {:integer, 1024..0x7FFFFFFF, []}, 67_108_864,
     "Bytes. The largest call, and the largest result."},
    {:cgroup, :cgroup, :auto,
     "Where the pool makes its own cgroup (v2), so that all processes that Python starts end with the pool. `:auto`: in the cgroup delegated to this VM, if there is one. A path: there, or the pool does not start. `:none`: nowhere."},
    {:binary, :binary, nil,
     "The server program: a path, `{app, path}`, or `:venv` for `bin/portpool` in the `venv` of the pool. Default: the environment variable `PORTPOOL_BINARY`, then `priv/portpool`, which `mix compile` has filled, then `PATH`."},
    {:shutdown, :shutdown, nil,
     "Milliseconds, `:infinity` or `:brutal_kill`. How long a supervisor waits for the pool to stop. Default: `drain_timeout` plus 5000 ms."}
  ]

  @groups [
    {"Everyday", "Most pools set some of these.", @everyday},
    {"With care", "These change what a call may rely on, or what Python may do. Read each before you set it.",
     @careful},
    {"Rare", "The defaults fit nearly every pool. Measure before you change them.", @rare}
  ]

  @checkout_timeout {:checkout_timeout, :ms_or_infinity, @pools,
                     "Milliseconds or `:infinity`. How long to wait for a worker. With 0 the call needs one that is idle now."}
  @deadline {:deadline, :ms_or_infinity, @pools,
             "Milliseconds or `:infinity`. How long the call may take in all, waiting and running."}
  @key {:key, :term, nil,
        "Any term. Calls with equal keys run on the same worker for as long as it lives, and wait for it even if others are idle."}

  @call [
    {:timeout, :ms_or_infinity, @pools,
     "Milliseconds or `:infinity`. How long the call may run. The time starts when a worker gets it."},
    @checkout_timeout,
    @deadline,
    {:kwargs, :kwargs, %{}, "A map or keyword list. Keyword arguments of the function."},
    @key,
    {:retry, :retry, nil,
     "`[max: n]`, n from 0 to 10. If the worker dies, the call runs again on another one, up to n times. Use it only for calls that may run twice."},
    {:grace, :ms, @pools,
     "Milliseconds. How long the call may clean up after it ran too long and got a `KeyboardInterrupt`. With 0 its worker is killed at once."},
    {:on_cancel, {:one_of, [:kill, :finish]}, @pools,
     "What happens to the call if it is cancelled while it runs. `:kill` kills its worker; `:finish` lets the call end and drops its result."},
    {:binaries, {:one_of, [:str, :bytes]}, @pools, "What a binary becomes in Python: `:str` or `:bytes`."},
    {:none_as, {:one_of, [nil, :undefined]}, @pools,
     "The atom for Python's `None`, in arguments and result."},
    {:max_frame, {:integer, 1024..0x7FFFFFFF, []}, @pools,
     "Bytes. The largest size of this call and of its result. The pool's limit still holds."}
  ]

  @checkout [
    put_elem(
      @checkout_timeout,
      3,
      "Milliseconds or `:infinity`. How long to wait for a worker. With 0 one must be idle now."
    ),
    {:lease_timeout, :ms_or_infinity, @pools,
     "Milliseconds or `:infinity`. How long the worker may be kept."},
    put_elem(@deadline, 3, "Milliseconds or `:infinity`. An upper limit for the wait."),
    put_elem(
      @key,
      3,
      "Any term. Checks out the worker that had this key last, and waits for it even if others are idle."
    )
  ]

  @checkin [
    {:broken, {:one_of, [true, false]}, false, "With `true` the worker is replaced instead of used again."}
  ]

  @stop [
    {:drain_timeout, :ms_or_infinity, @pools,
     "Milliseconds or `:infinity`. How long running calls have to end."}
  ]

  @tables %{
    pool: Enum.flat_map(@groups, &elem(&1, 2)),
    call: @call,
    checkout: @checkout,
    checkin: @checkin,
    stop: @stop
  }

  # Options that had another name or place: what to write now.
  @moved %{
    pool: %{
      none: "is now called :none_as",
      retry:
        "is an option of a call, not of a pool. A pool promises to run each call at most once; say " <>
          "`retry: [max: 2]` with each call that may run twice",
      idempotent: "is now part of :retry, an option of a call: `retry: [max: 2]`"
    },
    call: %{
      none: "is now called :none_as",
      idempotent: "is now part of :retry: `retry: [max: 2]`",
      meta: "is now a function: call_with_meta/5 returns `{:ok, value, meta}`"
    }
  }

  @spec rows(name) :: [row]
  def rows(table), do: Map.fetch!(@tables, table)

  @doc "Returns what to write instead of an option that has moved, or `nil`."
  @spec moved(name, atom) :: String.t() | nil
  def moved(table, key), do: get_in(@moved, [table, key])

  @doc "Returns the options as the server knows them: `docs/protocol.md` 7."
  @spec wire(map) :: map
  def wire(options) do
    Enum.reduce(options, options, fn
      {:none_as, atom}, wire -> wire |> Map.delete(:none_as) |> Map.put(:none, atom)
      {:retry, max}, wire -> Map.merge(wire, %{idempotent: true, retry: max})
      _same, wire -> wire
    end)
  end

  @doc "Returns the defaults of the options of a pool."
  @spec defaults() :: map
  def defaults, do: Map.new(rows(:pool), fn {key, _type, default, _doc} -> {key, default} end)

  @doc "Renders the options for the documentation: those of a pool in groups, all others in one table."
  @spec docs(name) :: String.t()
  def docs(:pool) do
    Enum.map_join(@groups, "\n", fn {name, meaning, rows} ->
      "### #{name}\n\n#{meaning}\n\n" <> rendered(rows)
    end)
  end

  def docs(table), do: table |> rows() |> rendered()

  defp rendered(rows) do
    "| option | default | meaning |\n|---|---|---|\n" <>
      Enum.map_join(rows, fn {key, _type, default, doc} ->
        "| `#{key}` | #{shown(key, default)} | #{doc} |\n"
      end)
  end

  defp shown(key, nil) when key != :none_as, do: "none"
  defp shown(_key, @pools), do: @pools
  defp shown(_key, value), do: "`#{inspect(value)}`"
end
