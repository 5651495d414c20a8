defmodule Portpool.Options.Paths do
  @moduledoc false

  # Paths in options, made absolute: from the current directory, or from where an application is.

  @doc "Returns an absolute path."
  @spec expand(String.t()) :: {:ok, String.t()} | {:error, String.t()}
  def expand(path) do
    case :file.get_cwd() do
      {:ok, directory} -> {:ok, Path.expand(path, native(directory))}
      {:error, :enoent} -> without_directory(path)
      {:error, _another} -> without_directory(path, "is not known, as its name is not UTF-8")
    end
  rescue
    # It asks for the current directory, needed or not.
    File.Error -> without_directory(path)
  end

  @doc "Returns the bytes of a path that the VM has read from the system. With a C locale, it takes each byte for a character."
  @spec native(charlist | binary) :: binary
  def native(path) when is_binary(path), do: path

  def native(path) do
    case :unicode.characters_to_binary(path, :unicode, :file.native_name_encoding()) do
      bytes when is_binary(bytes) -> bytes
      _not_in_it -> List.to_string(path)
    end
  end

  @doc "Returns a path for people, who cannot read bytes that are not UTF-8."
  @spec shown(Path.t()) :: String.t()
  def shown(path), do: if(String.valid?(path), do: path, else: inspect(path))

  defp without_directory(path, how \\ "does not exist any more")
  defp without_directory("/" <> _rest = path, _how), do: {:ok, path}

  defp without_directory(path, how) do
    {:error,
     "has the relative path #{inspect(path)}, and the current directory of this VM #{how}: " <>
       "use an absolute path or {app, path}"}
  end

  @doc "Returns a path in the directory of an application, wherever that is: in `_build`, or in a release."
  @spec of_app(atom, String.t()) :: {:ok, String.t()} | {:error, String.t()}
  def of_app(app, path) do
    if Path.type(path) == :relative,
      do: inside(app, path),
      else:
        {:error, "has an absolute path in #{inspect({app, path})}: it must be relative to the application"}
  end

  defp inside(app, path) do
    case :code.lib_dir(app) do
      {:error, :bad_name} ->
        {:error,
         "names the application #{inspect(app)} in #{inspect({app, path})}, which this VM does not know: " <>
           "is it spelled right, and among the dependencies or in the release?"}

      directory ->
        directory |> native() |> Path.join(path) |> expand()
    end
  end
end
