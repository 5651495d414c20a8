defmodule Portpool.Build.Cargo do
  @moduledoc false

  # Builds the program from the sources of the repository, if the package lies in it.

  alias Portpool.Build.{Place, Target}

  @sources ["Cargo.toml", "Cargo.lock", "src/**/*.rs", "priv/**/*.py"]

  @doc "Returns the directory with the sources of the program, if it is around the package."
  @spec crate(Place.t()) :: Path.t() | nil
  def crate(place) do
    crate = Path.expand("..", place.source)

    case File.read(Path.join(crate, "Cargo.toml")) do
      {:ok, manifest} -> if manifest =~ ~r/^name = "portpool"$/m, do: crate
      {:error, _reason} -> nil
    end
  end

  @doc "Returns the path of cargo."
  @spec find() :: Path.t() | nil
  def find do
    at_home = Path.join(home(), "bin/cargo")
    System.find_executable("cargo") || if(File.regular?(at_home), do: at_home)
  end

  @doc "Returns the directory where cargo keeps what it installs."
  @spec home() :: Path.t()
  def home, do: System.get_env("CARGO_HOME") || Path.join(System.user_home() || "/", ".cargo")

  @doc "Returns the files that the program is built from."
  @spec sources(Path.t()) :: [Path.t()]
  def sources(crate) do
    # The path of the crate is no pattern, whatever characters it has.
    for pattern <- @sources,
        file <- :filelib.wildcard(to_charlist(pattern), to_charlist(crate)),
        do: Path.join(crate, file)
  end

  @doc "Builds the program and returns its path."
  @spec build(Path.t(), Path.t(), Place.t()) :: {:ok, Path.t()} | {:error, String.t()}
  def build(cargo, crate, place) do
    place.say.("Compiling the portpool server with cargo (release)")
    args = ~w(build --release --locked --bin portpool --message-format json-render-diagnostics)
    args = if place.target == Target.host(), do: args, else: args ++ ["--target", place.target]

    # What cargo says about its progress goes straight to this terminal: a release build takes a while.
    case System.cmd(cargo, args, cd: crate) do
      {said, 0} -> built(said, crate)
      {_said, status} -> {:error, "cargo build --release in #{crate} ended with status #{status}"}
    end
  end

  # It knows best where the program is: that depends on its configuration.
  defp built(said, crate) do
    case Regex.run(~r/"executable":"((?:[^"\\]|\\.)+)"/, said) do
      [_, path] -> {:ok, String.replace(path, ~r/\\(.)/, "\\1")}
      nil -> {:error, "cargo build --release in #{crate} did not say where the program is"}
    end
  end
end
