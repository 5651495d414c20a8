defmodule Mix.Portpool.Venv.Source do
  @moduledoc false

  # The file that lists the packages.

  @enforce_keys [:kind, :path, :name]
  defstruct @enforce_keys

  @typedoc "`name` is the path as people know it."
  @type t :: %__MODULE__{kind: :lock | :requirements | :project, path: Path.t(), name: String.t()}

  # The first of them is taken.
  @names ["uv.lock", "requirements.txt", "pyproject.toml"]

  @doc "Finds the file that was named, or else the first of the usual ones in the project."
  @spec find!(Path.t(), Path.t() | nil) :: t
  def find!(project, nil) do
    case Enum.find(@names, &File.regular?(Path.join(project, &1))) do
      nil ->
        Mix.raise(
          "#{project} has no #{Enum.join(@names, ", ")}: name the file that lists the packages with --file"
        )

      name ->
        of(Path.join(project, name), name)
    end
  end

  def find!(project, file) do
    path = Path.expand(file, project)

    case File.stat(path) do
      {:ok, %File.Stat{type: :regular}} -> of(path, file)
      {:ok, _stat} -> Mix.raise("#{file} (--file) is not a file")
      {:error, reason} -> Mix.raise("#{file} (--file) cannot be read: #{:file.format_error(reason)}")
    end
  end

  defp of(path, name), do: %__MODULE__{kind: kind(Path.basename(path)), path: path, name: name}

  defp kind("uv.lock"), do: :lock
  defp kind("pyproject.toml"), do: :project
  defp kind(_requirements), do: :requirements

  @doc "Returns what changes when the packages that the file asks for change."
  @spec digest(t) :: term
  def digest(%__MODULE__{kind: :lock, path: path} = source) do
    project = Path.join(Path.dirname(path), "pyproject.toml")
    {source.kind, source.name, read!(path), read!(project)}
  end

  def digest(%__MODULE__{kind: :project} = source), do: {source.kind, source.name, read!(source.path)}

  def digest(%__MODULE__{} = source),
    do: {source.kind, source.name, read!(source.path), requirements([source.path], [], [])}

  # Files of requirements and constraints may name others.
  defp requirements([], _seen, texts), do: Enum.reverse(texts)

  defp requirements([path | paths], seen, texts) do
    if path in seen do
      requirements(paths, seen, texts)
    else
      text = given(path)
      requirements(included(text, Path.dirname(path)) ++ paths, [path | seen], [text | texts])
    end
  end

  defp included(text, folder) do
    pattern = ~r/^[ \t]*(?:-r|-c|--requirement|--constraint)[ \t=]*([^\s#]+)/m

    for [_, name] <- Regex.scan(pattern, text),
        not String.contains?(name, "://"),
        do: name |> String.trim("\"") |> String.trim("'") |> Path.expand(folder)
  end

  # pip says better what is wrong with one that it needs.
  defp given(path) do
    case File.read(path) do
      {:ok, text} -> text
      {:error, _reason} -> ""
    end
  end

  defp read!(path) do
    case File.read(path) do
      {:ok, text} -> text
      {:error, reason} -> Mix.raise("#{path} cannot be read: #{:file.format_error(reason)}")
    end
  end
end
