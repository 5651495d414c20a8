defmodule Portpool.Options.Secret do
  @moduledoc false

  # The value of an option that may hold secrets, as it is in a child specification: `Logger` and `inspect/2` do not show
  # it where a supervisor reports on its child.

  @derive {Inspect, only: []}
  @enforce_keys [:value]
  defstruct @enforce_keys

  @type t :: %__MODULE__{value: term}

  @options [:env, :init, :warmup]

  @doc "Returns the options that may hold secrets."
  @spec options() :: [atom]
  def options, do: @options

  @doc "Hides the values of these options in a list or map of options. Anything else stays as it is."
  @spec hide(term) :: term
  def hide(options) when is_list(options), do: Enum.map(options, &hidden/1)
  def hide(options) when is_map(options) and not is_struct(options), do: Map.new(options, &hidden/1)
  def hide(other), do: other

  defp hidden({key, value}) when key in @options and not is_struct(value, __MODULE__),
    do: {key, %__MODULE__{value: value}}

  defp hidden(option), do: option

  @doc "Returns the options with their values, hidden or not."
  @spec reveal(term) :: term
  def reveal(options) when is_list(options), do: Enum.map(options, &revealed/1)
  def reveal(other), do: other

  defp revealed({key, %__MODULE__{value: value}}), do: {key, value}
  defp revealed(option), do: option
end
