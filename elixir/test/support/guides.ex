defmodule Portpool.Test.Guides do
  @moduledoc """
  The guides of docs/guides, and what their reader finds: the library, the package `portpool` of Python, a shell.

  `PORTPOOL_TEST_WHEELS` names the directory with a wheel of that package. Where there is none, the program is that of
  this test run, and the test says so.
  """

  alias Portpool.Test.{Reader, Snippets, Stand}

  @root Path.expand("../../..", __DIR__)
  @directory Path.join(@root, "docs/guides")

  @python Path.join(@root, "priv/python")

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

  @doc """
  Returns a directory with the packages of the guides for a version of Python, such as "3.13". They are downloaded once, and
  then it takes no network.
  """
  @spec packages!(String.t()) :: Path.t()
  def packages!(version) do
    wanted = for [_, name] <- Regex.scan(~r/^(?!portpool)(\w.*)$/m, requirements()), do: name
    directory = Path.join(target(), "guides/packages-#{version}-#{:erlang.phash2(wanted)}")

    if Path.wildcard(directory <> "/*.whl") == [] do
      File.mkdir_p!(directory)

      platforms =
        for platform <- ["manylinux_2_28", "manylinux2014"], do: ["--platform", "#{platform}_#{machine()}"]

      options = ["--quiet", "--only-binary=:all:", "--python-version", version, "--dest", directory]
      args = List.flatten(["-m", "pip", "download", options, platforms, wanted])
      {said, status} = System.cmd(python(), args, stderr_to_stdout: true)
      if status != 0, do: raise("The guides need the network once, for #{Enum.join(wanted, ", ")}: #{said}")
    end

    directory
  end

  defp requirements do
    %{text: text} = Enum.find(blocks("python_environment"), &(&1.path == "requirements.txt"))
    text
  end

  defp machine, do: :erlang.system_info(:system_architecture) |> to_string() |> String.split("-") |> hd()

  @doc "Returns the directory of what is kept from one test run to the next."
  @spec target() :: Path.t()
  def target, do: Path.expand(System.get_env("CARGO_TARGET_DIR") || "target", @root)

  # A shell in which `python3` is Python itself and uv is there, if the tests have it. It has no network.
  defp env do
    question = "import sys; print(sys._base_executable, '%d.%d' % sys.version_info[:2])"
    {answer, 0} = System.cmd(python(), ["-c", question])
    [python, version] = String.split(answer)
    programs = [python | List.wrap(System.get_env("PORTPOOL_TEST_UV"))]
    path = Enum.map(programs, &Path.dirname/1) ++ [System.fetch_env!("PATH")]
    found = [packages!(version) | List.wrap(wheels())]

    [{"PORTPOOL_TEST_RUN", run()}, {"PATH", Enum.join(path, ":")}, {"ERL_CRASH_DUMP_SECONDS", "0"}] ++
      [{"PIP_NO_INDEX", "1"}, {"PIP_FIND_LINKS", Enum.join(found, " ")}] ++
      [{"UV_OFFLINE", "1"}, {"UV_FIND_LINKS", Enum.join(found, ",")}] ++
      program(wheels()) ++ Enum.map(@foreign, &{&1, nil})
  end

  defp program(nil) do
    IO.puts(
      :stderr,
      "THERE IS NO WHEEL for the guides: `make test-wheel` makes it. They use another program."
    )

    [{"PORTPOOL_BINARY", program()}]
  end

  defp program(_wheels), do: [{"PORTPOOL_BINARY", nil}]

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
