defmodule Portpool.ReleaseTest do
  use Portpool.Test.Case

  # A real release of a small application, which depends on this library, moved to another place, with everything that
  # it was built from gone.

  alias Portpool.Test.Wheels

  @library Path.expand("..", __DIR__)

  @python System.get_env("PORTPOOL_TEST_PYTHON") || "python3"
  @has_numpy match?({_, 0}, System.cmd(@python, ["-c", "import numpy"], stderr_to_stdout: true))

  # Four releases start and stop, with a venv.
  @moduletag timeout: 300_000

  @files %{
    "mix.exs" => """
    defmodule Small.MixProject do
      use Mix.Project
      def project, do: [
          app: :small,
          version: "0.1.0",
          deps: [{:portpool, path: "../portpool"}],
          releases: [small: [steps: [:assemble, :tar]]]
        ]
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

    # A pool with the environment that the release carries.
    defmodule Small.Numbers do
      use Portpool,
        otp_app: :small,
        size: 1,
        venv: {:small, "priv/venv"},
        python_path: [{:small, "priv/python"}],
        on_start_failure: :fail,
        drain_timeout: 60_000
    end

    # It is stopped after the pool, so it gets the result of a call that is in flight when the VM is told to stop.
    defmodule Small.Caller do
      use GenServer

      def start_link(folder), do: GenServer.start_link(__MODULE__, folder, name: __MODULE__)
      def init(folder), do: {:ok, folder}

      def handle_cast(:call, folder) do
        outcome = Small.Numbers.call(:figures, :total, [folder], timeout: :infinity)
        File.write!(Path.join(folder, "said"), inspect(outcome))
        {:noreply, folder}
      end
    end

    # The first that is stopped: it says that the stop has begun.
    defmodule Small.Last do
      use GenServer

      def start_link(folder), do: GenServer.start_link(__MODULE__, folder)

      def init(folder) do
        Process.flag(:trap_exit, true)
        {:ok, folder}
      end

      def terminate(_reason, folder), do: File.write!(Path.join(folder, "stopping"), "")
    end

    defmodule Small.Application do
      use Application

      def start(_type, _args) do
        if folder = System.get_env("SMALL_FOLDER"), do: serve(folder), else: greet()
      end

      defp serve(folder) do
        caller = Supervisor.child_spec({Small.Caller, folder}, shutdown: :infinity)

        with {:ok, supervisor} <-
               Supervisor.start_link([caller, Small.Numbers, {Small.Last, folder}], strategy: :one_for_one) do
          GenServer.cast(Small.Caller, :call)
          {:ok, supervisor}
        end
      end

      defp greet do
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
    "priv/python/figures.py" => """
    import os, sys, time, numpy

    def total(folder):
        open(os.path.join(folder, "runs"), "x").close()
        while not os.path.exists(os.path.join(folder, "go")):
            time.sleep(0.001)
        return [int(numpy.arange(10).sum()), numpy.__version__, sys.prefix]
    """,
    "requirements.txt" => "numpy\n",
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

    if @has_numpy, do: venv!(source, directory)
    assert {_output, 0} = mix(source, ["release", "--quiet"])

    # A path such as people have.
    release = Path.join(directory, "hierhin verschoben ü")
    File.rename!(Path.join(source, "_build/prod/rel/small"), release)
    tar = Path.join(directory, "small.tar.gz")
    File.rename!(Path.join(source, "_build/prod/small-0.1.0.tar.gz"), tar)
    File.rm_rf!(Path.join(directory, "built"))
    {:ok, release: release, tar: tar, directory: directory}
  end

  # As a user makes it, of the numpy that the tests have.
  defp venv!(source, directory) do
    wheels = Path.join(directory, "wheels")
    File.mkdir_p!(wheels)
    Wheels.pack!(wheels, @python, "numpy")
    only_these = ["--", "--no-index", "--find-links", wheels]
    assert {output, 0} = mix(source, ["portpool.venv", "--python", @python | only_these])
    assert output =~ "made priv/venv with Python 3."
  end

  defp mix(source, arguments) do
    {:ok, %{binary: program}} = Portpool.Options.pool([])

    {output, status} =
      System.cmd("mix", arguments,
        cd: source,
        env: merge(env(), [{"PORTPOOL_BINARY", program}]),
        stderr_to_stdout: true
      )

    assert {status, output} == {0, output}
    {output, status}
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

  describe "an environment with numpy" do
    @describetag :numpy

    test "moves with the release, and a stop lets a call end that is in flight", %{release: release} do
      node = "small-#{System.unique_integer([:positive])}@127.0.0.1"
      # Its own way to be found by name: none but this release uses the port.
      options = "-start_epmd false -erl_epmd_port #{free_port()}"
      named = [{"RELEASE_DISTRIBUTION", "name"}, {"RELEASE_NODE", node}]
      serving = serve(release, named ++ [{"ELIXIR_ERL_OPTIONS", options}])
      stop = [{"ELIXIR_ERL_OPTIONS", options <> " -dist_listen false"} | named]

      assert {_output, 0} =
               System.cmd(Path.join(release, "bin/small"), ["stop"],
                 env: merge(env(), stop),
                 stderr_to_stdout: true
               )

      assert_ends_well(serving, release)
    end

    test "moves with the release, and a SIGTERM to all its processes lets a call end that is in flight", %{
      release: release
    } do
      serving = serve(release, [])
      # As systemd does it, to whatever is in its cgroup.
      all = with_environment("SMALL_FOLDER=#{serving.folder}")
      assert length(all) >= 4
      {_, 0} = System.cmd("kill", ["-TERM" | Enum.map(all, &Integer.to_string/1)], stderr_to_stdout: true)
      assert_ends_well(serving, release)
    end

    test "is in a packed release", %{tar: tar, directory: directory} do
      unpacked = Path.join(directory, "unpacked")
      :ok = :erl_tar.extract(String.to_charlist(tar), [:compressed, cwd: String.to_charlist(unpacked)])
      serving = serve(unpacked, [])
      for pid <- with_environment("SMALL_FOLDER=#{serving.folder}"), do: signal(pid, "TERM")
      assert_ends_well(serving, unpacked)
      File.rm_rf!(unpacked)
    end

    test "of another machine is told at boot, and nothing runs", %{release: release} do
      [config] = Path.wildcard(Path.join(release, "lib/small-*/priv/venv/pyvenv.cfg"))
      before = File.read!(config)
      on_exit(fn -> File.write!(config, before) end)

      File.write!(
        config,
        String.replace(before, ~r/^home = .*$/m, "home = /opt/python-of-the-build-machine/bin")
      )

      assert {output, status} = run(release, [{"SMALL_FOLDER", "/"}])
      assert status != 0
      assert output =~ "failed to start child: Small.Numbers\n"
      assert output =~ "the Python of \"#{Path.dirname(config)}\" is gone: it was made with Python 3."
      assert output =~ "\"/opt/python-of-the-build-machine/bin\" does not exist any more"
    end
  end

  # A release that runs a call, which waits until it is let go.
  defp serve(release, more) do
    folder = Path.join(System.tmp_dir!(), "portpool-serves-#{System.unique_integer([:positive])}")
    File.mkdir_p!(folder)

    on_exit(fn ->
      for pid <- with_environment("SMALL_FOLDER=#{folder}"),
          do: System.cmd("kill", ["-KILL", "#{pid}"], stderr_to_stdout: true)

      File.rm_rf!(folder)
    end)

    env =
      for {name, value} <- merge(env(), [{"SMALL_FOLDER", folder} | more]),
          do: {to_charlist(name), (value && to_charlist(value)) || false}

    options = [:binary, :exit_status, :stderr_to_stdout, args: ["start"], cd: "/", env: env]
    port = Port.open({:spawn_executable, Path.join(release, "bin/small")}, options)
    eventually(fn -> File.exists?(Path.join(folder, "runs")) end, 60_000)
    %{folder: folder, port: port}
  end

  defp assert_ends_well(%{folder: folder, port: port}, release) do
    eventually(fn -> File.exists?(Path.join(folder, "stopping")) end, 20_000)
    # The call still runs, on a worker that lives.
    refute File.exists?(Path.join(folder, "said"))
    File.write!(Path.join(folder, "go"), "")
    assert_receive {^port, {:exit_status, 0}}, 20_000
    [venv] = Path.wildcard(Path.join(release, "lib/small-*/priv/venv"))
    {version, 0} = System.cmd(@python, ["-c", "import numpy; print(numpy.__version__)"])
    assert File.read!(Path.join(folder, "said")) == inspect({:ok, [45, String.trim(version), venv]})
    eventually(fn -> with_environment("SMALL_FOLDER=#{folder}") == [] end)
    printed(port)
  end

  # What it has printed is for nobody.
  defp printed(port) do
    receive do
      {^port, {:data, _text}} -> printed(port)
    after
      0 -> :ok
    end
  end

  defp free_port do
    {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(socket)
    :gen_tcp.close(socket)
    port
  end

  defp merge(env, more), do: env |> Map.new() |> Map.merge(Map.new(more)) |> Map.to_list()

  defp run(release, more \\ []) do
    program = Path.join(release, "bin/small")
    System.cmd(program, ["start"], cd: "/", env: merge(env(), more), stderr_to_stdout: true)
  end

  # As it comes in a package.
  defp library!(directory) do
    File.mkdir_p!(directory)

    for name <- ["lib", "src", "mix", "mix.exs"],
        do: File.cp_r!(Path.join(@library, name), Path.join(directory, name))
  end

  defp write!(path, text) do
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
  end

  # The release is to find the program by itself, and Mix its own directories.
  defp env do
    gone = [
      "PORTPOOL_BINARY",
      "SMALL_FOLDER",
      "MIX_BUILD_PATH",
      "MIX_DEPS_PATH",
      "MIX_TARGET",
      "ERL_LIBS",
      "RELEASE_NODE"
    ]

    [
      {"MIX_ENV", "prod"},
      {"ERL_CRASH_DUMP_SECONDS", "0"},
      {"RELEASE_DISTRIBUTION", "none"} | Enum.map(gone, &{&1, nil})
    ]
  end
end
