defmodule Portpool.CarriedTest do
  # A release has the server program, or it is not built.
  use ExUnit.Case, async: true

  # Each test runs Mix several times.
  @moduletag timeout: 300_000

  import Portpool.Test.Stand, only: [mix: 3, write!: 3]

  alias Portpool.Test.Stand

  @mix_exs """
  defmodule Stand.MixProject do
    use Mix.Project

    def project do
      [
        app: :stand,
        version: "0.1.0",
        deps: [{:portpool, path: "../crate/elixir"}],
        releases: [stand: [strip_beams: true, steps: [:assemble, :tar]]]
      ]
    end

    def application, do: [mod: {Stand, []}, extra_applications: [:logger]]
  end
  """

  @application """
  defmodule Stand do
    use Application

    def start(_type, _args) do
      {:ok, pool} = Portpool.start_link(size: 1, python: System.fetch_env!("STAND_PYTHON"))
      {:ok, %{binary: program}} = Portpool.Options.pool([])
      IO.puts("The program is " <> program)
      IO.puts("The root is " <> inspect(Portpool.call(pool, :math, :sqrt, [16])))
      spawn(&System.stop/0)
      {:ok, pool}
    end
  end
  """

  setup_all do
    {:ok, %{binary: program}} = Portpool.Options.pool([])
    stand = Stand.new!()
    on_exit(fn -> File.rm_rf!(stand.directory) end)
    write!(stand.app, "mix.exs", @mix_exs)
    write!(stand.app, "lib/stand.ex", @application)

    # What is named is a link, and goes when the release is built.
    named = Path.join(stand.home, "a link")
    File.ln_s!(program, named)
    assert {_output, 0} = release(stand, ["--quiet"], PORTPOOL_BINARY: named)
    File.rm!(named)
    moved = Path.join(stand.directory, "moved ö")
    File.rename!(Path.join(stand.app, "_build/prod/rel/stand"), moved)
    tar = Path.join(stand.directory, "stand.tar.gz")
    File.rename!(Path.join(stand.app, "_build/prod/stand-0.1.0.tar.gz"), tar)

    {:ok, moved: moved, tar: tar, stand: stand, real: program, filled: Stand.program(stand, "prod")}
  end

  test "that was built with PORTPOOL_BINARY runs without it, wherever it is moved to", context do
    %{stand: stand, real: real, moved: moved, tar: tar} = context
    File.rename!(stand.package, stand.package <> " gone")
    on_exit(fn -> File.rename!(stand.package <> " gone", stand.package) end)

    program = Path.join(moved, "lib/portpool-#{version()}/priv/portpool")
    assert %File.Stat{type: :regular, mode: mode} = File.lstat!(program)
    assert rem(mode, 0o1000) == 0o755
    assert File.read!(program) == File.read!(real)

    assert {output, 0} = run(moved)
    assert output =~ "The program is #{program}\nThe root is {:ok, 4.0}"

    # And from the archive that :tar makes.
    {:ok, names} = :erl_tar.table(to_charlist(tar), [:compressed, :verbose])

    assert {_, :regular, size, _, tar_mode, _, _} =
             List.keyfind(names, ~c"lib/portpool-#{version()}/priv/portpool", 0)

    assert {size, rem(tar_mode, 0o1000)} == {byte_size(File.read!(real)), 0o755}
  end

  test "has a program also if the build had lost it, and the new one if that has changed", context do
    %{stand: stand, real: real, filled: filled} = context
    carried = Path.join(stand.app, "_build/prod/rel/stand/lib/portpool-#{version()}/priv/portpool")
    File.rm!(filled)
    assert {_output, 0} = release(stand, ["--overwrite", "--quiet"], PORTPOOL_BINARY: real)
    assert File.read!(carried) == File.read!(real)

    newer = write!(stand.home, "newer", File.read!(real) <> "newer")
    assert {_output, 0} = release(stand, ["--overwrite", "--quiet"], PORTPOOL_BINARY: newer)
    assert File.read!(carried) == File.read!(newer)
  end

  test "is not built without a program, whether or not anything is compiled for it", context do
    %{stand: stand, real: real, filled: filled} = context
    File.rename!(filled, filled <> ".away")

    try do
      assert {output, 1} = release(stand, ["--overwrite"], [])
      assert output =~ "The server program is missing"
      refute output =~ "assembling"

      assert {output, 1} = release(stand, ["--no-compile", "--overwrite"], PORTPOOL_BINARY: real)
      assert output =~ "#{Path.dirname(Path.dirname(filled))} has no server program in priv"
      refute output =~ "assembling"
    after
      File.rename!(filled <> ".away", filled)
    end

    # With one it is.
    assert {_output, 0} = release(stand, ["--no-compile", "--overwrite", "--quiet"], [])
  end

  test "is not built with a program that it could not run", %{stand: stand, filled: filled, real: real} do
    script = Stand.program!(stand.home, "script", "#!/bin/sh\nexec #{real} \"$@\"\n")
    before = File.read!(filled)
    assert {output, 1} = release(stand, ["--overwrite"], PORTPOOL_BINARY: script)
    assert output =~ "is a script: a release would contain the script, and not the program that it starts"
    assert File.read!(filled) == before
  end

  defp release(stand, args, env), do: mix(stand, ["release" | args], env: [{:MIX_ENV, "prod"} | env])

  defp run(release) do
    python = System.get_env("PORTPOOL_TEST_PYTHON") || System.find_executable("python3")

    env = [
      {"STAND_PYTHON", python},
      {"PORTPOOL_BINARY", nil},
      {"RELEASE_DISTRIBUTION", "none"},
      {"PATH", "/usr/bin:/bin"}
    ]

    System.cmd(Path.join(release, "bin/stand"), ["start"], cd: "/", env: env, stderr_to_stdout: true)
  end

  defp version, do: Mix.Project.config()[:version]
end
