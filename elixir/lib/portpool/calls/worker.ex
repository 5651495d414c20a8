defmodule Portpool.Worker do
  @moduledoc """
  A worker that is leased: what `Portpool.checkout/2` returns and `Portpool.transaction/3` hands to its function.

  | field | value |
  |---|---|
  | `id` | the number of the worker in its pool |
  | `pid` | its pid in the operating system |
  | `holder` | the process that checked it out, which alone can check it in |

  `Portpool.call/5`, `call!/5`, `cast/5` and `async/5` take it in place of a pool, from any process that the holder has
  given it to; its calls run one after the other. The lease ends by `Portpool.checkin/2`, after `lease_timeout`, with
  its holder, or with its worker: when that dies, or when a call in it times out or is cancelled. Calls that come later are
  `:lease_lost`.
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
