defmodule Portpool.Test.Guides do
  @moduledoc """
  The guides of docs/guides, and what their reader finds: the library, the package `portpool` of Python, a shell.

  `PORTPOOL_TEST_WHEELS` names the directory with a wheel of that package. Where there is none, the program is that of
  this test run, and the test says so.
  """

  alias Portpool.Test.{Reader, Snippets, Stand}

  @directory Path.expand("../../../docs/guides", __DIR__)

  @python Path.expand("../../../priv/python", __DIR__)

  # What may come from whoever runs the tests.
  @foreign [
    "OMP_NUM_THREADS",
    "MIX_ENV",
    "MIX_BUILD_PATH",
    "MIX_DEPS_PATH",
    "MIX_TARGET",
    "MIX_EXS",
    "ERL_LIBS",
    "RELEASE_NODE"
  ]

  @doc "Returns the names of all guides."
  @spec names() :: [String.t()]
  def names, do: for(path <- Path.wildcard("#{@directory}/*.md"), do: Path.basename(path, ".md"))

  @doc "Returns the blocks of a guide."
  @spec blocks(String.t()) :: [Snippets.t()]
  def blocks(guide), do: Snippets.blocks("#{@directory}/#{guide}.md")

  @doc """
  Returns a reader, whose application runs in this session. What is not his own is in `directory`, and he works below it, in
  a path such as people have.
  """
  @spec reader!(Path.t(), pid) :: Reader.t()
  def reader!(directory, session) do
    package = Path.join(directory, "portpool")
    Stand.package!(package)
    own = Path.join(directory, "für alle")
    File.mkdir_p!(own)
    Reader.new(own, [{"PORTPOOL_PACKAGE", package} | env()], session, &changed(&1, directory))
  end

  @doc "Returns the directory with the wheel, if there is one."
  @spec wheels() :: Path.t() | nil
  def wheels do
    wheels = System.get_env("PORTPOOL_TEST_WHEELS", "")
    if Path.wildcard(wheels <> "/portpool-*.whl") != [], do: wheels
  end

  @doc "Returns the program of this test run."
  @spec program() :: Path.t()
  def program do
    {:ok, %{binary: program}} = Portpool.Options.pool([])
    program
  end

  @doc "Returns the Python of this test run."
  @spec python() :: Path.t()
  def python, do: System.get_env("PORTPOOL_TEST_PYTHON", "python3")

  @doc "Returns what marks the processes of a reader, which stay between the tests."
  @spec run() :: String.t()
  def run, do: System.fetch_env!("PORTPOOL_TEST_RUN") <> ".guides"

  # A shell in which `python3` is Python itself and uv is there, if the tests have it.
  defp env do
    {python, 0} = System.cmd(python(), ["-c", "import sys; print(sys._base_executable)"])
    programs = [String.trim(python) | List.wrap(System.get_env("PORTPOOL_TEST_UV"))]
    path = Enum.map(programs, &Path.dirname/1) ++ [System.fetch_env!("PATH")]

    [{"PORTPOOL_TEST_RUN", run()}, {"PATH", Enum.join(path, ":")}, {"ERL_CRASH_DUMP_SECONDS", "0"}] ++
      package(wheels()) ++ Enum.map(@foreign, &{&1, nil})
  end

  defp package(nil) do
    IO.puts(
      :stderr,
      "THERE IS NO WHEEL for the guides: `make test-wheel` makes it. They use another program."
    )

    [{"PORTPOOL_BINARY", program()}]
  end

  defp package(wheels), do: [{"PORTPOOL_BINARY", nil}, {"PIP_FIND_LINKS", wheels}, {"UV_FIND_LINKS", wheels}]

  # Where the things of the guides are.
  defp changed(text, directory) do
    text
    |> String.replace(~s({:portpool, "~> 0.1"}), ~S|{:portpool, path: System.fetch_env!("PORTPOOL_PACKAGE")}|)
    |> String.replace("/opt/portpool/elixir", "#{directory}/portpool")
    |> String.replace(~r"/opt/(portpool/venv|my_app)", "#{directory}/opt/\\1")
    |> without_wheel(wheels())
  end

  defp without_wheel(text, nil) do
    text
    |> String.replace(~r/^portpool\n|^.*pip install portpool$/m, "")
    |> String.replace(~r"[^\s=]*/venv/bin/portpool", program())
    |> String.replace("PYTHONPATH=priv/python ", "PYTHONPATH=priv/python:#{@python} ")
  end

  defp without_wheel(text, _wheels), do: text
end
