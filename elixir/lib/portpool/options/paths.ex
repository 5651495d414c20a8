defmodule Portpool.Options.Paths do
  @moduledoc false

  # Paths in options, made absolute: from the current directory, or from where an application is.

  @doc "Returns an absolute path."
  @spec expand(String.t()) :: {:ok, String.t()} | {:error, String.t()}
  def expand(path) do
    {:ok, Path.expand(path)}
  rescue
    # It asks for the current directory, needed or not.
    File.Error -> without_directory(path)
  end

  defp without_directory("/" <> _rest = path), do: {:ok, path}

  defp without_directory(path) do
    {:error,
     "has the relative path #{inspect(path)}, and the current directory of this VM does not exist any more: " <>
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
    app |> Application.app_dir(path) |> expand()
  rescue
    ArgumentError ->
      {:error,
       "names the application #{inspect(app)} in #{inspect({app, path})}, which this VM does not know: " <>
         "is it spelled right, and among the dependencies or in the release?"}
  end
end
