defmodule Portpool.OptionsTest do
  use ExUnit.Case

  alias Portpool.Options
  alias Portpool.Test.Protocol

  # A pool tells the server of these only where they differ from the default.
  @terms [:binaries, :none]

  setup do
    {:ok, binary: System.find_executable("true")}
  end

  test "the server is told every option of docs/protocol.md 7.2 that has a value, and no other", %{
    binary: binary
  } do
    {:ok, config} = Options.pool(binary: binary, cd: "/", name: A, binaries: :bytes, none: :undefined)
    documented = for [key | _] <- Protocol.table("7.2"), do: hd(Protocol.quoted(key))
    assert Enum.sort(Map.keys(Options.hello(config))) == Enum.sort(Enum.uniq(documented ++ @terms))
    assert %{binaries: :bytes, none: :undefined} = Options.hello(config)

    {:ok, config} = Options.pool(binary: binary, binaries: :str, none: nil)
    assert (documented -- Map.keys(Options.hello(config))) -- @terms == [:cd]
  end

  test "the defaults are those of docs/protocol.md 7.2", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary)

    for [key, _value, default, _meaning] <- Protocol.table("7.2"), [key] = Protocol.quoted(key), key != :cd do
      assert default(key, Map.fetch!(config, key)) == String.replace(default, "`", "")
    end
  end

  test "the options of a call are those of docs/protocol.md 7.3" do
    given = [
      timeout: 1,
      checkout_timeout: :infinity,
      kwargs: %{a: 1},
      binaries: :str,
      none: nil,
      max_frame: 1024
    ]

    {:ok, options} = Options.call(given)
    assert options == Map.new(given)
    documented = for [key | _] <- Protocol.table("7.3"), do: hd(Protocol.quoted(key))
    assert Enum.sort(Map.keys(options)) == Enum.sort(Enum.uniq(documented ++ [:max_frame | @terms]))
    assert Options.call([]) == {:ok, %{}}
  end

  test "what a binary and what None is are words of a short list", %{binary: binary} do
    for options <- [[binaries: :binary], [binaries: "str"], [none: :none], [none: false]] do
      assert {:error, %{reason: :bad_request}} = Options.pool([binary: binary] ++ options)
      assert {:error, %{reason: :bad_request, detail: %{option: option}}} = Options.call(options)
      assert [String.to_existing_atom(option)] == Keyword.keys(options)
    end

    assert {:error, %{message: message}} = Options.call(binaries: :binary)
    assert message =~ ":str or :bytes, not :binary"
    assert {:error, %{reason: :bad_request}} = Options.call(max_frame: 1023)
  end

  test "text is made of strings, charlists and atoms", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary, python_path: ["/a", ~c"/b", :c], python: :python3)
    assert config.python_path == ["/a", "/b", Path.expand("c")]
    assert config.python == "python3"
  end

  test "an interpreter with a slash in its name is a path, and links are not followed", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary, python: ".venv/bin/python")
    assert config.python == Path.expand(".venv/bin/python")
  end

  test "a refused option that is far from all of them gets the list" do
    assert {:error, error} = Options.call(priority: 1)
    assert error.message =~ ":timeout, :checkout_timeout, :binaries, :none, :max_frame, :kwargs"
  end

  test "the environment does not show in a log", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary, env: [TOKEN: "secret"])
    refute inspect(config) =~ "secret"
    assert {:error, error} = Options.pool(binary: binary, env: [TOKEN: "secret", OTHER: 1])
    refute error.message =~ "secret"
  end

  test "the documentation of the module has every option" do
    {:docs_v1, _, _, _, %{"en" => text}, _, _} = Code.fetch_docs(Portpool)
    {:ok, config} = Options.pool(binary: "/bin/sh")
    for key <- Map.keys(Map.from_struct(config)) -- [:started], do: assert(text =~ "| `#{key}` | ")
  end

  describe "the server program is" do
    setup do
      before = System.get_env("PORTPOOL_BINARY")

      on_exit(fn ->
        if before, do: System.put_env("PORTPOOL_BINARY", before), else: System.delete_env("PORTPOOL_BINARY")
      end)
    end

    test "the option before PORTPOOL_BINARY", %{binary: binary} do
      System.put_env("PORTPOOL_BINARY", "/no/such/program")
      assert {:ok, %{binary: ^binary}} = Options.pool(binary: binary)
      assert {:error, error} = Options.pool([])
      assert error.message =~ "/no/such/program" and error.message =~ "PORTPOOL_BINARY"
    end

    test "PORTPOOL_BINARY before what was built", %{binary: binary} do
      System.put_env("PORTPOOL_BINARY", binary)
      assert {:ok, %{binary: ^binary}} = Options.pool([])
      System.put_env("PORTPOOL_BINARY", "")
      built = Application.app_dir(:portpool, "priv/portpool")

      case Options.pool([]) do
        {:ok, config} -> assert config.binary == built
        {:error, error} -> assert error.message =~ built and error.message =~ "mix compile"
      end
    end
  end

  # As the table of the protocol writes them.
  defp default(_key, nil), do: "nil"
  defp default(:python_path, []), do: "[]"
  defp default(:env, env) when env == %{}, do: "\#{}"
  defp default(_key, value), do: to_string(value)
end
