defmodule Portpool.Application do
  @moduledoc false

  use Application

  alias Portpool.Directory

  @impl true
  def start(_type, _args) do
    # The table belongs to the process of the application itself, which outlives every other one here.
    Directory.new()
    Supervisor.start_link([Directory], strategy: :one_for_one, name: Portpool.Supervisor)
  end
end
