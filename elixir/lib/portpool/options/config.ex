defmodule Portpool.Config do
  @moduledoc false

  # The validated options of a pool, with the defaults filled in. The environment, and what the functions that prepare
  # a worker are told, may hold secrets.

  alias Portpool.Options.{Secret, Table}

  @secrets Secret.options()
  @derive {Inspect, except: @secrets}
  @enforce_keys [:started | Enum.map(Table.rows(:pool), &elem(&1, 0))]
  defstruct @enforce_keys

  @typedoc "`started` is an atomic: 1 as soon as `start_link` has returned the pool."
  @type t :: %__MODULE__{}

  @doc "Returns the options without those that may hold secrets."
  @spec without_secrets(t) :: t
  def without_secrets(config), do: Map.merge(config, Map.new(@secrets, &{&1, nil}))
end
