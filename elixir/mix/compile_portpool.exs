defmodule Mix.Tasks.Compile.Portpool do
  @shortdoc "Builds the server program into priv/portpool"

  @moduledoc """
  Builds the server program with cargo and copies it to `priv/portpool`.

  It does nothing when `PORTPOOL_BINARY` names a program that is already built, when there are no Rust sources
  beside the Mix project, or when `priv/portpool` is newer than all of them. `CARGO_TARGET_DIR` is honoured.
  """

  use Mix.Task.Compiler

  # This file is loaded by mix.exs: a compiler of the project must exist before the project is compiled.
  @project Path.expand("..", __DIR__)
  @crate Path.expand("..", @project)
  @program Path.join(@project, "priv/portpool")
  @sources ["Cargo.toml", "Cargo.lock", "src/**/*.rs", "priv/**/*.py"]

  @impl true
  def run(_args) do
    if wanted?() and stale?() do
      build()
      install()
      {:ok, []}
    else
      {:noop, []}
    end
  end

  @impl true
  def clean, do: File.rm(@program)

  defp wanted? do
    System.get_env("PORTPOOL_BINARY") in [nil, ""] and File.regular?(Path.join(@crate, "Cargo.toml"))
  end

  defp stale? do
    sources = Enum.flat_map(@sources, &Path.wildcard(Path.join(@crate, &1)))
    Mix.Utils.stale?(sources, [@program])
  end

  defp build do
    cargo = System.find_executable("cargo") || Mix.raise(cargo_missing())
    Mix.shell().info("Compiling the portpool server with cargo (release)")

    # The output goes straight to this terminal: a release build takes a while.
    case System.cmd(cargo, ["build", "--release", "--bin", "portpool"], cd: @crate, into: IO.stream()) do
      {_output, 0} -> :ok
      {_output, status} -> Mix.raise("cargo build --release in #{@crate} ended with status #{status}")
    end
  end

  # A new file under the old name: a server that runs from the old one keeps it.
  defp install do
    File.mkdir_p!(Path.dirname(@program))
    File.cp!(Path.join([target(), "release", "portpool"]), @program <> ".new")
    File.rename!(@program <> ".new", @program)
    # The link from _build to priv is made only where priv exists already.
    Mix.Project.build_structure()
  end

  defp target, do: Path.expand(System.get_env("CARGO_TARGET_DIR") || "target", @crate)

  defp cargo_missing do
    """
    cargo was not found, and the portpool server has to be built. Install Rust (https://rustup.rs), or set \
    PORTPOOL_BINARY to the path of a portpool program that is already built.
    """
  end
end
