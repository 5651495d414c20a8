Code.require_file("mix/compile_portpool.exs", __DIR__)

defmodule Portpool.MixProject do
  use Mix.Project

  @version "0.1.0"
  @source_url "https://github.com/portpool/portpool"

  # In the order in which a reader needs them. A guide that is not named comes last.
  @guides ~w(first_pool python_environment releases systemd docker kubernetes models numpy testing sizing troubleshooting
             erlang)

  def project do
    Mix.Tasks.Compile.Portpool.check_release()

    [
      app: :portpool,
      version: @version,
      elixir: "~> 1.14",
      # Before the application file is written: an application that is compiled has its program.
      compilers: List.insert_at(Mix.compilers(), -2, :portpool),
      elixirc_paths: elixirc_paths(Mix.env()),
      # The peers of the benchmark, which are there or not, and what downloads an archive while compiling.
      xref: [exclude: [:poolboy, :python, :httpc, :inets, :public_key, :crypto]],
      name: "Portpool",
      description: description(),
      source_url: @source_url,
      homepage_url: @source_url,
      package: package(),
      docs: docs(),
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
      links: %{
        "GitHub" => @source_url,
        "Changelog" => "#{@source_url}/blob/v#{@version}/CHANGELOG.md",
        "Guides" => "#{@source_url}/tree/v#{@version}/docs/guides"
      },
      # No program: `mix compile` gets it. README.md says how.
      files: ~w(lib src mix mix.exs .formatter.exs README.md LICENSE)
    ]
  end

  defp docs do
    [
      main: "readme",
      source_ref: "v#{@version}",
      source_url_pattern: "#{@source_url}/blob/v#{@version}/elixir/%{path}#L%{line}",
      extras:
        ["README.md"] ++
          guides() ++
          ~w(../docs/types.md ../docs/protocol.md ../docs/faults.md ../docs/security.md ../CHANGELOG.md LICENSE),
      groups_for_extras: [Guides: ~r"docs/guides/", Reference: ~r"docs/[^/]+\.md$"],
      groups_for_modules: [
        Calls: [Portpool.Async, Portpool.Worker, Portpool.Error],
        Values: [Portpool.Encoder, Portpool.Bytes, Portpool.Tensor],
        "For users of Poolboy": [Portpool.Poolboy]
      ]
    ]
  end

  # The documentation is made in the repository: the guides are not in the package.
  defp guides do
    folder = "../docs/guides"

    for(file <- ls(folder), file =~ ~r/\.md$/, do: Path.join(folder, file))
    |> Enum.sort_by(&Enum.find_index(@guides, fn name -> name == Path.basename(&1, ".md") end))
  end

  defp ls(folder) do
    case File.ls(Path.expand(folder, __DIR__)) do
      {:ok, files} -> Enum.sort(files)
      {:error, _not_there} -> []
    end
  end
end
