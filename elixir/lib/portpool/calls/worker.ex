defmodule Portpool.Worker do
  @moduledoc """
  A worker that is checked out: what `Portpool.checkout/2` returns, and what `Portpool.transaction/3` gives its function.

  | field | value |
  |---|---|
  | `id` | the number of the worker in its pool |
  | `pid` | the worker's operating system pid |
  | `holder` | the process that checked it out; only this one can check it in |

  `Portpool.call/5`, `call!/5`, `call_with_meta/5`, `cast/5` and `async/5` take it in place of a pool, in any process. Its
  calls run one after the other.

  The lease ends with `Portpool.checkin/2`, after `lease_timeout`, and when its holder dies. It also ends when the worker
  dies, and when one of its calls times out or is cancelled. Later calls fail with `:lease_lost`.
  """

  alias Portpool.{Route, Wire}

  @derive {Inspect, only: [:id, :pid, :holder]}
  @enforce_keys [:id, :pid, :holder, :lease, :route]
  defstruct @enforce_keys

  @typedoc "A leased worker. `lease` and `route` are for the library alone."
  @type t :: %__MODULE__{
          id: pos_integer,
          pid: non_neg_integer,
          holder: pid,
          lease: Wire.id(),
          route: Route.t()
        }
end
