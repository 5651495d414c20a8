defmodule Portpool.VenvTaskTest do
  use Portpool.Test.Case

  import ExUnit.CaptureIO

  alias Portpool.Test.Wheels

  # `mix portpool.venv`, with packages that are made here. What it makes is used by a real pool.

  @uv System.get_env("PORTPOOL_TEST_UV") || System.find_executable("uv") || ""
  @has_uv File.regular?(@uv)
  if not @has_uv, do: IO.puts(:stderr, "THERE IS NO UV: its tests of mix portpool.venv are excluded.")

  # pip takes its time on a busy machine.
  @moduletag timeout: 300_000

  @python System.get_env("PORTPOOL_TEST_PYTHON") || "python3"

  setup do
    # A path such as people have.
    project = Path.join(System.tmp_dir!(), "für alle #{System.unique_integer([:positive])}")
    File.mkdir_p!(project)
    wheels = Path.join(project, "wheels")
    Wheels.make!(wheels, "apples", "1.0", ["pears"])
    Wheels.make!(wheels, "pears", "2.0")
    before = File.cwd!()
    File.cd!(project)
    path = System.get_env("PATH")
    shell = Mix.shell()
    Mix.shell(Mix.Shell.IO)

    on_exit(fn ->
      File.cd!(before)
      System.put_env("PATH", path)
      Mix.shell(shell)
      File.rm_rf!(project)
    end)

    {:ok, project: project, wheels: wheels}
  end

  # The arguments for the tests' own packages come last.
  defp venv(arguments, more \\ []) do
    {ours, theirs} = Enum.split_while(arguments, &(&1 != "--"))

    all =
      ours ++
        ["--python", @python, "--" | Enum.drop(theirs, 1)] ++ ["--no-index", "--find-links", "wheels"] ++ more

    output = fn -> Mix.Tasks.Portpool.Venv.run(all) end
    capture_io(:stderr, fn -> send(self(), {:printed, capture_io(output)}) end)
    assert_received {:printed, text}
    text
  end

  defp pip(arguments \\ []), do: venv(["--pip" | arguments])

  # Where either will do, uv is faster.
  defp either(arguments \\ []), do: if(@has_uv, do: with_uv(fn -> venv(arguments) end), else: pip(arguments))

  defp failure(arguments) do
    error = assert_raise Mix.Error, fn -> either(arguments) end
    [sentence | words] = String.split(error.message, "\n\n", parts: 2)
    {sentence, List.first(words)}
  end

  defp requirements(text), do: File.write!("requirements.txt", text)

  defp with_uv(fun) do
    System.put_env("PATH", Path.dirname(@uv) <> ":" <> System.get_env("PATH"))
    fun.()
  end

  # What is installed, as a pool sees it.
  defp installed(dir) do
    pool = start_supervised!({Portpool, size: 1, venv: dir, on_start_failure: :fail})
    code = "[__import__('apples').version, __import__('sys').prefix]"
    {:ok, [version, prefix]} = Portpool.call(pool, :builtins, :eval, [code])
    stop_supervised!(Portpool)
    {version, prefix}
  end

  defp everything(dir), do: Enum.sort(Path.wildcard(Path.join(dir, "**"), match_dot: true))

  # The environment beside which something may have been left.
  defp assert_alone(dir) do
    assert File.ls!(Path.dirname(dir)) == [Path.basename(dir)]
  end

  defp assert_portable(dir) do
    dir = Path.expand(dir)

    for path <- everything(dir), {:ok, target} <- [File.read_link(path)] do
      if path == Path.join(dir, "bin/python"),
        do: assert(Path.type(target) == :absolute and File.regular?(target)),
        else: assert({path, target} == {path, "python"})
    end

    # pip has made its own bytecode.
    for path <- everything(dir),
        File.regular?(path),
        not String.contains?(path, [
          "/site-packages/pip/",
          "/site-packages/setuptools/",
          "/site-packages/pkg_resources/"
        ]),
        do: refute({path, File.read!(path) =~ ".new-"} == {path, true})

    # Bytecode that is recognised by a hash of its source, which a copy has too. PEP 552.
    [bytecode] = Path.wildcard(Path.join(dir, "lib/python3*/site-packages/__pycache__/apples.*.pyc"))
    assert <<_magic::32, 3::32-little, _::binary>> = File.read!(bytecode)
    config = File.read!(Path.join(dir, "pyvenv.cfg"))
    assert config =~ ~r/^base-prefix = \/.+$/m

    {machine, 0} =
      System.cmd(@python, ["-c", "import sys; print(getattr(sys.implementation, '_multiarch', ''))"])

    if machine != "\n", do: assert(config =~ "portpool-machine = " <> machine)
  end

  # Moved, its scripts run its own Python.
  defp assert_movable(dir) do
    moved = Path.expand("moved away")
    File.rename!(dir, moved)
    assert System.cmd(Path.join(moved, "bin/apples"), [], cd: "/") == {"1.0 #{moved}\n", 0}
    assert installed(moved) == {"1.0", moved}
    File.rename!(moved, dir)
  end

  test "an environment of requirements.txt is made with pip, moves, and is not made again" do
    requirements("apples  # and what it needs\n")
    assert pip() =~ "made priv/venv with Python 3."
    assert installed("priv/venv") == {"1.0", Path.expand("priv/venv")}
    assert System.cmd(Path.expand("priv/venv/bin/pears"), []) == {"2.0 #{Path.expand("priv/venv")}\n", 0}
    assert_portable("priv/venv")
    assert_movable("priv/venv")
    assert_alone("priv/venv")
    before = File.stat!("priv/venv").inode
    assert pip() =~ "priv/venv is up to date"
    assert pip(["--check"]) =~ "priv/venv is up to date"
    assert File.stat!("priv/venv").inode == before
    assert pip(["--force"]) =~ "made priv/venv"
    assert File.stat!("priv/venv").inode != before
  end

  if @has_uv do
    test "an environment of requirements.txt is made with uv where it is, and moves" do
      with_uv(fn ->
        requirements("apples==1.0\n")
        assert venv([]) =~ "with uv"
        assert installed("priv/venv") == {"1.0", Path.expand("priv/venv")}
        assert_portable("priv/venv")
        assert_movable("priv/venv")
        assert venv([]) =~ "priv/venv is up to date"
        assert_alone("priv/venv")
      end)
    end

    test "an environment of uv.lock has the versions in it, without the project and its development packages",
         %{
           wheels: wheels
         } do
      with_uv(fn ->
        Wheels.make!(wheels, "plums", "1.0")

        File.write!("pyproject.toml", """
        [project]
        name = "orchard"
        version = "0.1"
        requires-python = ">=3.9"
        dependencies = ["apples"]

        [dependency-groups]
        dev = ["plums"]

        [tool.uv]
        no-index = true
        find-links = ["wheels"]
        """)

        {_, 0} = System.cmd(@uv, ["lock", "--python", @python], stderr_to_stdout: true)
        Wheels.make!(wheels, "apples", "1.1")
        requirements("no-such-package\n")
        assert venv([]) =~ "installing the packages of uv.lock with uv"
        assert installed("priv/venv") == {"1.0", Path.expand("priv/venv")}
        assert_portable("priv/venv")
        assert_movable("priv/venv")
        names = File.ls!(hd(Path.wildcard("priv/venv/lib/python3*/site-packages")))

        assert Enum.filter(names, &(&1 =~ "dist-info")) |> Enum.sort() == [
                 "apples-1.0.dist-info",
                 "pears-2.0.dist-info"
               ]

        # The lock is older than what it is for.
        File.write!(
          "pyproject.toml",
          String.replace(File.read!("pyproject.toml"), ~s(["apples"]), ~s(["apples", "plums"]))
        )

        {sentence, words} = failure([])

        assert sentence =~ "the packages of uv.lock cannot be installed" and
                 sentence =~ "priv/venv is as it was"

        assert words =~ "uv.lock"
        assert {"1.0", _prefix} = installed("priv/venv")
      end)
    end

    test "uv reads pyproject.toml, and installs its dependencies alone" do
      with_uv(fn -> pyproject([]) end)
    end
  end

  test "pip reads pyproject.toml, and installs its dependencies alone" do
    pyproject(["--pip"])
  end

  defp pyproject(arguments) do
    # Two folders, of which a build would not know which one is the package.
    for folder <- ["lib", "priv"], do: File.mkdir_p!(folder)

    File.write!(
      "pyproject.toml",
      ~s([project]\nname = "orchard"\nversion = "0.1"\ndependencies = ["apples<2", "pears"]\n)
    )

    venv(arguments)
    assert installed("priv/venv") == {"1.0", Path.expand("priv/venv")}
    assert Path.wildcard("priv/venv/lib/python3*/site-packages/orchard*") == []
    assert_portable("priv/venv")
    assert venv(arguments) =~ "up to date"
    # This cannot be known without a build.
    File.write!(
      "pyproject.toml",
      ~s([project]\nname = "orchard"\nversion = "0.1"\ndynamic = ["dependencies"]\n)
    )

    assert {sentence, _words} = failure(arguments)
    assert sentence =~ "pyproject.toml cannot be"
    assert {"1.0", _prefix} = installed("priv/venv")
  end

  test "a package list that cannot be resolved is told in one sentence, with pip's own words, and the old one stays" do
    requirements("apples\n")
    either()
    requirements("apples\nno-such-package>=3\n")
    {sentence, words} = failure(["--pip"])
    assert sentence =~ "the packages of requirements.txt cannot be installed (python ended with status 1)"
    assert sentence =~ "priv/venv is as it was"
    assert words =~ "no-such-package>=3"
    assert_alone("priv/venv")
    assert installed("priv/venv") == {"1.0", Path.expand("priv/venv")}
    # The old one is not up to date.
    {sentence, nil} = failure(["--pip", "--check"])
    assert sentence =~ "priv/venv is not up to date with requirements.txt and Python 3."
    # Where there was none, there is none.
    {sentence, words} = failure(["other/venv"])
    assert sentence =~ "Nothing is left of it" and words =~ "no-such-package"
    assert File.ls!("other") == []
  end

  test "it is made anew when the file, one that it includes, the arguments or the Python change" do
    requirements("-r more.txt\n")
    File.write!("more.txt", "apples\n-c constraints.txt\n")
    File.write!("constraints.txt", "pears==2.0\n")
    either()
    assert either() =~ "up to date"
    File.write!("constraints.txt", "pears>=2.0\n")
    assert either() =~ "made"
    assert either(["--", "--no-deps"]) =~ "made"
    assert either(["--", "--no-deps"]) =~ "up to date"
    File.rm!("priv/venv/bin/python")
    assert either(["--", "--no-deps"]) =~ "made"
    config = File.read!("priv/venv/pyvenv.cfg")
    assert config =~ "portpool-file = requirements.txt\n"
  end

  test "what is not its own is not replaced" do
    requirements("apples\n")
    File.mkdir_p!("priv/venv")
    File.write!("priv/venv/mine", "")
    {sentence, nil} = failure(["--pip"])
    assert sentence =~ "priv/venv exists and is not a virtual environment, so it stays as it is"
    assert {^sentence, nil} = failure(["--pip", "--force"])
    File.write!("priv/venv/pyvenv.cfg", "home = /usr/bin\n")
    {sentence, nil} = failure(["--pip"])
    assert sentence =~ "that mix portpool.venv has not made" and sentence =~ "--force"
    assert File.exists?("priv/venv/mine")
    assert either(["--force"]) =~ "made priv/venv"
    refute File.exists?("priv/venv/mine")
  end

  test "a directory that cannot be written is named, and nothing is left" do
    requirements("apples\n")
    # Not even the superuser may.
    {sentence, nil} = failure(["--pip", "/sys/venv"])
    assert sentence =~ "/sys/venv cannot be made, because nothing can be written in /sys: "
    File.write!("file", "")
    {sentence, nil} = failure(["--pip", "file/venv"])
    assert sentence =~ "file/venv cannot be"
  end

  test "editable packages and links that a release would lack are refused", %{project: project} do
    File.mkdir_p!("source")
    File.write!("source/mine.py", "")

    File.write!("source/pyproject.toml", """
    [build-system]
    requires = []
    build-backend = "backend"
    backend-path = ["."]
    """)

    # A build backend that needs no other package.
    File.write!("source/backend.py", """
    import os, zipfile

    def build_wheel(folder, config_settings=None, metadata_directory=None):
        name = "mine-1.0-py3-none-any.whl"
        with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
            wheel.writestr("mine.py", "")
            wheel.writestr("mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\n")
            wheel.writestr("mine-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
            wheel.writestr("mine-1.0.dist-info/RECORD", "")
        return name

    build_editable = build_wheel
    """)

    requirements("-e ./source\n")
    {sentence, nil} = failure(["--pip"])
    assert sentence =~ "mine is installed in editable mode" and sentence =~ "change that in requirements.txt"
    refute File.exists?("priv/venv")
    requirements("./source\n")
    assert either() =~ "made"
    # A sitecustomize of the installation could make such a link; here, a package does when it is built.
    backend = File.read!("source/backend.py")
    link = ~s|    os.symlink("#{project}/file", os.environ["LINK"])\n|
    File.write!("source/backend.py", String.replace(backend, "    name =", link <> "    name ="))
    # uv builds it again only if this changes.
    File.write!("source/pyproject.toml", File.read!("source/pyproject.toml") <> "# more\n")
    System.put_env("LINK", Path.expand("priv/venv.new-#{System.pid()}/lib/link"))
    {sentence, nil} = failure(["--force"])
    System.delete_env("LINK")

    assert sentence =~
             "lib/link in the new environment is a link to #{project}/file, which a release would lack"

    assert_alone("priv/venv")
  end

  test "a uv that cannot be run, and a file that is included and missing, are told in one sentence", %{
    project: project
  } do
    requirements("-r 'no such file.txt'\n")
    {sentence, words} = failure([])
    assert sentence =~ "the packages of requirements.txt cannot be installed"
    assert words =~ "such file" or words =~ "not found"
    File.mkdir_p!("bin")
    File.write!("bin/uv", "no program\n")
    File.chmod!("bin/uv", 0o755)
    System.put_env("PATH", Path.join(project, "bin") <> ":" <> System.get_env("PATH"))
    error = assert_raise Mix.Error, fn -> venv([]) end
    assert error.message =~ "uv" and error.message =~ "Nothing is left of it"
    refute error.message =~ "ErlangError"
  end

  test "a file that leads to code elsewhere is refused like an editable package", %{
    wheels: wheels,
    project: project
  } do
    Wheels.make!(wheels, "paths", "1.0", [], [{"paths.pth", "import sys\n#{project}/source\n"}])
    requirements("paths\n")
    {sentence, nil} = failure([])
    assert sentence =~ "paths.pth is installed in editable mode"
    refute File.exists?("priv/venv")
  end

  test "packages elsewhere do not count as installed", %{project: project} do
    System.put_env("PYTHONPATH", Path.join(project, "elsewhere"))
    System.put_env("PIP_TARGET", Path.join(project, "target"))
    on_exit(fn -> for name <- ["PYTHONPATH", "PIP_TARGET"], do: System.delete_env(name) end)
    info = Path.join(project, "elsewhere/apples-1.0.dist-info")
    File.mkdir_p!(info)
    File.write!(Path.join(info, "METADATA"), "Metadata-Version: 2.1\nName: apples\nVersion: 1.0\n")
    requirements("apples\n")
    assert pip() =~ "made"
    for name <- ["PYTHONPATH", "PIP_TARGET"], do: System.delete_env(name)
    assert {"1.0", _prefix} = installed("priv/venv")
  end

  test "the interpreter is named by its version, which python3 may change", %{project: project} do
    {real, 0} =
      System.cmd(@python, ["-c", "import sys; print(sys._base_executable, '%d.%d' % sys.version_info[:2])"])

    [real, version] = String.split(real)
    bin = Path.dirname(Path.expand(real))
    requirements("")
    arguments = ["--python", Path.join(bin, "python3"), "--", "--no-index"]
    System.put_env("PATH", if(@has_uv, do: Path.dirname(@uv) <> ":", else: "") <> System.get_env("PATH"))
    capture_io(:stderr, fn -> capture_io(fn -> Mix.Tasks.Portpool.Venv.run(arguments) end) end)
    assert File.read_link!(Path.join(project, "priv/venv/bin/python")) == Path.join(bin, "python" <> version)
  end

  test "what cannot be meant is refused in one sentence" do
    {sentence, nil} = failure(["--pip"])
    assert sentence =~ "has no uv.lock, requirements.txt, pyproject.toml: name the file"
    requirements("apples\n")

    for {arguments, says} <- [
          {["--file", "packages.txt"], "packages.txt (--file) cannot be read: no such file"},
          {["--file", "wheels"], "wheels (--file) is not a file"},
          {["one", "two"], "takes one directory, not one, two"},
          {["--pop"], "does not take --pop"},
          {["-e", "."], "does not take -e"}
        ] do
      {sentence, nil} = failure(arguments)
      assert sentence =~ says
    end

    File.write!("uv.lock", "")
    {sentence, nil} = failure(["--pip"])
    assert sentence =~ "uv.lock is for uv alone"

    for {python, says} <- [
          {"no-such-python", "there is no Python no-such-python (--python)"},
          {"3.99", "there is no Python 3.99"},
          {"/nowhere/python3", "/nowhere/python3 (--python) cannot be run: :enoent"},
          {"/bin/true", "/bin/true does not behave like Python"},
          {"/bin/false", "/bin/false does not behave like Python (exit status 1)"},
          {".", "there is no Python ."}
        ] do
      arguments = ["--file", "requirements.txt", "--pip", "--python", python]
      assert %{message: message} = assert_raise(Mix.Error, fn -> Mix.Tasks.Portpool.Venv.run(arguments) end)
      assert message =~ says
    end
  end

  test "what a run that was killed has left is removed, and what another run is making is not" do
    requirements("apples\n")
    {gone, 0} = System.cmd("sh", ["-c", "echo $$"])
    left = for name <- ["new", "old"], do: "priv/venv.#{name}-#{String.trim(gone)}"
    kept = ["priv/venv.new-1", "priv/venv.new-mine", "priv/other.new-#{String.trim(gone)}"]
    for dir <- left ++ kept, do: File.mkdir_p!(dir)
    either()
    assert Enum.sort(File.ls!("priv")) == Enum.sort(["venv" | Enum.map(kept, &Path.basename/1)])
    assert left != []
  end
end
