defmodule PortpoolDemo.Application do
  @moduledoc false

  # One supervisor, one child: the pool of Python workers, under the name PortpoolDemo.Python.

  use Application

  @impl true
  def start(_type, _args) do
    options = Application.fetch_env!(:portpool_demo, :pool)
    children = [{Portpool, [name: PortpoolDemo.Python] ++ options}]
    Supervisor.start_link(children, strategy: :one_for_one, name: PortpoolDemo.Supervisor)
  end
end
