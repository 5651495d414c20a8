defmodule Portpool.Build.Ways do
  @moduledoc false

  # What to say where there is no program, and where one may be that nobody has named.

  alias Portpool.Build.{Archive, Cargo, Place}

  @doc "Returns the paths of programs that were installed for this user or this machine."
  @spec in_path() :: [Path.t()]
  def in_path do
    directories = String.split(System.get_env("PATH", ""), ":") ++ [Path.join(cargo_root(), "bin")]

    for("/" <> _rest = directory <- directories, do: Path.join(directory, "portpool"))
    |> Enum.uniq()
    |> Enum.filter(&File.regular?/1)
  end

  defp cargo_root, do: System.get_env("CARGO_INSTALL_ROOT") || Cargo.home()

  @doc "Says that a program that was named is none for this build."
  @spec refused(String.t(), Place.t()) :: String.t()
  def refused(what, place), do: "#{what}. #{needed(place)}, for #{place.target}"

  @doc "Says that an environment has no program."
  @spec no_wheel(Path.t(), String.t(), Place.t()) :: String.t()
  def no_wheel(venv, origin, place) do
    make = if File.dir?(venv), do: "", else: "python3 -m venv #{quoted(venv)} && "

    "#{origin} names #{venv}, which has no bin/portpool. Install the wheel into it: " <>
      "#{make}#{quoted(Path.join(venv, "bin/pip"))} install portpool==#{place.version}"
  end

  defp quoted(path), do: if(path =~ ~r"^[\w./+-]+$", do: path, else: "'#{path}'")

  @doc "Lists the ways to get a program, where there is none."
  @spec none([String.t()], Place.t()) :: String.t()
  def none(reasons, place) do
    """
    The server program is missing. #{needed(place)} for #{place.target}, and gets it in one of these ways:

      * a program that is already built:
          PORTPOOL_BINARY=/path/to/portpool, or config :portpool, binary: "/path/to/portpool"
      * the wheel in a virtual environment of Python:
          pip install portpool==#{place.version}, and config :portpool, venv: "/path/to/venv"
      * cargo, into PATH or #{Path.join(cargo_root(), "bin")}:
          cargo install --locked portpool@#{place.version}
      * a precompiled archive, #{Archive.name(place)}:
          mix portpool.install --checksums FILE, or config :portpool, archive: [checksums: FILE]
      * cargo and the sources: the dependency is elixir/ in a checkout of https://github.com/portpool/portpool

    The configuration goes into config/config.exs. Then run the same command again.
    """ <> found(reasons)
  end

  defp found([]), do: ""
  defp found(reasons), do: "\nFound, but of no use:\n" <> Enum.map_join(reasons, &"  * #{&1}\n")

  defp needed(place), do: "Portpool #{place.version} needs the program of the same version"
end
