defmodule PortpoolDemo.MixProject do
  use Mix.Project

  def project do
    [
      app: :portpool_demo,
      version: "0.1.0",
      elixir: "~> 1.14",
      test_paths: ["test/elixir"],
      deps: [{:portpool, path: "../elixir"}]
    ]
  end

  def application do
    [mod: {PortpoolDemo.Application, []}, extra_applications: [:logger]]
  end
end
