defmodule Mix.Tasks.Portpool.Install do
  @shortdoc "Installs the server program from a precompiled archive"

  @moduledoc """
  Downloads an archive with the server program, checks it, and installs the program into this project.

      mix portpool.install --checksums portpool-0.1.0.sha256
      mix portpool.install --url https://example.org/portpool --checksums portpool-0.1.0.sha256

  The archive is named after the version of this package and the machine, as in
  `portpool-0.1.0-x86_64-unknown-linux-gnu.tar.gz`. Its SHA-256 must be the one in the file of checksums, which has the
  format of `sha256sum`. Keep that file in your repository: then nobody can change an archive unnoticed. `make archive`
  in the repository of Portpool makes both, for a server of your own.

  The program is installed for this `MIX_ENV`, and the archive kept in `_build`, from where the other environments take
  it when they are compiled.

  ## Options

    * `--checksums` - the path or address of the file of checksums
    * `--url` - the address or path of the archive, or of the directory where it is. `{version}` and `{target}` are
      replaced. Default: the releases of Portpool
    * `--target` - the machine that the program is for, as Rust names it. Default: see below

  Without options it does what the configuration says:

      config :portpool, archive: [url: "https://example.org/portpool", checksums: "portpool-0.1.0.sha256"]

  With that in `config/config.exs`, `mix compile` does it by itself.

  ## Other ways to get the program

  `mix compile` takes the program from the first of these that the project names:

    * `PORTPOOL_BINARY`, or `config :portpool, binary: PATH`: a program that is already built
    * `config :portpool, archive: [url: URL, checksums: FILE]`: an archive, as above
    * `config :portpool, venv: PATH`: the wheel, in a virtual environment of Python

  If the project names none, and the package lies in the repository of Portpool, cargo builds the program. Otherwise it is
  the one that is in the build already, the one that this task has installed, or the one that `cargo install portpool` has
  put into `PATH` or into cargo's own directory.

  The program must have the version of the package, and run on this machine. To build for another one, set
  `PORTPOOL_TARGET`, or `config :portpool, target:`, to a target of Rust such as `aarch64-unknown-linux-gnu`. `TARGET_ARCH`,
  `TARGET_OS` and `TARGET_ABI` do the same, if all three are set. Such a program is not run, only its processor is checked.

  If there is no such program, compiling fails and says why.
  """

  use Mix.Task

  alias Mix.Portpool.Program
  alias Portpool.Build
  alias Portpool.Build.{Archive, Place, Target}

  @switches [url: :string, checksums: :string, target: :string]

  @impl true
  def run(args) do
    {options, rest} = OptionParser.parse!(args, strict: @switches)
    if rest != [], do: Mix.raise("mix portpool.install takes options only, and got #{Enum.join(rest, " ")}")

    with {:ok, target} <- target(options[:target]),
         place = %{Program.place() | target: target},
         {:ok, {:archive, archive}} <- archive(Keyword.delete(options, :target), place.root),
         {:ok, :filled} <- Build.install(archive, place) do
      Mix.shell().info("Installed portpool #{place.version} for #{target} into #{Place.program(place)}")
    else
      {:error, message} -> Mix.raise(message)
    end
  end

  defp target(nil), do: Target.wanted()
  defp target(target), do: {:ok, target}

  defp archive([], root) do
    case Application.get_env(:portpool, :archive) do
      nil -> {:error, "give --checksums FILE, and --url unless the archive is among the releases of Portpool"}
      archive -> Archive.options(archive, root)
    end
  end

  defp archive(options, root), do: Archive.options(options, root)
end
