defmodule Portpool.Options.Table do
  @moduledoc false

  # Every option there is, once: a row is `{key, type, default, unit and meaning}`. What is validated, documented and
  # told to the server (docs/protocol.md 7) comes from here.

  alias Portpool.Options.Type

  @type row :: {atom, Type.t(), default :: term, String.t()}
  @type name :: :pool | :call | :checkout | :checkin | :stop

  @pools "the pool's"
  @most 0x20000000000000

  @pool [
    {:name, :name, nil, "the name to register: an atom, `{:global, term}` or `{:via, module, term}`"},
    {:size, {:integer, 1..1024, [:auto]}, :auto,
     "workers that are always there; `:auto` is the number of processors that may be used"},
    {:max_overflow, {:integer, 0..1024, []}, 0, "workers beyond `size` that are started while calls wait"},
    {:overflow_ttl, :ms, 30_000, "ms; how long an idle overflow worker stays"},
    {:strategy, {:one_of, [:lifo, :fifo]}, :lifo,
     "which idle worker is next: `:lifo`, the one that was used last, whose caches are warm; `:fifo`, the one that has been idle longest"},
    {:checkout_timeout, :ms_or_infinity, 5_000, "ms; the longest wait for a worker"},
    {:timeout, :ms_or_infinity, 60_000, "ms; the longest run of a call, from the moment a worker gets it"},
    {:deadline, :ms_or_infinity, :infinity,
     "ms; the longest time in all: it cuts off what `checkout_timeout` and `timeout` leave"},
    {:grace, :ms, 0,
     "ms; how long a call that ran too long has after a `KeyboardInterrupt`, before its worker is killed; 0: it is killed at once"},
    {:on_cancel, {:one_of, [:kill, :finish]}, :kill,
     "what becomes of a running call that is cancelled, or whose caller died: its worker is killed, or runs it to its end for nobody"},
    {:retry, {:integer, 0..10, []}, 0,
     "how often a call that is `idempotent` is made again after its worker died"},
    {:quarantine, {:integer, 0..1000, []}, 3,
     "a call with `retry` that has killed so many workers in ten minutes is refused with `:quarantined`; 0: none is"},
    {:lease_timeout, :ms_or_infinity, 60_000,
     "ms; how long `checkout/2` and `transaction/3` have their worker"},
    {:start_timeout, :ms, 30_000, "ms; the longest start of a worker, `preload` and `init` included"},
    {:on_crash_loop, {:one_of, [:retry, :exit]}, :retry,
     "when workers keep failing: `:retry`, calls fail with `:crash_loop` until one starts; `:exit`, the pool ends, and its supervisor decides"},
    {:preload, :names, [],
     "modules that are imported before a worker is ready: once, in a template process from which workers are forked"},
    {:warmup, :mfa, nil, "`{module, function, args}`; a call that the template makes before the first fork"},
    {:init, :mfa, nil, "`{module, function, args}`; a call that each worker makes before it is ready"},
    {:max_calls, {:integer, 1..@most, [:infinity]}, :infinity,
     "a worker runs so many calls, never one more, and is replaced; above 10 up to a tenth less, by chance"},
    {:max_age, :ms_or_infinity, :infinity,
     "ms; an older worker is replaced between calls, up to a tenth earlier, by chance"},
    {:max_memory, {:integer, 0..@most, [:infinity]}, :infinity,
     "bytes; a worker with more resident memory after a call and a garbage collection is replaced"},
    {:memory_limit, {:integer, 0..@most, [:infinity]}, :infinity,
     "bytes; what a worker may allocate: beyond it Python raises MemoryError"},
    {:rlimits, :rlimits, %{},
     "map or keyword list; other limits of each worker and its children, as setrlimit(2) has them: `%{nofile: 1024, core: 0, cpu: 3600}`; also `as`, `fsize`, `memlock`, `msgqueue`, `nice`, `nproc`, `rtprio`, `rttime`, `sigpending`, `stack`"},
    {:no_new_privs, {:one_of, [true, false]}, false,
     "whether workers and what they start are kept from more rights than the server has: set-uid programs come to nothing"},
    {:pool_memory_limit, {:integer, 1..@most, [:infinity]}, :infinity,
     "bytes; what all workers and whatever they start may have together: the kernel kills one of them beyond it; needs a cgroup v2 with a memory controller, see `cgroup`"},
    {:cgroup, :cgroup, :auto,
     "the cgroup (v2) in which the pool has one of its own, in which everything that Python starts ends with it: `:auto`, the one that has been delegated to this VM, if there is one; `:none`; or its path, and then the pool does not start without it"},
    {:idle_check, :ms_or_infinity, :infinity,
     "ms; a worker that has been idle for so long is asked whether it is alive, and replaced if it is not"},
    {:busy_poll, {:integer, 0..1_000, [:auto]}, :auto,
     "µs; how long the server stays awake between calls in flight, and a worker after a call; `:auto` is 100, or 0 on one processor"},
    {:drain_timeout, :ms_or_infinity, 5_000,
     "ms; how long running calls have to end when the pool is stopped; those that wait get `:shutdown` at once"},
    {:wait, {:one_of, [:none, :first, :all]}, :first,
     "the workers that `start_link/1` waits for, within `start_timeout`"},
    {:max_queue, {:integer, 0..1_000_000, []}, 1_000,
     "calls that may wait; one more is refused with `:queue_full`"},
    {:max_queue_bytes, {:integer, 0..0xFFFFFFFFFFFF, []}, 268_435_456,
     "bytes; encoded calls that may wait, likewise"},
    {:max_inflight_bytes, {:integer, 65_536..0xFFFFFFFFFFFF, []}, 268_435_456,
     "bytes; encoded results that may be on their way, each counted twice; beyond it results wait in their workers"},
    {:max_frame, {:integer, 1024..0x7FFFFFFF, []}, 67_108_864,
     "bytes; the largest call and the largest reply"},
    {:allow, :names, nil,
     "patterns `module:function`: the functions that calls may name, where `*` stands for any characters but a dot; others end with `:denied`; all if it is not given"},
    {:binaries, {:one_of, [:str, :bytes]}, :str,
     "what a binary becomes in Python: `:str`, which must be UTF-8, or `:bytes`; see `Portpool.bytes/1`"},
    {:none, {:one_of, [nil, :undefined]}, nil,
     "the atom that is Python's `None`, both ways; the other one is an atom like any other"},
    {:python, :program, "python3", "the interpreter: a path, or a name that is looked up in `PATH`"},
    {:python_path, :paths, [],
     "directories before Python's own `sys.path`, in this order; a relative one starts at the current directory (`Application.app_dir/2` names those of an application)"},
    {:env, :env, %{},
     "map, keyword list or list of pairs; environment of the workers on top of this one; `false` removes a variable"},
    {:cd, :path, nil, "the working directory of the workers; the current one if it is not given"},
    {:binary, :path, nil,
     "the server program; else the environment variable `PORTPOOL_BINARY`, else `priv/portpool`"},
    {:shutdown, :shutdown, nil,
     "ms, `:infinity` or `:brutal_kill`; what a supervisor gives the pool to stop; if it is not given, `drain_timeout` and 5000"}
  ]

  @deadline {:deadline, :ms_or_infinity, @pools, "ms; the longest time in all, the wait included"}
  @key {:key, :term, nil, "any term; calls with the same key run on the same worker, as long as that lives"}
  @checkout_timeout {:checkout_timeout, :ms_or_infinity, @pools,
                     "ms; the longest wait for a worker; 0 means: only if one is idle now"}

  @call [
    {:timeout, :ms_or_infinity, @pools, "ms; the longest run, from the moment a worker gets the call"},
    @checkout_timeout,
    @deadline,
    {:grace, :ms, @pools, "as above"},
    {:on_cancel, {:one_of, [:kill, :finish]}, @pools, "as above"},
    {:idempotent, {:one_of, [true, false]}, false, "whether it does no harm to make this call twice"},
    {:retry, {:integer, 0..10, []}, @pools, "as above; needs `idempotent: true`"},
    @key,
    {:meta, {:one_of, [true, false]}, false,
     "whether the result is `{:ok, value, meta}`: how long it waited and ran, and where; see `t:meta/0`"},
    {:binaries, {:one_of, [:str, :bytes]}, @pools, "as above"},
    {:none, {:one_of, [nil, :undefined]}, @pools, "as above"},
    {:max_frame, {:integer, 1024..0x7FFFFFFF, []}, @pools,
     "bytes; the largest request and the largest reply of this call, if less than the pool's"},
    {:kwargs, :kwargs, %{}, "map or keyword list; arguments by keyword, on top of `args`"}
  ]

  @checkout [
    @checkout_timeout,
    {:lease_timeout, :ms_or_infinity, @pools, "ms; how long the worker may be kept"},
    @deadline,
    @key
  ]

  @checkin [
    {:broken, {:one_of, [true, false]}, false, "whether the worker is of no more use: it is replaced"}
  ]

  @stop [{:drain_timeout, :ms_or_infinity, @pools, "ms; how long running calls have to end"}]

  @tables %{pool: @pool, call: @call, checkout: @checkout, checkin: @checkin, stop: @stop}

  @spec rows(name) :: [row]
  def rows(table), do: Map.fetch!(@tables, table)

  @doc "Returns the defaults of the options of a pool."
  @spec defaults() :: map
  def defaults, do: Map.new(@pool, fn {key, _type, default, _doc} -> {key, default} end)

  @doc "Renders a table for the documentation."
  @spec docs(name) :: String.t()
  def docs(table) do
    rows =
      for {key, _type, default, doc} <- rows(table), do: "| `#{key}` | #{shown(key, default)} | #{doc} |\n"

    "| option | default | unit and meaning |\n|---|---|---|\n" <> Enum.join(rows)
  end

  defp shown(key, nil) when key != :none, do: "none"
  defp shown(_key, @pools), do: @pools
  defp shown(_key, value), do: "`#{inspect(value)}`"
end
