defmodule Mix.Portpool.Venv do
  @moduledoc false

  # `mix portpool.venv`: decides whether an environment must be made, makes it next to its place, and moves it there.

  alias Mix.Portpool.Venv.{Installer, Portable, Python, Record, Source}

  @typedoc "What is to be made. `shown` is the directory as people know it, `more` are arguments for uv or pip."
  @type plan :: %{
          dir: Path.t(),
          shown: Path.t(),
          source: Source.t(),
          installer: Installer.t(),
          python: Python.t(),
          stamp: String.t(),
          force: boolean,
          verbose: boolean,
          more: [String.t()]
        }

  @doc "Makes an environment, unless it is up to date."
  @spec run(Path.t(), keyword, [String.t()]) :: :ok
  def run(dir, options, more) do
    plan = plan(dir, options, more)
    current = current?(plan)

    cond do
      options[:check] && not current -> Mix.raise(outdated(plan))
      current and (options[:check] || not plan.force) -> say("#{plan.shown} is up to date")
      true -> make(plan)
    end
  end

  defp plan(dir, options, more) do
    source = Source.find!(File.cwd!(), options[:file])
    installer = Installer.choose!(source, options)
    python = Python.find!(options[:python] || "python3", installer)

    %{
      dir: Path.expand(dir),
      shown: dir,
      source: source,
      installer: installer,
      python: python,
      stamp: Record.stamp([Source.digest(source), Python.identity(python), more]),
      force: options[:force] || false,
      verbose: options[:verbose] || false,
      more: more
    }
  end

  defp current?(plan),
    do: Record.stamp_of(plan.dir) == plan.stamp and File.exists?(Path.join(plan.dir, "bin/python"))

  defp outdated(plan) do
    "#{plan.shown} is not up to date with #{plan.source.name} and #{Python.describe(plan.python)}: " <>
      "run mix portpool.venv"
  end

  defp make(plan) do
    replaceable!(plan)
    new = new!(plan)

    try do
      say("installing the packages of #{plan.source.name} with #{Installer.name(plan.installer)}")
      Installer.install!(plan, new)
      Portable.make!(plan, new)
      Record.write!(plan, new)
      replace!(plan, new)
    after
      File.rm_rf(new)
    end

    link_priv()
    say("made #{plan.shown} with #{Python.describe(plan.python)}")
    for warning <- Python.warnings(plan.python), do: Mix.shell().error("portpool.venv: " <> warning)
    :ok
  end

  # Compiling makes the link from _build to priv only where priv exists already.
  defp link_priv do
    file = Mix.Project.project_file()
    if file && Path.dirname(file) == File.cwd!(), do: Mix.Project.build_structure()
  end

  # Nothing is replaced that may be something else.
  defp replaceable!(%{dir: dir, shown: shown} = plan) do
    case File.ls(dir) do
      {:ok, [_ | _]} -> known!(plan)
      {:ok, []} -> :ok
      {:error, :enoent} -> :ok
      {:error, reason} -> Mix.raise("#{shown} cannot be replaced: #{:file.format_error(reason)}")
    end
  end

  defp known!(%{dir: dir, shown: shown, force: force}) do
    cond do
      not File.exists?(Path.join(dir, "pyvenv.cfg")) ->
        Mix.raise(
          "#{shown} exists and is not a virtual environment, so it stays as it is: name another directory, or remove it"
        )

      Record.stamp_of(dir) == nil and not force ->
        Mix.raise(
          "#{shown} is an environment that mix portpool.venv has not made, so it stays as it is: " <>
            "name another directory, or replace it with --force"
        )

      true ->
        :ok
    end
  end

  # Next to the place, so that it can be moved there in one step. What a run that was killed has left is removed.
  defp new!(%{dir: dir, shown: shown}) do
    new = "#{dir}.new-#{System.pid()}"

    with :ok <- File.mkdir_p(Path.dirname(dir)),
         :ok <- remove_left(dir),
         :ok <- File.mkdir(new),
         :ok <- File.rmdir(new) do
      new
    else
      {:error, reason} ->
        Mix.raise(
          "#{shown} cannot be made, because nothing can be written in #{Path.dirname(dir)}: #{:file.format_error(reason)}"
        )
    end
  end

  defp remove_left(dir) do
    parent = Path.dirname(dir)
    left = ~r/\A#{Regex.escape(Path.basename(dir))}\.(?:new|old)-(\d+)\z/

    with {:ok, names} <- File.ls(parent) do
      for name <- names,
          [_, pid] <- [Regex.run(left, name)],
          not alive?(pid),
          do: File.rm_rf(Path.join(parent, name))

      :ok
    end
  end

  defp alive?(pid), do: match?({_, 0}, System.cmd("kill", ["-0", pid], stderr_to_stdout: true))

  defp replace!(%{dir: dir, shown: shown}, new) do
    old = "#{dir}.old-#{System.pid()}"
    there = match?({:ok, _}, File.lstat(dir))

    with :ok <- if(there, do: File.rename(dir, old), else: :ok),
         :ok <- put(new, dir, if(there, do: old)) do
      File.rm_rf(old)
    else
      {:error, reason} -> Mix.raise("#{shown} cannot be replaced: #{:file.format_error(reason)}")
    end
  end

  defp put(new, dir, old) do
    with {:error, reason} <- File.rename(new, dir) do
      if old, do: File.rename(old, dir)
      {:error, reason}
    end
  end

  defp say(text), do: Mix.shell().info("portpool.venv: " <> text)
end
