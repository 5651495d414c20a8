defmodule Portpool.Build.Stamp do
  @moduledoc false

  # What a build remembers: where its program came from, and what that looked like.

  alias Portpool.Build.Place

  @doc "Notes that the program in priv came from `way`, and depends on these files."
  @spec put(Place.t(), term, [Path.t()]) :: :ok | {:error, String.t()}
  def put(place, way, files) do
    path = Place.stamp(place)
    stamp = {key(place), way, Enum.map(files, &seen/1), seen(Place.program(place))}

    with :ok <- File.mkdir_p(Path.dirname(path)), :ok <- File.write(path, :erlang.term_to_binary(stamp)) do
      :ok
    else
      {:error, reason} -> {:error, "#{path} cannot be written: #{:file.format_error(reason)}"}
    end
  end

  @doc "Tells whether the program is still that which came from `way`."
  @spec fresh?(Place.t(), term) :: boolean
  def fresh?(place, way) do
    with {:ok, ^way, files} <- read(place),
         do: Enum.all?(files, &(&1 == seen(elem(&1, 0)))),
         else: (_ -> false)
  end

  @doc "Tells whether the program is one that was installed for this version and target, from wherever."
  @spec valid?(Place.t()) :: boolean
  def valid?(place), do: read(place) != :none

  defp read(place) do
    {key, program} = {key(place), seen(Place.program(place))}

    with {:ok, bytes} <- File.read(Place.stamp(place)),
         {^key, way, files, ^program} when elem(program, 1) != nil <- term(bytes),
         do: {:ok, way, files},
         else: (_other -> :none)
  end

  defp term(bytes) do
    :erlang.binary_to_term(bytes, [:safe])
  rescue
    ArgumentError -> nil
  end

  defp key(place), do: {place.version, place.target}

  # A link counts as what it leads to.
  defp seen(path) do
    case File.stat(path, time: :posix) do
      {:ok, %File.Stat{type: :regular} = stat} -> {path, {stat.mtime, stat.size, stat.inode}}
      _missing -> {path, nil}
    end
  end
end
