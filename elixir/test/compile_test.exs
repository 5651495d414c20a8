defmodule Portpool.CompileTest do
  # What `mix compile` of the package puts into priv, each way to get it, and what it says if there is none.
  use ExUnit.Case, async: true

  # Each test runs Mix several times.
  @moduletag timeout: 300_000

  import Portpool.Test.Stand, only: [mix: 3, program!: 3, write!: 3]

  alias Portpool.Test.{Files, Stand}

  setup_all do
    {:ok, %{binary: program}} = Portpool.Options.pool([])
    stand = Stand.new!()
    on_exit(fn -> File.rm_rf!(stand.directory) end)

    # This compiles the modules of the package; the tests only look for programs.
    assert {_output, 0} = mix(stand, ["compile"], env: [PORTPOOL_BINARY: program])
    {:ok, stand: stand, real: program, filled: Stand.program(stand)}
  end

  setup %{stand: stand}, do: Stand.reset!(stand)

  describe "a program that is already built" do
    test "is copied, named by PORTPOOL_BINARY, also through a link and without its executable bit", context do
      %{stand: stand, real: real, filled: filled} = context
      File.cp!(real, Path.join(stand.home, "built"))
      File.chmod!(Path.join(stand.home, "built"), 0o644)
      File.ln_s!("built", Path.join(stand.home, "link"))

      assert {_output, 0} = compile(stand, env: [PORTPOOL_BINARY: Path.join(stand.home, "link")])
      assert %File.Stat{type: :regular, mode: mode} = File.lstat!(filled)
      assert rem(mode, 0o1000) == 0o755
      assert File.read!(filled) == File.read!(real)
      assert File.ls!(Path.dirname(filled)) == ["portpool"]
      # A package may be read-only.
      refute File.exists?(Path.join(stand.package, "priv"))
    end

    test "is copied again when it has changed, or another is named, and only then", context do
      %{stand: stand, real: real, filled: filled} = context
      built = Path.join(stand.home, "built")
      File.cp!(real, built)
      compile!(stand, env: [PORTPOOL_BINARY: built])
      first = File.stat!(filled)
      compile!(stand, env: [PORTPOOL_BINARY: built])
      assert File.stat!(filled) == first

      # What is not named any more is still there.
      compile!(stand)
      assert File.stat!(filled) == first

      write!(stand.home, "new", File.read!(real) <> "newer")
      File.rename!(Path.join(stand.home, "new"), built)
      compile!(stand, env: [PORTPOOL_BINARY: built])
      assert File.read!(filled) == File.read!(built)

      compile!(stand, env: [PORTPOOL_BINARY: real])
      assert File.read!(filled) == File.read!(real)

      # What was changed in the build is mended.
      File.write!(filled, "damaged")
      compile!(stand, env: [PORTPOOL_BINARY: real])
      assert File.read!(filled) == File.read!(real)
    end

    test "is named by the configuration, from the project, and PORTPOOL_BINARY comes first", context do
      %{stand: stand, real: real, filled: filled} = context
      File.cp!(real, Path.join(stand.app, "built"))
      on_exit(fn -> File.rm!(Path.join(stand.app, "built")) end)
      compile!(stand, config: [binary: "built"])
      assert File.read!(filled) == File.read!(real)
      compile!(stand, config: [binary: "/no/such/program"], env: [PORTPOOL_BINARY: real])

      for {value, said} <- [
            {"/no/such/program", "config :portpool, binary: names /no/such/program, which does not exist"},
            {stand.home, "config :portpool, binary: names #{stand.home}, which is not a file"},
            {{:stand, "built"}, ~s(config :portpool, binary: must be a path, not {:stand, "built"})}
          ] do
        assert refused(stand, config: [binary: value]) =~ said
      end
    end

    test "serves every Mix command without cargo", %{stand: stand, real: real, filled: filled} do
      env = [PORTPOOL_BINARY: real]

      for args <- [
            ["deps.get"],
            ["deps"],
            ["compile"],
            ["run", "-e", "1"],
            ["deps.compile", "portpool", "--force"]
          ] do
        assert {^args, {_output, 0}} = {args, mix(stand, args, env: env)}
      end

      assert File.read!(filled) == File.read!(real)

      assert {output, 0} =
               mix(stand, ["clean"], cd: stand.package, env: [{:MIX_BUILD_PATH, stand.home <> "/b"} | env])

      refute output =~ "rror"
    end
  end

  describe "what is no program for this build is refused, and the one that is there stays:" do
    test "another version", %{stand: stand, real: real, filled: filled} do
      compile!(stand, env: [PORTPOOL_BINARY: real])
      other = program!(stand.home, "other", another_version(real))

      said = refused(stand, env: [PORTPOOL_BINARY: other])

      assert said =~
               "PORTPOOL_BINARY names #{other}, which is portpool 9.9.9, and this package needs #{version()}"

      assert File.read!(filled) == File.read!(real)
    end

    test "another machine or system, a script, or anything else", %{stand: stand, real: real, filled: filled} do
      for {content, said} <- [
            {Files.elf(Files.other_machine(), ""),
             ~r/cannot be run: it was built for \w+, and this machine is \w+/},
            {Files.elf(Files.own_machine(), "/lib/ld-none-such.so.1"),
             ~r/its loader .lib.ld-none-such.so.1 does not exist/},
            {<<0xCFFAEDFE::32, 0::800>>, ~r/it was built for macOS/},
            {"#!/bin/sh\nexec portpool \"$@\"\n",
             ~r/is a script: a release would contain the script, and not the/},
            {File.read!(System.find_executable("true")), ~r/is not portpool: to `--version` it says "true/},
            {File.read!(System.find_executable("false")),
             ~r/is not portpool: `--version` ends with status 1/},
            {newer_system(real),
             ~r/cannot be run: it was built for another system, or a newer one .version `GLIBC_9/},
            {"", ~r/is not a program/}
          ] do
        path = program!(stand.home, "none", content)
        assert refused(stand, env: [PORTPOOL_BINARY: path]) =~ said
        assert File.ls!(Path.dirname(filled)) == []
      end
    end
  end

  test "the wheel in a virtual environment is taken, and where it is missing the message installs it",
       context do
    %{stand: stand, real: real, filled: filled} = context
    venv = Path.join(stand.app, "my venv")
    on_exit(fn -> File.rm_rf!(venv) end)
    said = refused(stand, config: [venv: "my venv"])

    assert said =~
             "config :portpool, venv: names #{venv}, which has no bin/portpool. Install the wheel into it: "

    assert said =~ "python3 -m venv '#{venv}' && '#{venv}/bin/pip' install portpool==#{version()}"

    File.mkdir_p!(Path.join(venv, "bin"))
    refute refused(stand, config: [venv: "my venv"]) =~ "-m venv"

    # As a wheel of another release, or an environment from another machine.
    program!(venv, "bin/portpool", another_version(real))

    assert refused(stand, config: [venv: "my venv"]) =~
             "#{venv}/bin/portpool (config :portpool, venv:) is portpool 9.9.9"

    program!(venv, "bin/portpool", Files.elf(Files.other_machine(), ""))
    assert refused(stand, config: [venv: "my venv"]) =~ "it was built for"

    File.cp!(real, Path.join(venv, "bin/portpool"))
    compile!(stand, config: [venv: "my venv"])
    assert File.read!(filled) == File.read!(real)
  end

  describe "cargo" do
    setup %{stand: stand, real: real} do
      write!(stand.crate, "Cargo.toml", "[package]\nname = \"portpool\"\n")
      write!(stand.crate, "src/main.rs", "")

      # It "builds" into a directory of its own, as its configuration may say.
      built = Path.join(stand.home, "target/release/portpool")
      File.mkdir_p!(Path.dirname(built))

      cargo!(stand, """
      echo "cargo $*" >&2
      cat "#{real}" > "#{built}"
      echo '{"reason":"compiler-artifact","executable":null}'
      echo '{"reason":"compiler-artifact","executable":"#{built}","fresh":false}'
      """)

      :ok
    end

    test "builds the program from the sources around the package, and again when one has changed", context do
      %{stand: stand, real: real, filled: filled} = context
      assert {output, 0} = compile(stand)
      assert output =~ "with cargo"
      assert output =~ "cargo build --release --locked --bin portpool --message-format json"
      assert File.read!(filled) == File.read!(real)

      refute compile!(stand) =~ "with cargo"
      write!(stand.crate, "src/lib.rs", "")
      assert compile!(stand) =~ "with cargo"
      write!(stand.crate, "src/lib.rs", "// changed")
      assert compile!(stand) =~ "with cargo"
      File.rm!(Path.join(stand.crate, "src/lib.rs"))
      assert compile!(stand) =~ "with cargo"
      refute compile!(stand) =~ "with cargo"
    end

    test "is not asked if another program is named, or the crate is another one", %{stand: stand, real: real} do
      refute compile!(stand, env: [PORTPOOL_BINARY: real]) =~ "with cargo"
      Stand.reset!(stand)
      write!(stand.crate, "Cargo.toml", "[package]\nname = \"portpool_of_others\"\n")
      cargo!(stand, "exit 1")
      assert refused(stand) =~ "The server program is missing"
    end

    test "is told for which machine", %{stand: stand} do
      triple =
        if Files.own_machine() == 0x3E, do: "aarch64-unknown-linux-gnu", else: "x86_64-unknown-linux-gnu"

      said = refused(stand, config: [target: triple])
      assert said =~ "--message-format json-render-diagnostics --target #{triple}\n"
      # This cargo makes it for this machine, whatever it is told.
      assert said =~ ~r/was built for \w+, and the target is #{triple}/
    end

    test "that fails makes compiling fail", %{stand: stand} do
      cargo!(stand, "echo 'error: no way' >&2; exit 101")
      said = refused(stand)

      assert said =~ "error: no way" and
               said =~ "cargo build --release in #{stand.crate} ended with status 101"
    end

    test "is found in its own directory, where PATH does not have it", %{stand: stand} do
      File.mkdir_p!(Path.join(stand.home, ".cargo/bin"))
      File.rename!(Path.join(stand.bin, "cargo"), Path.join(stand.home, ".cargo/bin/cargo"))
      assert compile!(stand) =~ "with cargo"
    end
  end

  describe "a program that was installed" do
    test "is taken from PATH, or from where cargo installs", %{stand: stand, real: real, filled: filled} do
      for place <- [Path.join(stand.bin, "portpool"), Path.join(stand.home, ".cargo/bin/portpool")] do
        Stand.reset!(stand)
        File.mkdir_p!(Path.dirname(place))
        File.cp!(real, place)
        compile!(stand)
        assert File.read!(filled) == File.read!(real)
      end
    end

    test "is passed over if it is another version or a shim, and the message says so", context do
      %{stand: stand, real: real, filled: filled} = context
      shim = program!(stand.bin, "portpool", "#!/bin/sh\nexit 0\n")
      other = program!(stand.home, ".cargo/bin/portpool", another_version(real))
      said = refused(stand)
      assert said =~ "  * #{shim} is a script"
      assert said =~ "  * #{other} is portpool 9.9.9, and this package needs #{version()}"

      File.cp!(real, other)
      compile!(stand)
      assert File.read!(filled) == File.read!(real)
    end
  end

  test "an umbrella has one configuration, whose paths start where it is", context do
    %{stand: stand, real: real, filled: filled} = context
    umbrella = Path.join(stand.home, "umbrella")

    write!(umbrella, "mix.exs", """
    defmodule Umbrella.MixProject do
      use Mix.Project
      def project, do: [apps_path: "apps", version: "0.1.0", deps: []]
    end
    """)

    write!(umbrella, "apps/child/mix.exs", """
    defmodule Child.MixProject do
      use Mix.Project
      @root "../.."

      def project do
        [app: :child, version: "0.1.0", build_path: @root <> "/_build", config_path: @root <> "/config/config.exs",
         deps_path: @root <> "/deps", lockfile: @root <> "/mix.lock", deps: [{:portpool, path: #{inspect(stand.package)}}]]
      end
    end
    """)

    write!(umbrella, "config/config.exs", "import Config\nconfig :portpool, binary: \"bin/portpool\"\n")
    program!(umbrella, "bin/portpool", File.read!(real))
    # The modules of the package are compiled there already.
    env = [MIX_BUILD_PATH: Path.join(stand.app, "_build/dev")]

    for directory <- [umbrella, Path.join(umbrella, "apps/child")] do
      File.rm_rf!(filled)
      assert {_output, 0} = mix(stand, ["compile"], cd: directory, env: env)
      assert File.read!(filled) == File.read!(real)
    end
  end

  test "if there is none, compiling fails with one message that lists the ways, and nothing is there",
       context do
    %{stand: stand, filled: filled} = context
    said = refused(stand)

    for way <- [
          "The server program is missing",
          "PORTPOOL_BINARY=/path/to/portpool",
          "config :portpool, binary:",
          "pip install portpool==#{version()}, and config :portpool, venv:",
          "cargo install --locked portpool@#{version()}",
          "portpool-#{version()}-#{target()}.tar.gz",
          "mix portpool.install --checksums FILE",
          "config :portpool, archive:",
          "cargo and the sources"
        ],
        do: assert(said =~ way)

    refute File.exists?(filled)
  end

  describe "a build for another machine" do
    test "takes its program without running it, and no other", %{stand: stand, real: real, filled: filled} do
      {triple, arch} =
        if Files.own_machine() == 0x3E,
          do: {"aarch64-unknown-linux-gnu", "aarch64"},
          else: {"x86_64-unknown-linux-gnu", "x86_64"}

      other = program!(stand.home, "other", Files.elf(Files.other_machine(), ""))

      for options <- [
            [config: [target: triple], env: []],
            [env: [PORTPOOL_TARGET: triple]],
            [env: [TARGET_ARCH: arch, TARGET_OS: "linux", TARGET_ABI: "gnu"]]
          ] do
        named = fn path -> Keyword.update!(options, :env, &[{:PORTPOOL_BINARY, path} | &1]) end
        compile!(stand, named.(other))
        assert File.read!(filled) == File.read!(other)
        assert refused(stand, named.(real)) =~ ~r/which was built for \w+, and the target is #{triple}/
      end

      # The same build for this machine again.
      compile!(stand, env: [PORTPOOL_BINARY: real])
      assert File.read!(filled) == File.read!(real)
    end
  end

  test "a build directory that is read-only is one sentence", %{stand: stand, real: real, filled: filled} do
    # The directory of a build that may not be written to; root may, so it is a file here.
    File.rm_rf!(Path.dirname(filled))
    File.write!(Path.dirname(filled), "")
    said = refused(stand, env: [PORTPOOL_BINARY: real])
    assert said =~ "the program cannot be put into #{Path.dirname(filled)}: "
    assert said =~ "MIX_BUILD_PATH names another directory"
    refute said =~ "File.Error"

    # A link that leads nowhere, as a cache of _build has it.
    File.rm!(Path.dirname(filled))
    File.ln_s!("/no/such/directory", Path.dirname(filled))
    compile!(stand, env: [PORTPOOL_BINARY: real])
    assert File.read!(filled) == File.read!(real)
  end

  defp compile(stand, options \\ []), do: mix(stand, ["compile"], options)

  defp compile!(stand, options \\ []) do
    assert {output, 0} = compile(stand, options)
    output
  end

  defp refused(stand, options \\ []) do
    assert {output, 1} = compile(stand, options)
    output
  end

  defp cargo!(stand, script), do: program!(stand.bin, "cargo", "#!/bin/sh\n#{script}\n")

  # The real program, with another version in it.
  defp another_version(real) do
    bytes = File.read!(real)
    assert length(:binary.matches(bytes, version())) >= 1
    String.replace(bytes, version(), "9.9.9")
  end

  # The real program, as it is when it was linked on a system with a glibc of the future.
  defp newer_system(real), do: String.replace(File.read!(real), ~r/GLIBC_2(?=\.\d)/, "GLIBC_9")

  defp version, do: Mix.Project.config()[:version]
  defp target, do: Portpool.Build.Target.host()
end
