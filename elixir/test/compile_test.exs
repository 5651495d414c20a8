defmodule Portpool.CompileTest do
  use ExUnit.Case, async: true

  @compiler Path.expand("../mix/compile_portpool.exs", __DIR__)

  @project """
  Code.require_file("mix/compile_portpool.exs", __DIR__)

  defmodule Stand.MixProject do
    use Mix.Project
    def project, do: [app: :stand, version: "0.1.0", compilers: [:portpool, :app]]
  end
  """

  # A crate with a Mix project in it, and a cargo that "builds" into the target directory.
  setup do
    crate = Path.join(System.tmp_dir!(), "portpool-crate-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(crate) end)
    Enum.each(["src", "bin", "empty", "elixir/mix"], &File.mkdir_p!(Path.join(crate, &1)))
    File.write!(Path.join(crate, "Cargo.toml"), "")
    File.write!(Path.join(crate, "src/main.rs"), "")
    File.write!(Path.join(crate, "elixir/mix.exs"), @project)
    File.cp!(@compiler, Path.join(crate, "elixir/mix/compile_portpool.exs"))
    cargo(crate, "t=${CARGO_TARGET_DIR:-target}; mkdir -p $t/release; echo \"$*\" > $t/release/portpool")
    {:ok, crate: crate, program: Path.join(crate, "elixir/priv/portpool")}
  end

  test "the program is built once, and again when a source is newer", %{crate: crate, program: program} do
    assert {output, 0} = compile(crate)
    assert output =~ "with cargo"
    assert File.read!(program) == "build --release --bin portpool\n"

    assert {output, 0} = compile(crate)
    refute output =~ "with cargo"

    File.touch!(Path.join(crate, "src/main.rs"), System.os_time(:second) + 2)
    assert {output, 0} = compile(crate)
    assert output =~ "with cargo"
  end

  test "it is where the application looks for it", %{crate: crate} do
    assert {_output, 0} = compile(crate)
    assert File.regular?(Path.join(crate, "elixir/_build/dev/lib/stand/priv/portpool"))
  end

  test "CARGO_TARGET_DIR is honoured", %{crate: crate, program: program} do
    elsewhere = Path.join(crate, "elsewhere")
    assert {_output, 0} = compile(crate, CARGO_TARGET_DIR: elsewhere)
    assert File.regular?(program) and File.regular?(Path.join(elsewhere, "release/portpool"))
  end

  test "a program that PORTPOOL_BINARY names is not built", %{crate: crate, program: program} do
    assert {_output, 0} = compile(crate, PORTPOOL_BINARY: "/usr/bin/portpool", PATH: without_cargo(crate))
    refute File.exists?(program)
  end

  test "without sources nothing is built", %{crate: crate, program: program} do
    File.rm!(Path.join(crate, "Cargo.toml"))
    assert {_output, 0} = compile(crate)
    refute File.exists?(program)
  end

  test "where cargo is missing the message names both ways out", %{crate: crate} do
    assert {output, 1} = compile(crate, PATH: without_cargo(crate))
    assert output =~ "Install Rust" and output =~ "PORTPOOL_BINARY"
  end

  test "where cargo fails, so does the compilation", %{crate: crate} do
    cargo(crate, "echo 'error: no way' >&2; exit 101")
    assert {output, 1} = compile(crate)
    assert output =~ "error: no way" and output =~ "status 101"
  end

  defp cargo(crate, script) do
    path = Path.join(crate, "bin/cargo")
    File.write!(path, "#!/bin/sh\n#{script}\n")
    File.chmod!(path, 0o755)
  end

  defp compile(crate, env \\ []) do
    path = Path.join(crate, "bin") <> ":" <> System.fetch_env!("PATH")
    defaults = [PATH: path, MIX_ENV: "dev", PORTPOOL_BINARY: nil, CARGO_TARGET_DIR: nil, MIX_BUILD_PATH: nil]
    env = for {name, value} <- Keyword.merge(defaults, env), do: {Atom.to_string(name), value}
    options = [cd: Path.join(crate, "elixir"), env: env, stderr_to_stdout: true]
    System.cmd(System.find_executable("mix"), ["compile"], options)
  end

  # The directories of PATH that mix needs, and no other.
  defp without_cargo(crate) do
    for program <- ~w(mix elixir erl sh sed dirname basename readlink uname cat env),
        path = System.find_executable(program),
        link = Path.join([crate, "empty", program]),
        do: File.ln_s(path, link)

    Path.join(crate, "empty")
  end
end
