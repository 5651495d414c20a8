defmodule Portpool.Bytes do
  @moduledoc """
  A binary that arrives in Python as `bytes`, whatever the option `binaries` says. Use `Portpool.bytes/1` to make one.

  It can be at any depth of the arguments. Python's `bytes` always come back as plain binaries.
  """

  @enforce_keys [:binary]
  defstruct @enforce_keys

  @type t :: %__MODULE__{binary: binary}
end
