defmodule Portpool.Build.Settings do
  @moduledoc false

  # Where the project says that the program comes from: PORTPOOL_BINARY, else the configuration.

  alias Portpool.Build.Archive
  alias Portpool.Options.Paths

  # Mix compiles a package that was fetched only once, and again when one of these changes. Before 1.15 it only refused to go
  # on. A package that lies in a directory is looked at each time.
  scm = Mix.Project.config()[:build_scm]

  if Version.match?(System.version(), "~> 1.15", allow_pre: true) and scm != nil and scm.fetchable?() do
    for key <- [:binary, :archive, :venv, :target], do: Application.compile_env(:portpool, key)
  end

  @typedoc "The way that the project has chosen, with what tells its user who has named it."
  @type way ::
          {:binary, Path.t(), String.t()}
          | {:venv, Path.t(), String.t()}
          | {:archive, Archive.options()}

  @doc "Returns the way to the program that the project names, or `nil`. Relative paths start at the project, `root`."
  @spec way(Path.t()) :: {:ok, way | nil} | {:error, String.t()}
  def way(root) do
    case :os.getenv(~c"PORTPOOL_BINARY") do
      unset when unset in [false, []] -> configured(root)
      path -> {:ok, {:binary, Path.expand(Paths.native(path), root), "PORTPOOL_BINARY"}}
    end
  end

  defp configured(root) do
    [:binary, :archive, :venv]
    |> Enum.find_value({:ok, nil}, fn key ->
      case Application.get_env(:portpool, key) do
        nil -> nil
        value -> checked(key, value, root)
      end
    end)
  end

  defp checked(:archive, value, root), do: Archive.options(value, root)

  defp checked(key, value, root) when is_binary(value) and value != "",
    do: {:ok, {key, Path.expand(value, root), "config :portpool, #{key}:"}}

  defp checked(key, value, _root),
    do: {:error, "config :portpool, #{key}: must be a path, not #{inspect(value)}"}
end
