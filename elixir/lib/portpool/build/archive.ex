defmodule Portpool.Build.Archive do
  @moduledoc false

  # The program from an archive that was built elsewhere. Nothing in it is looked at before its checksum is that of the
  # file of checksums.

  alias Portpool.Build.{Download, Place}

  @releases "https://github.com/portpool/portpool/releases/download/v{version}"

  @typedoc "`url` is that of an archive, or of the directory with the archives of all targets."
  @type options :: %{url: String.t(), checksums: String.t()}

  @doc "Checks `config :portpool, archive:`, or the arguments of `mix portpool.install`."
  @spec options(term, Path.t()) :: {:ok, {:archive, options}} | {:error, String.t()}
  def options(given, root) do
    with true <- Keyword.keyword?(given) || {:error, "must be a keyword list, not #{inspect(given)}"},
         [] <- Keyword.keys(given) -- [:url, :checksums],
         {:ok, url} <- text(given, :url, @releases),
         {:ok, checksums} <- text(given, :checksums, nil) do
      {:ok, {:archive, %{url: Download.expand(url, root), checksums: Download.expand(checksums, root)}}}
    else
      {:error, what} ->
        {:error, "config :portpool, archive: #{what}"}

      [key | _keys] ->
        {:error, "config :portpool, archive: has no option #{inspect(key)}: give :url and :checksums"}
    end
  end

  defp text(given, key, default) do
    case Keyword.get(given, key, default) do
      text when is_binary(text) and text != "" -> {:ok, text}
      nil -> {:error, "needs #{inspect(key)}: the path or address of a file with the archive's SHA-256"}
      other -> {:error, "has #{inspect(other)} as #{inspect(key)}, which must be a path or an address"}
    end
  end

  @doc "Returns the name of the archive for a version and a target."
  @spec name(Place.t()) :: String.t()
  def name(place), do: "portpool-#{place.version}-#{place.target}.tar.gz"

  @doc """
  Returns the program in the archive, and the files of this machine that it was made from. An archive that was downloaded
  before is not downloaded again.
  """
  @spec program(options, Place.t()) :: {:ok, binary, [Path.t()]} | {:error, String.t()}
  def program(options, place) do
    url = url(options.url, place)

    with {:ok, checksums} <- Download.read(options.checksums),
         {:ok, checksum} <- checksum(checksums, Path.basename(url), options.checksums),
         {:ok, archive} <- archive(url, checksum, place),
         :ok <- verified(archive, checksum, url, options.checksums),
         {:ok, program} <- unpacked(archive, url) do
      keep(archive, checksum, place)
      {:ok, program, for("/" <> _rest = file <- [options.checksums, url], do: file)}
    end
  end

  @doc "Returns the program that `mix portpool.install` has installed in this project."
  @spec installed(Place.t()) :: {:ok, binary} | {:error, String.t()} | nil
  def installed(place) do
    kept = kept(place)

    with {:ok, archive} <- File.read(kept),
         {:ok, checksum} <- File.read(kept <> ".sha256") do
      with :ok <- verified(archive, String.trim(checksum), kept, kept <> ".sha256"),
           do: unpacked(archive, kept)
    else
      _not_installed -> nil
    end
  end

  defp url(url, place) do
    url = url |> String.replace("{version}", place.version) |> String.replace("{target}", place.target)
    if String.ends_with?(url, ".tar.gz"), do: url, else: String.trim_trailing(url, "/") <> "/" <> name(place)
  end

  # As sha256sum prints them, or shasum, or the tools of BSD; or one checksum and nothing else.
  defp checksum(text, name, origin) do
    found =
      for line <- String.split(text, ["\n", "\r"], trim: true),
          [_, checksum, file] <- [
            Regex.run(~r/^\s*([[:xdigit:]]{64})\s+\*?(\S.*?)\s*$/, line) || bsd(line) ||
              Regex.run(~r/^\s*([[:xdigit:]]{64})()\s*$/, line)
          ],
          do: {Path.basename(file), String.downcase(checksum)}

    case {List.keyfind(found, name, 0), found} do
      {{_name, checksum}, _found} -> {:ok, checksum}
      {nil, [{"", checksum}]} -> {:ok, checksum}
      {nil, []} -> {:error, "#{origin} has no SHA-256 checksums"}
      {nil, _found} -> {:error, "#{origin} has no checksum for #{name}. It has #{list(found)}"}
    end
  end

  defp bsd(line) do
    with [_, file, checksum] <- Regex.run(~r/^\s*SHA256 \((.+)\) = ([[:xdigit:]]{64})\s*$/, line),
         do: [line, checksum, file]
  end

  defp list(found), do: Enum.map_join(found, ", ", &elem(&1, 0))

  defp archive(url, checksum, place) do
    case File.read(kept(place)) do
      {:ok, archive} -> if sha256(archive) == checksum, do: {:ok, archive}, else: fetched(url, place)
      {:error, _reason} -> fetched(url, place)
    end
  end

  defp fetched(url, place) do
    place.say.("Fetching #{url}")
    Download.read(url)
  end

  defp verified(archive, checksum, url, origin) do
    case sha256(archive) do
      ^checksum ->
        :ok

      another ->
        {:error,
         "#{url} is not what #{origin} says it is: its SHA-256 is #{another}, and there it is #{checksum}. " <>
           "The archive is damaged, or was changed. Nothing of it was installed"}
    end
  end

  defp sha256(bytes), do: :sha256 |> :crypto.hash(bytes) |> Base.encode16(case: :lower)

  # Into memory: no path of the archive is written to.
  defp unpacked(archive, url) do
    with {:ok, files} <- :erl_tar.extract({:binary, archive}, [:memory, :compressed]),
         {_name, program} <- Enum.find(files, fn {name, _bytes} -> Path.basename("#{name}") == "portpool" end) do
      {:ok, program}
    else
      nil -> {:error, "#{url} has no program named portpool in it"}
      {:error, reason} -> {:error, "#{url} cannot be unpacked: #{:erl_tar.format_error(reason)}"}
    end
  end

  defp kept(place), do: Path.join(Place.store(place), name(place))

  # Only saves time: the next environment of the project finds it there.
  defp keep(archive, checksum, place) do
    kept = kept(place)
    new = "#{kept}.#{System.pid()}.new"

    with :ok <- File.mkdir_p(Path.dirname(kept)),
         :ok <- File.write(new, archive),
         :ok <- File.rename(new, kept),
         do: File.write(kept <> ".sha256", checksum <> "\n"),
         else: (_not_writable -> File.rm(new))
  end
end
