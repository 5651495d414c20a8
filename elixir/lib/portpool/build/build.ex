defmodule Portpool.Build do
  @moduledoc false

  # Puts the server program into priv while the package is compiled, so that a release has it. What the project names is
  # taken, or it is an error. If it names nothing: the sources around the package, the program that is there, what
  # `mix portpool.install` has fetched, what is in PATH.

  alias Portpool.Build.{Archive, Cargo, Install, Place, Settings, Stamp, Target, Ways}

  @doc "Fills priv if it is not up to date, and returns what was done."
  @spec fill(Place.t(), boolean) :: {:ok, :noop | :filled} | {:error, String.t()}
  def fill(place, force? \\ false) do
    with {:ok, target} <- Target.wanted(),
         place = %{place | target: target},
         {:ok, way} <- Settings.way(place.root) do
      chosen(way || around(place), place, force?)
    end
  end

  @doc "Fills priv from an archive, whatever the project names."
  @spec install(Archive.options(), Place.t()) :: {:ok, :filled} | {:error, String.t()}
  def install(options, place), do: take({:archive, options}, place)

  defp around(place) do
    with crate when crate != nil <- Cargo.crate(place),
         cargo when cargo != nil <- Cargo.find(),
         do: {:cargo, cargo, crate}
  end

  defp chosen(nil, place, force?) do
    if not force? and Stamp.valid?(place), do: {:ok, :noop}, else: any(place)
  end

  defp chosen(way, place, force?) do
    if not force? and Stamp.fresh?(place, key(way)), do: {:ok, :noop}, else: take(way, place)
  end

  # What a stamp remembers of a way. New sources are sources that have changed.
  defp key({:cargo, _cargo, crate}), do: {:cargo, crate, crate |> Cargo.sources() |> :erlang.phash2()}
  defp key(way), do: way

  defp take({:binary, path, origin} = way, place),
    do: put(way, {:file, path}, [path], "#{origin} names #{path}, which", place)

  defp take({:venv, venv, origin} = way, place) do
    path = Path.join(venv, "bin/portpool")

    if File.exists?(path),
      do: put(way, {:file, path}, [path], "#{path} (#{origin})", place),
      else: {:error, Ways.no_wheel(venv, origin, place)}
  end

  defp take({:archive, options} = way, place) do
    with {:ok, program, files} <- Archive.program(options, place),
         do: put(way, {:bytes, program}, files, "the program in #{Archive.name(place)}", place)
  end

  defp take({:cargo, cargo, crate} = way, place) do
    with {:ok, path} <- Cargo.build(cargo, crate, place),
         do: put(way, {:file, path}, Cargo.sources(crate), path, place)
  end

  defp put(way, source, files, named, place) do
    case Install.put(source, place) do
      :ok -> with :ok <- Stamp.put(place, key(way), files), do: {:ok, :filled}
      {:error, {:place, message}} -> {:error, message}
      {:error, {:program, what}} -> {:error, Ways.refused("#{named} #{what}", place)}
    end
  end

  # The first that is this version and runs here. What is wrong with the others is told if there is none.
  defp any(place) do
    Enum.reduce_while(candidates(place), {:error, []}, fn {named, source}, {:error, reasons} ->
      case first(source.(), place) do
        :ok -> {:halt, :ok}
        nil -> {:cont, {:error, reasons}}
        {:error, {:program, what}} -> {:cont, {:error, ["#{named} #{what}" | reasons]}}
        {:error, {:place, message}} -> {:halt, {:error, message}}
      end
    end)
    |> case do
      :ok -> with :ok <- Stamp.put(place, :any, []), do: {:ok, :filled}
      {:error, reasons} when is_list(reasons) -> {:error, Ways.none(Enum.reverse(reasons), place)}
      {:error, message} -> {:error, message}
    end
  end

  defp first(:there, place) do
    if File.exists?(Place.program(place)), do: Install.keep(place)
  end

  defp first({:ok, bytes}, place), do: Install.put({:bytes, bytes}, place)
  defp first({:file, path}, place), do: if(File.exists?(path), do: Install.put({:file, path}, place))
  defp first({:error, message}, _place), do: {:error, {:program, message}}
  defp first(nil, _place), do: nil

  defp candidates(place) do
    there = {Place.program(place), fn -> :there end}
    installed = {"the program of mix portpool.install", fn -> Archive.installed(place) end}
    [there, installed | Enum.map(Ways.in_path(), fn path -> {path, fn -> {:file, path} end} end)]
  end
end
