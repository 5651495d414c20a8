defmodule Mix.Portpool.Program do
  @moduledoc false

  # What Mix knows about the build that wants a server program, for `Portpool.Build`, which knows nothing of Mix.

  alias Portpool.Build
  alias Portpool.Build.Place

  @doc "Returns the place of the program in the build `app`, for the package of this version in `source`."
  @spec place(Path.t(), Path.t(), String.t()) :: Place.t()
  def place(app, source, version) do
    Enum.each([:crypto, :inets, :public_key, :ssl], &available/1)

    %Place{
      app: app,
      # The lock file is that of the whole project, in an umbrella too.
      root: Mix.Project.config()[:lockfile] |> Path.expand() |> Path.dirname(),
      source: source,
      version: version,
      say: &Mix.shell().info/1
    }
  end

  @doc "Returns the place in the build of the project that depends on the package."
  @spec place() :: Place.t()
  def place do
    app = Path.join([Mix.Project.build_path(), "lib", "portpool"])
    Application.load(:portpool)
    source = Mix.Project.deps_paths()[:portpool] || File.cwd!()
    place(app, source, to_string(Application.spec(:portpool, :vsn)))
  end

  @doc """
  Fills the build if it has no program yet: what a task has made may have one. If it has not, that is an error only if
  other tasks follow, which may not know of it.
  """
  @spec settle() :: :ok
  def settle do
    place = place()

    with false <- File.exists?(Place.program(place)), {:error, message} <- Build.fill(place) do
      if List.first(System.argv()) == "do", do: Mix.raise(message), else: Mix.shell().error(message)
    end

    :ok
  end

  # Mix hides the applications that a project does not depend on.
  if function_exported?(Mix, :ensure_application!, 1) do
    defp available(app), do: Mix.ensure_application!(app)
  else
    defp available(_app), do: :ok
  end
end
