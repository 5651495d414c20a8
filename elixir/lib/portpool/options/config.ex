defmodule Portpool.Config do
  @moduledoc false

  # The validated options of a pool, with the defaults filled in. The environment, and what the functions that prepare
  # a worker are told, are not shown where a process of the pool is logged: they may hold secrets.

  alias Portpool.Options.Table

  @derive {Inspect, except: [:env, :init, :warmup]}
  @enforce_keys [:started | Enum.map(Table.rows(:pool), &elem(&1, 0))]
  defstruct @enforce_keys

  @typedoc "`started` is an atomic: 1 as soon as `start_link` has returned the pool."
  @type t :: %__MODULE__{}
end
