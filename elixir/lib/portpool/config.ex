defmodule Portpool.Config do
  @moduledoc false

  # The validated options of a pool, with the defaults filled in. The environment is not shown where a process of the
  # pool is logged: it may hold secrets.

  @derive {Inspect, except: [:env]}
  @enforce_keys [
    :name,
    :size,
    :max_overflow,
    :overflow_ttl,
    :checkout_timeout,
    :timeout,
    :start_timeout,
    :wait,
    :max_queue,
    :max_queue_bytes,
    :max_frame,
    :binaries,
    :none,
    :python,
    :python_path,
    :env,
    :cd,
    :binary,
    :shutdown,
    :started
  ]
  defstruct @enforce_keys

  @typedoc "`started` is an atomic: 1 as soon as `start_link` has returned the pool."
  @type t :: %__MODULE__{}
end
