defmodule Portpool.Route do
  @moduledoc false

  # The way to a running server, as a caller needs it: where to write, whom to watch, what to wait at most.

  alias Portpool.Calls

  @type t :: %__MODULE__{
          port: port,
          owner: pid,
          calls: Calls.t(),
          max_frame: pos_integer,
          timeout: timeout,
          checkout_timeout: timeout
        }

  @enforce_keys [:port, :owner, :calls, :max_frame, :timeout, :checkout_timeout]
  defstruct @enforce_keys
end
