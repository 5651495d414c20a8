defmodule Mix.Tasks.Portpool.Venv do
  @shortdoc "Makes the Python environment of a pool"

  @moduledoc """
  Makes a virtual environment with the Python packages of an application.

      $ mix portpool.venv
      $ mix portpool.venv --python python3.12 --file python/requirements.txt
      $ mix portpool.venv priv/models --file models.txt -- --extra-index-url URL

  Name it in the pool, and `mix release` takes it along:

      {Portpool, name: MyApp.Python, venv: {:my_app, "priv/venv"}}

  The argument is the directory of the environment. The default is `priv/venv`. The packages are those of the first of
  these files that is in the project:

    * `uv.lock`, the exact versions of a project of uv. Needs uv
    * `requirements.txt`
    * `pyproject.toml`: `project.dependencies`. The project itself is not installed: put your own modules into a directory
      and name it as `python_path` of the pool

  uv installs them if it is in `PATH`, and else pip.

  The task does nothing if the environment is up to date: made of the same file, arguments and Python. Otherwise it
  builds a new one next to it, and puts it into its place when everything is installed. If anything fails, the old one is
  still there, and untouched. Versions that the file leaves open are chosen when the environment is made; `--force` makes
  it anew with the versions of today.

  ## Options

    * `--python PYTHON`: the interpreter, as a path, a name in `PATH`, or a version such as `3.12`. Default: `python3`
    * `--file FILE`: a file like one of the three above
    * `--pip`: use pip even if uv is there
    * `--force`: make it even if it is up to date, or if another tool has made what is there
    * `--check`: make nothing; end with status 1 if it is not up to date
    * `--verbose`: show what uv or pip print. Otherwise only an error shows it

  What follows `--` goes to `uv pip install`, `uv sync` or `pip install`.

  ## Releases

  `mix release` copies the environment as it is. It needs no activation and may be moved: the task has left no link to a
  place inside the project, and the scripts in its `bin` find their own Python. One link leads outside: `bin/python` is a
  link to the interpreter, which is not copied. **The machine that runs the release must have the same Python at the same
  path**, such as `/usr/bin/python3`, or the same container image. The pool checks this when it starts. An interpreter
  below a home directory (pyenv, uv) is rarely there on another machine, so the task warns of it.

  Packages in editable mode and links that lead outside are refused, because a release would lack what they point to.
  """

  use Mix.Task

  alias Mix.Portpool.{Program, Venv}

  @switches [
    python: :string,
    file: :string,
    pip: :boolean,
    force: :boolean,
    check: :boolean,
    verbose: :boolean
  ]

  @impl true
  def run(arguments) do
    {ours, more} = split(arguments)

    case OptionParser.parse(ours, strict: @switches) do
      {options, dirs, []} when length(dirs) <= 1 ->
        Venv.run(List.first(dirs) || "priv/venv", options, more)
        # This task may run before there is a server program: the environment may bring it.
        Program.settle()

      {_options, dirs, []} ->
        Mix.raise(
          "mix portpool.venv takes one directory, not #{Enum.join(dirs, ", ")}. What is meant for pip follows --"
        )

      {_options, _dirs, [{unknown, _value} | _]} ->
        Mix.raise(
          "mix portpool.venv does not take #{unknown} so. See: mix help portpool.venv. What is meant for pip follows --"
        )
    end
  end

  defp split(arguments) do
    {ours, more} = Enum.split_while(arguments, &(&1 != "--"))
    {ours, Enum.drop(more, 1)}
  end
end
