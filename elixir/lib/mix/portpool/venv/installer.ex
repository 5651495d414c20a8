defmodule Mix.Portpool.Venv.Installer do
  @moduledoc false

  # Makes the environment and installs the packages, with uv or with pip.

  alias Mix.Portpool.Venv
  alias Mix.Portpool.Venv.Source

  @typedoc "uv, with its path, or the pip of the new environment."
  @type t :: {:uv, Path.t()} | :pip

  # How much of what a tool has printed is shown in an error.
  @lines 60

  # What would make Python or the tools look elsewhere than in the new environment.
  @removed [
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON"
  ]

  # The dependencies in a pyproject.toml. pip has brought a reader with it since before Python did.
  @dependencies """
  import sys
  try:
      import tomllib
  except ImportError:
      from pip._vendor import tomli as tomllib
  with open(sys.argv[1], "rb") as file:
      project = tomllib.load(file).get("project")
  if project is None:
      sys.exit("it has no [project]")
  if "dependencies" in project.get("dynamic", ()):
      sys.exit("its dependencies are dynamic: only a build of the project can tell them")
  sys.stdout.buffer.write("\\n".join(project.get("dependencies", ())).encode())
  """

  @doc "Decides what installs the packages of a file."
  @spec choose!(Source.t(), keyword) :: t
  def choose!(source, options) do
    uv = System.find_executable("uv")

    cond do
      source.kind == :lock and options[:pip] ->
        Mix.raise("#{source.name} is for uv alone: leave out --pip, or name another file with --file")

      source.kind == :lock and uv == nil ->
        Mix.raise(
          "#{source.name} needs uv, which is not in PATH: install it, or name another file with --file"
        )

      options[:pip] || uv == nil ->
        :pip

      true ->
        {:uv, uv}
    end
  end

  @spec name(t) :: String.t()
  def name(:pip), do: "pip"
  def name({:uv, _path}), do: "uv"

  @doc "Lets uv look for a Python of this version. It does not download one."
  @spec find_python(t, String.t()) :: Path.t() | nil
  def find_python(:pip, _version), do: nil

  def find_python({:uv, uv}, version) do
    case System.cmd(uv, ["python", "find", "--no-project", version], stderr_to_stdout: true, env: env()) do
      {path, 0} -> String.trim(path)
      _none -> nil
    end
  end

  @doc "The environment of the tools."
  @spec env() :: [{String.t(), String.t() | nil}]
  def env,
    do: [
      {"UV_PYTHON_DOWNLOADS", "never"},
      {"PIP_DISABLE_PIP_VERSION_CHECK", "1"},
      {"PIP_NO_INPUT", "1"} | Enum.map(@removed, &{&1, nil})
    ]

  @doc "Makes the environment `new`, and installs the packages of the plan's file."
  @spec install!(Venv.plan(), Path.t()) :: :ok
  def install!(%{installer: {:uv, uv}, python: python} = plan, new) do
    made = ["venv", "--no-project", "--no-config", "--relocatable", "--python", python.path, new]
    run!(plan, uv, made, "#{python.path} cannot make an environment")
    {arguments, env} = uv(plan.source, plan, new)
    run!(plan, uv, arguments ++ plan.more, packages(plan), env)
  end

  def install!(%{installer: :pip, python: python} = plan, new) do
    run!(
      plan,
      python.path,
      ["-m", "venv", new],
      "#{python.path} cannot make an environment" <> debian(python)
    )

    python = Path.join(new, "bin/python")

    install = [
      "-m",
      "pip",
      "install",
      "--prefer-binary",
      "--no-compile",
      "-r",
      listed(plan.source, python, new)
    ]

    run!(plan, python, install ++ plan.more, packages(plan))
  end

  # Links into uv's cache, which it makes if it is told to, would be broken elsewhere.
  defp uv(%Source{kind: :lock, path: path}, plan, new) do
    project = Path.dirname(path)
    fixed = ["--locked", "--no-dev", "--no-install-project", "--no-editable", "--link-mode", "copy"]
    {["sync", "--project", project, "--python", plan.python.path | fixed], [{"UV_PROJECT_ENVIRONMENT", new}]}
  end

  defp uv(%Source{path: path}, _plan, new),
    do: {["pip", "install", "--python", Path.join(new, "bin/python"), "--link-mode", "copy", "-r", path], []}

  defp listed(%Source{kind: :requirements, path: path}, _python, _new), do: path

  defp listed(%Source{kind: :project, path: path, name: name}, python, new) do
    case System.cmd(python, ["-c", @dependencies, path], stderr_to_stdout: true, env: env()) do
      {text, 0} ->
        file = Path.join(new, "requirements.txt")
        File.write!(file, text)
        file

      {words, _status} ->
        why = words |> String.trim() |> String.split("\n") |> List.last()
        Mix.raise("the dependencies of #{name} cannot be read: #{why}")
    end
  end

  defp packages(plan), do: "the packages of #{plan.source.name} cannot be installed"

  defp debian(%{path: path, version: version}) do
    [major, minor | _patch] = String.split(version, ".")
    of_the_system = String.starts_with?(path, "/usr/bin/") and File.exists?("/etc/debian_version")
    if of_the_system, do: ", which needs python#{major}.#{minor}-venv on Debian", else: ""
  end

  defp run!(plan, program, arguments, what, more_env \\ []) do
    into = if plan.verbose, do: IO.stream(), else: ""

    case System.cmd(program, arguments, stderr_to_stdout: true, env: env() ++ more_env, into: into) do
      {_output, 0} ->
        :ok

      {output, status} ->
        ended = "#{Path.basename(program)} ended with status #{status}"
        Mix.raise("#{what} (#{ended}). #{left(plan)}#{words(output)}")
    end
  rescue
    error in ErlangError -> Mix.raise("#{program} cannot be run: #{inspect(error.original)}. #{left(plan)}")
  end

  defp left(plan),
    do: if(File.exists?(plan.dir), do: "#{plan.shown} is as it was.", else: "Nothing is left of it.")

  defp words(output) when is_binary(output) do
    lines = output |> String.trim() |> String.split("\n")
    "\n\n" <> (lines |> Enum.take(-@lines) |> Enum.join("\n"))
  end

  defp words(_shown), do: " See above."
end
