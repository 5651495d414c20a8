Code.require_file("mix/compile_portpool.exs", __DIR__)

defmodule Portpool.MixProject do
  use Mix.Project

  def project do
    Mix.Tasks.Compile.Portpool.check_release()

    [
      app: :portpool,
      version: "0.1.0",
      elixir: "~> 1.14",
      # Before the application file is written: an application that is compiled has its program.
      compilers: List.insert_at(Mix.compilers(), -2, :portpool),
      elixirc_paths: elixirc_paths(Mix.env()),
      # The peers of the benchmark, which are there or not, and what downloads an archive while compiling.
      xref: [exclude: [:poolboy, :python, :httpc, :inets, :public_key, :crypto]],
      description: description(),
      package: package(),
      deps: []
    ]
  end

  def application do
    [mod: {Portpool.Application, []}, extra_applications: [:logger]]
  end

  defp elixirc_paths(:bench), do: ["lib", "bench/compare"]
  defp elixirc_paths(:test), do: ["lib", "bench/compare", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  defp description do
    "A pool of Python workers, run as a port: checkout, timeout, cancellation, restart."
  end

  defp package do
    [
      licenses: ["Apache-2.0"],
      links: %{},
      files: ~w(lib src mix mix.exs .formatter.exs README.md)
    ]
  end
end
