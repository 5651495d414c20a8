defmodule Portpool.Build.Install do
  @moduledoc false

  # Puts a program into priv, all of it or nothing: a new file beside the old one is checked, and takes its name.

  alias Portpool.Build.{Check, Place}

  @doc "Installs a file, or bytes. An error says what is wrong with the program, or with the place."
  @spec put({:file, Path.t()} | {:bytes, binary}, Place.t()) ::
          :ok | {:error, {:program | :place, String.t()}}
  def put(source, place) do
    new = Path.join(Place.priv(place), "portpool.#{System.pid()}.#{System.unique_integer([:positive])}.new")

    try do
      with :ok <- readable(source),
           :ok <- at(place, directory(Place.priv(place))),
           :ok <- at(place, write(source, new)),
           :ok <- at(place, File.chmod(new, 0o755)),
           :ok <- checked(new, place) do
        at(place, File.rename(new, Place.program(place)))
      end
    after
      File.rm(new)
    end
  end

  @doc "Keeps the program that is in priv already, if it is the right one."
  @spec keep(Place.t()) :: :ok | {:error, {:program | :place, String.t()}}
  def keep(place) do
    program = Place.program(place)

    with :ok <- checked(program, place),
         do: if(System.find_executable(program), do: :ok, else: at(place, File.chmod(program, 0o755)))
  end

  defp readable({:bytes, _bytes}), do: :ok

  defp readable({:file, path}) do
    case File.stat(path) do
      {:ok, %File.Stat{type: :regular}} -> :ok
      {:ok, _another} -> {:error, {:program, "is not a file"}}
      {:error, :enoent} -> {:error, {:program, "does not exist"}}
      {:error, reason} -> {:error, {:program, "cannot be read: #{:file.format_error(reason)}"}}
    end
  end

  # A link that leads nowhere is left from a build whose sources had priv.
  defp directory(priv) do
    if match?({:ok, %{type: :symlink}}, File.lstat(priv)) and not File.exists?(priv), do: File.rm(priv)
    File.mkdir_p(priv)
  end

  defp write({:file, path}, new), do: File.cp(path, new)
  defp write({:bytes, bytes}, new), do: File.write(new, bytes)

  defp at(_place, :ok), do: :ok

  defp at(place, {:error, reason}) do
    {:error,
     {:place,
      "the program cannot be put into #{Place.priv(place)}: #{:file.format_error(reason)}. " <>
        "The build has to be able to write there; MIX_BUILD_PATH names another directory for it"}}
  end

  defp checked(new, place) do
    with {:error, what} <- Check.run(new, place), do: {:error, {:program, what}}
  end
end
