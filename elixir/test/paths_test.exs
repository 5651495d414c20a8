defmodule Portpool.PathsTest do
  # Paths are bytes for the VM, too, whatever its locale. docs/protocol.md 7.1
  use Portpool.Test.Case

  # Directories whose names are UTF-8, Latin-1, and nothing at all.
  @names ["caf\u00E9 \u0416", "caf" <> <<0xE9>>, <<0xFF, 0xFE>>]

  @locales [[], [{"LC_ALL", "C"}], [{"LC_ALL", "C"}, {"PYTHONUTF8", "0"}, {"PYTHONCOERCECLOCALE", "0"}]]

  test "the program, Python, its modules and its directory may have any bytes in their paths" do
    for name <- @names do
      directory = directory(name)
      File.write!(directory <> "/here.py", "import os\ndef here():\n    return os.getcwdb()\n")
      File.ln_s!(interpreter(), directory <> "/python3")
      File.ln_s!(program(), directory <> "/portpool")

      for env <- @locales do
        options = [python_path: [directory], cd: directory, env: env]

        programs = [binary: directory <> "/portpool", python: directory <> "/python3"]
        {:ok, pool} = Portpool.start_link([size: 1] ++ programs ++ options)
        assert Portpool.call(pool, :here, :here, []) == {:ok, directory}
        Portpool.stop(pool)
      end

      File.rm!(directory <> "/portpool")

      for option <- [
            binary: directory <> "/portpool",
            python: directory <> "/no",
            python_path: [directory <> "/no"]
          ] do
        assert {:error, %{reason: :bad_request, message: message}} =
                 Portpool.start_link(Keyword.merge([size: 1, python: interpreter()], [option]))

        assert String.valid?(message)
      end
    end
  end

  @script """
  true = Code.ensure_loaded?(Portpool)
  options = [python_path: [{:portpool, "a"}, "b"], cd: "c", binary: {:portpool, "priv/program"}]
  {:ok, config} = Portpool.Options.pool(options)
  {:ok, built} = Portpool.Options.pool([])
  IO.puts([Base.encode16(:erlang.term_to_binary({config.python_path, config.cd, config.binary, built.binary}))])
  """

  test "a VM in any locale knows where its applications, its directory and its program are" do
    directory = directory(hd(@names))
    app = directory <> "/portpool"
    File.mkdir!(app)
    File.cp_r!(Application.app_dir(:portpool, "ebin"), app <> "/ebin")
    File.mkdir!(app <> "/priv")
    for name <- ["program", "portpool"], do: File.ln_s!(program(), app <> "/priv/" <> name)

    for env <- [[{"LC_ALL", "C"}], [{"LC_ALL", "C.UTF-8"}]],
        variable <- [nil, app <> "/priv/program"] do
      env = [{"PORTPOOL_BINARY", variable} | env]
      args = ["-pa", app <> "/ebin", "-e", @script]
      {said, 0} = System.cmd("elixir", args, cd: directory, env: env)
      found = said |> String.trim() |> Base.decode16!() |> :erlang.binary_to_term()
      built = variable || app <> "/priv/portpool"
      assert found == {[app <> "/a", directory <> "/b"], directory <> "/c", app <> "/priv/program", built}
    end
  end

  # What a VM of its own finds whose application has no program in priv.
  @without_priv """
  case Portpool.Options.pool([]) do
    {:ok, config} -> IO.puts("found " <> Base.encode16(config.binary))
    {:error, error} -> IO.puts(error.message)
  end
  """

  test "without a program in priv it is looked for in PATH, and the error lists all places" do
    directory = directory(hd(@names))
    for name <- ["portpool", "bin"], do: File.mkdir!(directory <> "/" <> name)
    File.cp_r!(Application.app_dir(:portpool, "ebin"), directory <> "/portpool/ebin")
    File.ln_s!(program(), directory <> "/bin/portpool")
    args = ["-pa", directory <> "/portpool/ebin", "-e", @without_priv]

    look = fn variables ->
      env = [{"PORTPOOL_BINARY", ""} | variables]
      {said, 0} = System.cmd(System.find_executable("elixir"), args, cd: directory, env: env)
      String.trim(said)
    end

    path = System.fetch_env!("PATH")
    found = "found " <> Base.encode16(directory <> "/bin/portpool")
    assert look.([{"PATH", directory <> "/bin:" <> path}]) == found
    assert look.([{"PATH", "bin:" <> path}, {"LC_ALL", "C"}]) == found

    # Without the directories that have one.
    without = for part <- String.split(path, ":"), not File.exists?(part <> "/portpool"), do: part
    said = look.([{"PATH", Enum.join(without, ":")}, {"LC_ALL", "C.UTF-8"}])

    for place <- [
          "The option :binary is not given",
          "PORTPOOL_BINARY is not set",
          "#{directory}/portpool/priv/portpool does not exist",
          "no directory in PATH has portpool"
        ],
        do: assert(said =~ place)

    # As in an escript, where the application is in a file.
    File.write!(directory <> "/portpool/priv", "")
    assert look.([{"PATH", directory <> "/bin:" <> path}]) == found
    File.rm!(directory <> "/portpool/priv")

    # What is there and is no program is not passed over.
    File.mkdir_p!(directory <> "/portpool/priv/portpool")
    said = look.([{"PATH", directory <> "/bin:" <> path}, {"LC_ALL", "C.UTF-8"}])
    assert said =~ "#{directory}/portpool/priv/portpool (from the build) is not an executable file"
  end

  defp directory(name) do
    around = Path.join(System.tmp_dir!(), "portpool-paths-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(around) end)
    directory = around <> "/" <> name
    File.mkdir_p!(directory)
    directory
  end

  defp program,
    do: Path.expand(System.get_env("PORTPOOL_BINARY") || Application.app_dir(:portpool, "priv/portpool"))

  defp interpreter, do: System.get_env("PORTPOOL_TEST_PYTHON") || System.find_executable("python3")
end
