defmodule Portpool.ArchiveTest do
  # The program from a precompiled archive: `mix portpool.install`, and `config :portpool, archive:` while compiling.
  use ExUnit.Case, async: true

  # Each test runs Mix several times.
  @moduletag timeout: 300_000

  import Portpool.Test.Stand, only: [mix: 3, write!: 3]

  alias Portpool.Test.{Stand, Web}

  setup_all do
    {:ok, %{binary: program}} = Portpool.Options.pool([])
    stand = Stand.new!()
    on_exit(fn -> File.rm_rf!(stand.directory) end)
    assert {_output, 0} = mix(stand, ["compile"], env: [PORTPOOL_BINARY: program])

    # As `make archive` makes it.
    made = Path.join(stand.directory, "made")
    command = Path.expand("../../bin/make-archive", __DIR__)
    {_output, 0} = System.cmd(command, [program, Portpool.Build.Target.host(), made])
    name = "portpool-#{version()}-#{Portpool.Build.Target.host()}.tar.gz"
    archive = File.read!(Path.join(made, name))

    {:ok,
     stand: stand,
     real: program,
     name: name,
     archive: archive,
     made: made,
     sums: Path.join(made, "portpool-#{version()}.sha256"),
     filled: Stand.program(stand)}
  end

  setup %{stand: stand}, do: Stand.reset!(stand)

  test "an archive has a name that says what it is for, and the same program makes the same archive",
       context do
    %{made: made, name: name, real: real, archive: archive, sums: sums} = context
    assert File.ls!(made) |> Enum.sort() == Enum.sort([name, Path.basename(sums)])
    assert File.read!(sums) == "#{sha256(archive)}  #{name}\n"

    {:ok, files} = :erl_tar.extract({:binary, archive}, [:memory, :compressed])
    root = Path.basename(name, ".tar.gz")
    assert {_name, program} = List.keyfind(files, ~c"#{root}/portpool", 0)
    assert program == File.read!(real)
    assert List.keymember?(files, ~c"#{root}/LICENSE", 0)
  end

  test "compiling fetches the archive that is configured, once", context do
    %{stand: stand, name: name, archive: archive, sums: sums, filled: filled, real: real} = context
    File.cp!(sums, Path.join(stand.app, "portpool.sha256"))
    on_exit(fn -> File.rm!(Path.join(stand.app, "portpool.sha256")) end)

    # From where it was moved to, as releases are.
    url = Web.serve!(%{"/v#{version()}/#{name}" => {:moved, "/elsewhere"}, "/elsewhere" => archive})
    config = [archive: [url: url <> "/v{version}", checksums: "portpool.sha256"]]
    assert compile!(stand, config: config) =~ "Fetching #{url}/v#{version()}/#{name}"
    assert File.read!(filled) == File.read!(real)
    assert_received {:asked, _path}
    assert_received {:asked, "/elsewhere"}

    refute compile!(stand, config: config) =~ "Fetching"
    # As another environment does, or the same one after it was cleaned.
    File.rm!(filled)
    refute compile!(stand, config: config) =~ "Fetching"
    assert File.read!(filled) == File.read!(real)
    refute_received {:asked, _path}

    # Other checksums are another wish.
    write!(stand.app, "portpool.sha256", "#{String.duplicate("0", 64)}  #{name}\n")
    assert refused(stand, config: config) =~ "is not what"
  end

  test "an archive that is not what its checksum says is not unpacked, and nothing is installed", context do
    %{stand: stand, name: name, archive: archive, sums: sums, filled: filled} = context
    <<head::binary-size(1000), byte, rest::binary>> = archive
    url = Web.serve!(%{"/#{name}" => <<head::binary, Bitwise.bxor(byte, 1), rest::binary>>})
    said = refused(stand, config: [archive: [url: url, checksums: sums]])
    assert said =~ "#{url}/#{name} is not what #{sums} says it is: its SHA-256 is "
    assert said =~ "and there it is #{sha256(archive)}"
    assert said =~ "Nothing of it was installed"
    refute File.exists?(filled)
    refute File.exists?(Path.join(stand.app, "_build/portpool"))
  end

  test "an archive that cannot be had is one sentence", context do
    %{stand: stand, name: name, archive: archive, sums: sums, filled: filled} = context
    nowhere = Web.nowhere!()

    for {url, said} <- [
          {Web.serve!(%{}), "/#{name} cannot be downloaded: the server answers 404 Not Found"},
          {nowhere, "#{nowhere}/#{name} cannot be downloaded: connection refused. Is this machine offline"},
          {Web.serve!(%{"/#{name}" => {:cut, archive}}), "the server closed the connection before the end"},
          {stand.home, "#{stand.home}/#{name} cannot be read: no such file or directory"}
        ] do
      assert refused(stand, config: [archive: [url: url, checksums: sums]]) =~ said
      refute File.exists?(filled)
    end
  end

  test "a file of checksums has one of several forms, and must name the archive", context do
    %{stand: stand, name: name, archive: archive, made: made} = context
    sum = sha256(archive)
    refused = &refused(stand, config: [archive: [url: made, checksums: &1]])

    for text <- [
          "#{String.upcase(sum)} *./#{name}\r\n",
          "# ours\n#{String.duplicate("a", 64)}  other.tar.gz\n#{sum}  dist/#{name}\n",
          "SHA256 (#{name}) = #{sum}\n",
          sum
        ] do
      sums = write!(stand.home, "sums", text)
      compile!(stand, config: [archive: [url: made, checksums: sums]])
      Stand.reset!(stand)
    end

    sums = write!(stand.home, "sums", "#{sum}  other.tar.gz\n")
    assert refused.(sums) =~ "#{sums} has no checksum for #{name}. It has other.tar.gz"
    assert refused.(write!(stand.home, "sums", "<html>")) =~ "#{sums} has no SHA-256 checksums"
    assert refused.(stand.home <> "/none") =~ "#{stand.home}/none cannot be read: no such file"
    assert refused(stand, config: [archive: [url: made]]) =~ "config :portpool, archive: needs :checksums"
    assert refused(stand, config: [archive: "url"]) =~ "config :portpool, archive: must be a keyword list"
    assert refused(stand, config: [archive: [urls: made]]) =~ "config :portpool, archive: has no option :urls"
  end

  test "what is in an archive is looked at too", %{stand: stand, name: name, filled: filled, real: real} do
    other = String.replace(File.read!(real), version(), "9.9.9")

    for {content, said} <- [
          {tar([{~c"portpool", other}]), "the program in #{name} is portpool 9.9.9, and this package needs"},
          {tar([{~c"README", "hello"}]), "#{name} has no program named portpool in it"},
          {"no archive", "#{name} cannot be unpacked"}
        ] do
      write!(stand.home, name, content)
      sums = write!(stand.home, "sums", sha256(content))
      assert refused(stand, config: [archive: [url: stand.home, checksums: sums]]) =~ said
      assert File.ls(Path.dirname(filled)) in [{:ok, []}, {:error, :enoent}]
    end
  end

  describe "mix portpool.install" do
    test "installs into a project that cannot be compiled without it", context do
      %{stand: stand, name: name, archive: archive, sums: sums, real: real} = context
      url = Web.serve!(%{"/#{name}" => archive, "/sums" => File.read!(sums)})
      build = Path.join(stand.home, "build")
      installed = Path.join(build, "lib/portpool/priv/portpool")
      env = [MIX_BUILD_PATH: build]

      # What fails leaves nothing that looks as if it were compiled.
      wrong = write!(stand.home, "wrong", String.duplicate("0", 64))
      install = ["portpool.install", "--url", url, "--checksums"]
      assert {output, 1} = mix(stand, install ++ [wrong], env: env)
      assert output =~ "is not what #{wrong} says it is"
      refute output =~ "The server program is missing"
      refute File.exists?(Path.join(build, "lib/portpool/ebin/portpool.app"))

      assert {output, 0} = mix(stand, install ++ [url <> "/sums"], env: env)
      assert output =~ "Installed portpool #{version()} for #{Portpool.Build.Target.host()} into #{installed}"
      assert File.read!(installed) == File.read!(real)

      assert {_output, 0} = mix(stand, ["compile"], env: env)
      assert File.read!(installed) == File.read!(real)
      # It is still there when the build has to start again.
      File.rm!(installed)
      assert {_output, 0} = mix(stand, ["compile"], env: env)
      assert File.read!(installed) == File.read!(real)
    end

    test "does what is configured, and says what is wrong with its arguments", context do
      %{stand: stand, made: made, sums: sums, filled: filled, real: real} = context
      config = [archive: [url: made, checksums: sums]]
      assert {_output, 0} = mix(stand, ["portpool.install"], config: config)
      assert File.read!(filled) == File.read!(real)

      for {args, said} <- [
            {[], "give --checksums FILE, and --url unless the archive is among the releases of Portpool"},
            {["--url", made], "needs :checksums"},
            {["program"], "takes options only, and got program"},
            {["--nowhere", "x"], "--nowhere : Unknown option"},
            {["--url", made, "--checksums", sums, "--target", "riscv64gc-unknown-linux-musl"],
             "has no checksum for portpool-#{version()}-riscv64gc-unknown-linux-musl.tar.gz"}
          ] do
        assert {output, 1} = mix(stand, ["portpool.install" | args], [])
        assert output =~ said
      end
    end
  end

  defp compile!(stand, options) do
    assert {output, 0} = mix(stand, ["compile"], options)
    output
  end

  defp refused(stand, options) do
    assert {output, 1} = mix(stand, ["compile"], options)
    output
  end

  defp tar(files) do
    path = Path.join(System.tmp_dir!(), "portpool-tar-#{System.unique_integer([:positive])}")
    :ok = :erl_tar.create(path, files, [:compressed])
    content = File.read!(path)
    File.rm!(path)
    content
  end

  defp sha256(bytes), do: :sha256 |> :crypto.hash(bytes) |> Base.encode16(case: :lower)
  defp version, do: Mix.Project.config()[:version]
end
