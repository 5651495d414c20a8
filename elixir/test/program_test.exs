defmodule Portpool.ProgramTest do
  # Why a pool cannot start its program: a sentence that names what is at fault, never just an error code.
  use Portpool.Test.Case

  alias Portpool.Test.{Beam, Files}

  setup do
    directory = Path.join(System.tmp_dir!(), "portpool-program-#{System.unique_integer([:positive])}")
    File.mkdir_p!(directory)
    on_exit(fn -> File.rm_rf!(directory) end)
    {:ok, directory: directory}
  end

  describe "the server program" do
    test "a script without its interpreter names the interpreter", %{directory: directory} do
      path = program!(directory, "#!/no/such/interpreter -x\nexit 0\n")

      assert message(binary: path) ==
               "#{path} cannot be run: it is a script, and its interpreter /no/such/interpreter does not exist"

      path = program!(directory, "#!#{directory}\n")
      assert message(binary: path) =~ "its interpreter #{directory} is not an executable file"
    end

    test "neither a program nor a script is said to be that", %{directory: directory} do
      for content <- ["", "exit 0\n", <<0, 1, 2>>] do
        path = program!(directory, content)
        assert message(binary: path) =~ "it is neither a program nor a script that begins with #!"
      end
    end

    test "for another processor or system says for which", %{directory: directory} do
      {own, other, name} =
        if Files.own_machine() == 0x3E,
          do: {0x3E, 0xB7, "aarch64"},
          else: {Files.own_machine(), 0x3E, "x86_64"}

      path = program!(directory, Files.elf(other, ""))
      assert message(binary: path) =~ ~r/it was built for #{name}, and this machine is \w+/
      assert message(binary: program!(directory, <<0xCFFAEDFE::32, 0::800>>)) =~ "it was built for macOS"
      assert message(binary: program!(directory, "MZ" <> <<0::800>>)) =~ "it was built for Windows"
      # As a glibc program on a system with musl.
      path = program!(directory, Files.elf(own, "/lib/ld-none-such.so.1"))

      assert message(binary: path) =~
               "it was built for another system: its loader /lib/ld-none-such.so.1 does not exist"
    end

    test "that ends at once says with which status", %{directory: directory} do
      for status <- [0, 2, 8, 13, 77] do
        path = program!(directory, "#!/bin/sh\ndd bs=65536 count=1 > /dev/null 2>&1\nexit #{status}\n")
        assert message(binary: path) == "#{path} ended before it was ready (with status #{status})"
      end
    end

    test "that has gone by the time it is started again ends the pool, and the log says why", %{
      directory: directory
    } do
      Process.flag(:trap_exit, true)
      {:ok, binary} = Portpool.Binary.find(nil)
      copy = Path.join(directory, "portpool")
      File.ln_s!(binary, copy)
      {:ok, pool} = Portpool.start_link(size: 1, binary: copy)
      File.rm!(copy)

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          kill_server(pool)
          assert_receive {:EXIT, ^pool, :shutdown}, 5_000
          eventually(fn -> logs() == [] end)
        end)

      assert log =~ "the server did not start again: #{copy} could not be started: it does not exist any more"
    end
  end

  test "a VM whose current directory was deleted says so, and nothing about the program" do
    said =
      in_beam("""
      File.mkdir_p!(directory)
      File.cd!(directory)
      File.rm_rf!(directory)
      said.(for options <- [[], [cd: "/"], [binary: System.fetch_env!("PORTPOOL_BINARY")]] do
        {:error, error} = Portpool.start_link([size: 1] ++ options)
        error.message
      end)
      """)

    for message <- said do
      assert message =~ "the current directory of this VM has been deleted, so it cannot start any program"
      refute message =~ "enoent"
    end
  end

  test "and so does a pool that runs when it is deleted, and cannot start its server again" do
    [said] =
      in_beam("""
      Process.flag(:trap_exit, true)
      {:ok, _} = Agent.start_link(fn -> [] end, name: Said)
      defmodule Handler do
        def log(event, _config), do: Agent.update(Said, &[inspect(event.msg) | &1])
      end
      :ok = :logger.add_handler(Handler, Handler, %{})
      File.mkdir_p!(directory)
      File.cd!(directory)
      {:ok, pool} = Portpool.start_link(size: 1, wait: :all)
      File.rm_rf!(directory)
      {:ok, %{port: port, owner: owner}} = Portpool.Directory.route(pool)
      {:os_pid, server} = Port.info(port, :os_pid)
      Process.exit(owner, :kill)
      receive do {:EXIT, ^pool, _reason} -> :ok end
      wait = fn wait -> said = Enum.join(Agent.get(Said, & &1)); if(said =~ "did not start again", do: said, else: wait.(wait)) end
      said.([wait.(wait)])
      """)

    assert said =~ "the server did not start again: the current directory of this VM has been deleted"
  end

  test "a VM that has no descriptor left says so" do
    [message] =
      in_beam("""
      # To load a module takes a descriptor.
      for app <- [:portpool, :elixir, :kernel, :stdlib, :compiler],
          {:ok, modules} = :application.get_key(app, :modules),
          do: :code.ensure_modules_loaded(modules)

      {"", 0} = System.cmd("prlimit", ["--pid", System.pid(), "--nofile=64:64"])
      open = fn open, files ->
        case :file.open("/dev/null", [:raw]) do
          {:ok, file} -> open.(open, [file | files])
          {:error, :emfile} -> files
        end
      end
      files = open.(open, [])
      {:error, error} = Portpool.start_link(size: 1)
      Enum.each(files, &:file.close/1)
      said.([error.message])
      """)

    assert message =~
             "could not be started: this VM has as many open files as it may have; `ulimit -n` raises the limit"
  end

  describe "Python and its directory" do
    test "are named with what is wrong with them", %{directory: directory} do
      file = program!(directory, "#!/no/such/interpreter\n")
      plain = Path.join(directory, "plain")
      File.write!(plain, "")

      for {options, option, named} <- [
            {[cd: Path.join(directory, "none")], "cd", ~r"/none"},
            {[cd: plain], "cd", ~r"/plain.*director"i},
            {[python: Path.join(directory, "none")], "python", ~r"/none"},
            {[python: plain], "python", ~r"/plain"},
            {[python: directory], "python", ~r"portpool-program"},
            {[python: file], "python",
             ~r"is a script, and its interpreter ./no/such/interpreter. does not exist"},
            {[python: program!(directory, Files.elf(Files.other_machine(), ""))], "python",
             ~r"/program-.*format"}
          ] do
        assert {:error, %Error{reason: :bad_request} = error} = Portpool.start_link([size: 1] ++ options)
        assert {options, error.detail.option} == {options, option}
        assert error.message =~ named
      end
    end
  end

  test "a directory that is gone by the time a worker is started is named", %{directory: directory} do
    where = Path.join(directory, "where")
    File.mkdir!(where)

    pool = start_pool!(name: MyApp.Directory, cd: where)
    File.rmdir!(where)
    said = start_error(pool)

    assert said =~
             "python could not be started: its working directory #{inspect(where)} (option cd) cannot be used"
  end

  # Why no worker starts any more, once the one there is has died.
  defp start_error(pool) do
    assert {:error, %Error{reason: :worker_exit}} = Portpool.call(pool, :jobs, :exit_now, [1])

    eventually(
      fn ->
        with {:ok, %{last_start_error: %{message: message}}} <- Portpool.status(pool),
             do: message,
             else: (_ -> nil)
      end,
      5_000
    )
  end

  defp message(options) do
    assert {:error, %Error{reason: :internal, phase: :start, message: message}} = Portpool.start_link(options)
    message
  end

  defp program!(directory, content) do
    path = Path.join(directory, "program-#{System.unique_integer([:positive])}")
    File.write!(path, content)
    File.chmod!(path, 0o755)
    path
  end

  # The logs of pools that still run.
  defp logs do
    for pid <- Process.list(), match?({Portpool.Log, _, _}, :proc_lib.translate_initial_call(pid)), do: pid
  end

  # What a VM of its own says: texts.
  defp in_beam(script) do
    path = Path.join(System.tmp_dir!(), "portpool-said-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm(path) end)

    prelude = """
    [path] = System.argv()
    directory = path <> ".d"
    said = fn texts -> File.write!(path, :erlang.term_to_binary(texts)) end
    """

    Beam.start(prelude <> script <> "\nready.()\n", [path])
    path |> File.read!() |> :erlang.binary_to_term()
  end
end
