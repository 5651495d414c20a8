defmodule PortpoolDemo.Application do
  @moduledoc false

  # One supervisor, one child: the pool of Python workers, under the name PortpoolDemo.Python.

  use Application

  @impl true
  def start(_type, _args) do
    options = Application.fetch_env!(:portpool_demo, :pool)

    if File.exists?(options[:python]) do
      children = [{Portpool, [name: PortpoolDemo.Python] ++ options}]
      Supervisor.start_link(children, strategy: :one_for_one, name: PortpoolDemo.Supervisor)
    else
      {:error, "#{options[:python]} is missing: run elixir_demo/bin/setup-venv first"}
    end
  end
end
