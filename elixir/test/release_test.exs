defmodule Portpool.ReleaseTest do
  use Portpool.Test.Case

  # A real release of a small application, which depends on this library, moved to another place, with everything that
  # it was built from gone.

  @library Path.expand("..", __DIR__)

  @files %{
    "mix.exs" => """
    defmodule Small.MixProject do
      use Mix.Project
      def project, do: [app: :small, version: "0.1.0", deps: [{:portpool, path: "../portpool"}]]
      def application, do: [mod: {Small.Application, []}, extra_applications: [:logger]]
    end
    """,
    "lib/small.ex" => """
    defmodule Small.Python do
      use Portpool,
        otp_app: :small,
        size: 1,
        python: {:small, "priv/bin/python"},
        python_path: [{:small, "priv/python"}],
        cd: {:small, "priv"}
    end

    defmodule Small.Application do
      use Application

      def start(_type, _args) do
        options = if path = System.get_env("SMALL_PATH"), do: [python_path: [{:small, path}]], else: []

        with {:ok, supervisor} <- Supervisor.start_link([{Small.Python, options}], strategy: :one_for_one) do
          IO.puts(Small.Python.call!(:greeting, :greet, ["the release"]))
          spawn(&System.stop/0)
          {:ok, supervisor}
        end
      end
    end
    """,
    "priv/python/greeting.py" => """
    import os

    def greet(name):
        return f"hello from {name} in {os.getcwd()}"
    """,
    "priv/bin/python" => """
    #!/bin/sh
    exec "#{System.get_env("PORTPOOL_TEST_PYTHON", "python3")}" "$@"
    """
  }

  setup_all do
    directory = Path.join(System.tmp_dir!(), "portpool-release-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(directory) end)

    library!(Path.join(directory, "built/portpool"))
    source = Path.join(directory, "built/small")
    for {name, text} <- @files, do: write!(Path.join(source, name), text)
    File.chmod!(Path.join(source, "priv/bin/python"), 0o755)

    {output, status} =
      System.cmd("mix", ["release", "--quiet"], cd: source, env: env(), stderr_to_stdout: true)

    assert {status, output} == {0, output}

    release = Path.join(directory, "moved")
    File.rename!(Path.join(source, "_build/prod/rel/small"), release)
    File.rm_rf!(Path.join(directory, "built"))
    {:ok, release: release}
  end

  test "the program and the paths of applications are found, from any directory", %{release: release} do
    assert {output, 0} = run(release)
    assert output =~ "hello from the release in #{release}/lib/small-0.1.0/priv\n"
  end

  test "a pool that cannot start prints its message when the release boots", %{release: release} do
    assert {output, status} = run(release, [{"SMALL_PATH", "priv/nowhere"}])
    assert status != 0
    assert output =~ "failed to start child: Small.Python\n"
    assert output =~ "** (Portpool.Error) "
    assert output =~ "#{release}/lib/small-0.1.0/priv/nowhere"
    # This is how a struct prints.
    refute output =~ "%Portpool.Error{"
  end

  defp run(release, more \\ []) do
    program = Path.join(release, "bin/small")
    System.cmd(program, ["start"], cd: "/", env: env() ++ more, stderr_to_stdout: true)
  end

  # As it comes in a package, with the program of this test run in the place of the one that would be built.
  defp library!(directory) do
    for name <- ["lib", "src", "mix", "mix.exs"] do
      File.mkdir_p!(directory)
      File.cp_r!(Path.join(@library, name), Path.join(directory, name))
    end

    {:ok, %{binary: program}} = Portpool.Options.pool([])
    File.mkdir_p!(Path.join(directory, "priv"))
    File.cp!(program, Path.join(directory, "priv/portpool"))
  end

  defp write!(path, text) do
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
  end

  # The release is to find the program by itself, and Mix its own directories.
  defp env do
    gone = ["PORTPOOL_BINARY", "MIX_BUILD_PATH", "MIX_DEPS_PATH", "MIX_TARGET", "ERL_LIBS", "RELEASE_NODE"]

    [
      {"MIX_ENV", "prod"},
      {"ERL_CRASH_DUMP_SECONDS", "0"},
      {"RELEASE_DISTRIBUTION", "none"} | Enum.map(gone, &{&1, nil})
    ]
  end
end
