defmodule Mix.Tasks.Compile.Portpool do
  @moduledoc false

  # Fills priv of the build, where the application finds the program, and from where a release takes it.
  # `mix help portpool.install` says where it comes from. An application of portpool that is compiled has its program.

  # It runs once the modules of the package are compiled, which do the work, and before the application file is written.
  use Mix.Task.Compiler

  # This file is loaded by mix.exs: a compiler of the project must exist before the project is compiled.
  @package Path.expand("..", __DIR__)

  # These may run while there is no program: they are there to get it.
  @tasks ["portpool.install", "portpool.venv"]

  @impl true
  def run(args) do
    case Portpool.Build.fill(place(), "--force" in args) do
      {:ok, :noop} -> {:noop, []}
      {:ok, :filled} -> {:ok, []}
      {:error, message} -> without(message)
    end
  end

  @impl true
  def clean do
    if Code.ensure_loaded?(Mix.Portpool.Program), do: File.rm(Portpool.Build.Place.program(place()))
  end

  @doc "Refuses a release that would not have the program: nothing is compiled for it, so nothing can put it there."
  def check_release do
    file = Mix.Project.project_file()

    if file && Enum.all?(["release", "--no-compile"], &(&1 in System.argv())) do
      # Mix reads this in the directory of the package, and paths are those of the project that depends on it.
      build = File.cd!(Path.dirname(file), fn -> Mix.Project.build_path() end)
      check(Path.join([build, "lib", "portpool"]))
    end
  end

  defp check(app) do
    if File.exists?(file(app)) and not filled?(app) do
      Mix.raise(
        "#{app} has no server program in priv, so the release would not have it either. " <>
          "Run `mix compile`, or leave out --no-compile"
      )
    end
  end

  defp filled?(app), do: File.exists?(Path.join(app, "priv/portpool"))

  # Mix compiles a dependency again that has no application file, however it was fetched.
  defp file(app), do: Path.join(app, "ebin/portpool.app")

  # A dependency that was fetched is compiled once. It is not done yet.
  defp without(message) do
    app = Mix.Project.app_path()
    scm = Mix.Project.config()[:build_scm]
    if scm && scm.fetchable?(), do: File.rm(file(app))
    unless Enum.any?(System.argv(), &(String.trim_trailing(&1, ",") in @tasks)), do: Mix.raise(message)
    System.at_exit(fn _status -> unless filled?(app), do: File.rm(file(app)) end)
    {:noop, []}
  end

  defp place, do: Mix.Portpool.Program.place(Mix.Project.app_path(), @package, Mix.Project.config()[:version])
end
