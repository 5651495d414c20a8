defmodule Portpool.Bytes do
  @moduledoc """
  A binary that arrives in Python as `bytes`, whatever the option `binaries` says. `Portpool.bytes/1` makes one.

  It may stand at any depth of the arguments. What comes back is a plain binary, as for all `bytes` of Python.
  """

  @enforce_keys [:binary]
  defstruct @enforce_keys

  @type t :: %__MODULE__{binary: binary}
end
