defmodule Portpool.OptionsTest do
  use ExUnit.Case

  alias Portpool.Options
  alias Portpool.Test.Protocol

  setup do
    {:ok, binary: System.find_executable("true")}
  end

  # What the protocol has for pools too, and this side for calls alone.
  @of_a_call [:retry]

  test "the server is told what is not its own default, and only of options in docs/protocol.md 7.2", %{
    binary: binary
  } do
    {:ok, config} = Options.pool(binary: binary, name: A, shutdown: 60_000)
    assert Options.hello(config) == %{logs: :owner}

    # These two exclude each other.
    for {given, other} <- [{:python, :venv}, {:venv, :python}] do
      changed = Keyword.delete(changed(), other)
      {:ok, config} = Options.pool([binary: binary, name: A] ++ changed)
      documented = for [key | _] <- Protocol.table("7.2"), do: hd(Protocol.quoted(key))
      hello = Options.hello(config)
      assert {given, Enum.sort(Map.keys(hello))} == {given, Enum.sort(documented -- [other | @of_a_call])}
      for {key, value} <- changed, do: assert({key, hello[wire(key)]} == {key, value})
    end
  end

  test "the defaults are those of docs/protocol.md 7.2", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary)

    for [key, _value, default, _meaning] <- Protocol.table("7.2"),
        [key] = Protocol.quoted(key),
        key not in [:cd, :logs | @of_a_call] do
      assert {key, default(key, Map.fetch!(config, here(key)))} == {key, String.replace(default, "`", "")}
    end
  end

  test "the documentation has the options of a pool in three groups, each option once" do
    docs = Options.Table.docs(:pool)

    assert for([_, group] <- Regex.scan(~r/^### (.+)$/m, docs), do: group) == [
             "Everyday",
             "With care",
             "Rare"
           ]

    shown = for [_, name] <- Regex.scan(~r/^\| `(\w+)` \| /m, docs), do: String.to_existing_atom(name)
    assert shown == for({name, _type, _default, _doc} <- Options.Table.rows(:pool), do: name)
    assert shown -- Enum.uniq(shown) == []
    # A text with a bar would be two cells.
    for row <- String.split(docs, "\n"),
        String.starts_with?(row, "| "),
        do: assert(length(String.split(row, "|")) == 5)
  end

  # What this side says in another way: by a worker that is checked out, a broadcast, `call_with_meta`, `retry`.
  @inside [:lease, :worker, :meta, :idempotent]

  test "the options of requests are those of docs/protocol.md 7.3 and 7.4" do
    documented = for [key | _] <- Protocol.table("7.3"), do: hd(Protocol.quoted(key))
    known = for {key, _type, _default, _doc} <- Options.Table.rows(:call), do: key
    assert Enum.sort(Enum.map(known, &wire/1)) == Enum.sort(documented -- @inside)

    [text] = Regex.run(~r/^7\.4 .*?\n\n/ms, Protocol.text())

    for table <- [:checkout, :checkin, :stop],
        {key, _type, _default, _doc} <- Options.Table.rows(table),
        do: assert(text =~ "`#{key}`")
  end

  test "the options of a call are told in the words of the protocol" do
    given = [
      timeout: 1,
      checkout_timeout: :infinity,
      deadline: 5,
      grace: 0,
      on_cancel: :finish,
      key: {:user, 7},
      kwargs: %{a: 1},
      binaries: :str,
      max_frame: 1024
    ]

    assert Options.request(:call, given) == {:ok, Map.new(given)}
    assert Options.request(:call, none_as: nil) == {:ok, %{none: nil}}
    assert Options.request(:call, none_as: :undefined) == {:ok, %{none: :undefined}}

    for retry <- [[max: 2], %{max: 2}],
        do: assert(Options.request(:call, retry: retry) == {:ok, %{idempotent: true, retry: 2}})

    assert Options.request(:call, []) == {:ok, %{}}
    assert Options.request(:checkout, key: nil) == {:ok, %{key: nil}}
  end

  test "options that contradict each other are refused, naming both", %{binary: binary} do
    for {options, option, other} <- [
          {[overflow_ttl: 100], "overflow_ttl", ":max_overflow"},
          {[overflow_ttl: 100, max_overflow: 0], "overflow_ttl", ":max_overflow"},
          {[shutdown: 1_000], "shutdown", ":drain_timeout"},
          {[on_start_failure: :fail, wait: :none], "on_start_failure", ":wait"},
          {[venv: "/venv", python: "python3"], "venv", ":python"},
          {[shutdown: 1_000, drain_timeout: :infinity], "shutdown", ":drain_timeout"}
        ] do
      assert {:error, %{reason: :bad_request, detail: %{option: ^option}, message: message}} =
               Options.pool([binary: binary] ++ options)

      assert message =~ other
    end

    assert {:ok, _} = Options.pool(binary: binary, overflow_ttl: 100, max_overflow: 1)
    assert {:ok, _} = Options.pool(binary: binary, shutdown: 1_000, drain_timeout: 1_000)
    assert {:ok, _} = Options.pool(binary: binary, on_start_failure: :retry, wait: :none)
  end

  test "an old name says the new one", %{binary: binary} do
    for {options, new} <- [
          {[none: :undefined], ":none_as"},
          {[retry: 2], "`retry: [max: 2]` with each call"},
          {[retry: [max: 2]], "`retry: [max: 2]` with each call"},
          {[idempotent: true], "`retry: [max: 2]`"}
        ] do
      assert_refused(Options.pool([binary: binary] ++ options), options, new)
    end

    for {options, new} <- [
          {[none: nil], ":none_as"},
          {[idempotent: true], "`retry: [max: 2]`"},
          {[meta: true], "call_with_meta/5"},
          {[retry: 2], "`retry: [max: 2]`"},
          {[retry: [max: 11]], "from 0 to 10"},
          {[retry: [max: 1, times: 2]], "[max: n]"},
          {[retry: []], "[max: n]"},
          {[retry: true], "[max: n]"}
        ] do
      assert_refused(Options.request(:call, options), options, new)
    end
  end

  defp assert_refused(outcome, [{option, _value}], new) do
    name = Atom.to_string(option)
    assert {:error, %{reason: :bad_request, detail: %{option: ^name}, message: message}} = outcome
    assert message =~ new
  end

  test "a supervisor gives a pool the time to drain" do
    assert Options.child_shutdown([]) == 10_000
    assert Options.child_shutdown(drain_timeout: 100) == 5_100
    assert Options.child_shutdown(drain_timeout: :infinity) == :infinity
    assert Options.child_shutdown(drain_timeout: 100, shutdown: :brutal_kill) == :brutal_kill
    # The pool itself will refuse this.
    assert Options.child_shutdown(drain_timeout: :soon) == 5_000
  end

  test "what a binary and what None is are words of a short list", %{binary: binary} do
    for options <- [[binaries: :binary], [binaries: "str"], [none_as: :none], [none_as: false]] do
      assert {:error, %{reason: :bad_request}} = Options.pool([binary: binary] ++ options)
      assert {:error, %{reason: :bad_request, detail: %{option: option}}} = Options.request(:call, options)
      assert [String.to_existing_atom(option)] == Keyword.keys(options)
    end

    assert {:error, %{message: message}} = Options.request(:call, binaries: :binary)
    assert message =~ ":str or :bytes, not :binary"
    assert {:error, %{reason: :bad_request}} = Options.request(:call, max_frame: 1023)
  end

  describe "a path in an application" do
    test "is where that application is now", %{binary: binary} do
      priv = Application.app_dir(:portpool, "priv/python")

      for path <- [
            {:portpool, "priv/python"},
            {:portpool, ~c"priv/python"},
            {:portpool, "priv/../priv/./python"}
          ] do
        {:ok, config} = Options.pool(binary: binary, python_path: ["/a", path], python: path, cd: path)
        assert {config.python_path, config.python, config.cd} == {["/a", priv], priv, priv}
        assert {:ok, %{venv: ^priv}} = Options.pool(binary: binary, venv: path)
      end

      # Of those of Erlang, too.
      {:ok, config} = Options.pool(binary: binary, cd: {:kernel, "ebin"})
      assert config.cd == :kernel |> :code.lib_dir() |> Path.join("ebin")
      assert {:error, error} = Options.pool(binary: {:portpool, "priv/no-such-program"})
      assert error.message =~ Application.app_dir(:portpool, "priv/no-such-program")
    end

    test "that is not known names that application", %{binary: binary} do
      for {option, value} <- [
            python_path: [{:no_such_app, "priv"}],
            python: {:no_such_app, "priv"},
            cd: {:no_such_app, "priv"},
            venv: {:no_such_app, "priv"},
            binary: {:no_such_app, "priv"}
          ] do
        name = Atom.to_string(option)

        assert {:error, %{reason: :bad_request, detail: %{option: ^name}, message: message}} =
                 Options.pool([{option, value} | if(option == :binary, do: [], else: [binary: binary])])

        assert message =~ "the application :no_such_app" and message =~ "does not know"
      end
    end

    test "is relative, and text", %{binary: binary} do
      assert {:error, %{message: message}} = Options.pool(binary: binary, cd: {:portpool, "/priv"})
      assert message =~ "must be relative" and message =~ ~s({:portpool, "/priv"})

      for path <- [{:portpool, 1}, {:portpool, ""}, {"portpool", "priv"}, {:portpool}, {:portpool, "a", "b"}],
          option <- [[cd: path], [python: path], [venv: path], [python_path: [path]], [python_path: path]] do
        assert {:error, %{reason: :bad_request, message: message}} = Options.pool([binary: binary] ++ option)
        assert message =~ "{app, path}"
      end
    end
  end

  test "without a current directory absolute paths are right, and relative ones say so", %{binary: binary} do
    gone = Path.join(System.tmp_dir!(), "portpool-gone-#{System.unique_integer([:positive])}")
    File.mkdir_p!(gone)
    before = File.cwd!()
    on_exit(fn -> File.cd!(before) end)
    File.cd!(gone)
    File.rmdir!(gone)

    assert {:ok, %{python_path: ["/a"]}} =
             Options.pool(binary: binary, python_path: ["/a"], cd: {:portpool, "priv"})

    for {option, value} <- [python_path: ["a"], cd: "a", python: "./a", venv: "a"] do
      assert {:error, %{reason: :bad_request, message: message}} =
               Options.pool([{option, value}, binary: binary])

      assert message =~ "option #{inspect(option)} has the relative path" and
               message =~ "does not exist any more"
    end
  end

  test "text is made of strings, charlists and atoms", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary, python_path: ["/a", ~c"/b", :c], python: :python3)
    assert config.python_path == ["/a", "/b", Path.expand("c")]
    assert config.python == "python3"
  end

  test "paths need not be UTF-8", %{binary: binary} do
    raw = "/tmp/caf" <> <<0xE9>>
    options = [python: raw <> "/python", python_path: [raw, <<0xFF>>, {:portpool, <<0xFE>>}], cd: raw]
    {:ok, config} = Options.pool([binary: binary] ++ options)
    assert {config.python, config.cd} == {raw <> "/python", raw}
    inside = Application.app_dir(:portpool, <<0xFE>>)
    assert config.python_path == [raw, Path.expand(<<0xFF>>), inside]
    assert {:ok, %{python: <<0xE9>>}} = Options.pool(binary: binary, python: <<0xE9>>)
    # Text is text.
    for option <- [env: %{"A" => raw}, preload: [raw], allow: [raw]],
        do: assert({:error, %{reason: :bad_request}} = Options.pool([option, binary: binary]))
  end

  test "an interpreter with a slash in its name is a path, and links are not followed", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary, python: ".venv/bin/python")
    assert config.python == Path.expand(".venv/bin/python")
    assert {:ok, %{venv: venv}} = Options.pool(binary: binary, venv: ".venv")
    assert venv == Path.expand(".venv")
  end

  test "a refused option that is far from all of them gets the list" do
    assert {:error, error} = Options.request(:call, priority: 1)
    assert error.message =~ ":timeout, :checkout_timeout, :deadline"
  end

  test "the environment does not show in a log", %{binary: binary} do
    {:ok, config} = Options.pool(binary: binary, env: [TOKEN: "secret"], init: {:db, :open, ["secret"]})
    refute inspect(config) =~ "secret"
    assert {:error, error} = Options.pool(binary: binary, env: [TOKEN: "secret", OTHER: 1])
    refute error.message =~ "secret"
  end

  test "the documentation of the module has every option" do
    {:docs_v1, _, _, _, %{"en" => text}, _, _} = Code.fetch_docs(Portpool)
    {:ok, config} = Options.pool(binary: "/bin/sh")
    for key <- Map.keys(Map.from_struct(config)) -- [:started], do: assert(text =~ "| `#{key}` | ")
    for table <- [:call, :checkout], do: assert(text =~ Options.Table.docs(table))
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

      assert {:ok, %{binary: ^built}} = Options.pool([])
    end

    test "for :venv, bin/portpool in the pool's own environment", %{binary: binary} do
      venv = Path.join(System.tmp_dir!(), "portpool-venv-#{System.unique_integer([:positive])}")
      on_exit(fn -> File.rm_rf!(venv) end)
      File.mkdir_p!(Path.join(venv, "bin"))
      program = Path.join(venv, "bin/portpool")
      assert {:error, error} = Portpool.Binary.find(:venv, venv)
      assert error.message =~ "#{program} (from the option binary: :venv) cannot be used: no such file"

      File.ln_s!(binary, program)
      assert Portpool.Binary.find(:venv, venv) == {:ok, program}

      assert {:ok, %{binary: ^program}} = Options.pool(binary: :venv, venv: venv)
      assert {:error, error} = Options.pool(binary: :venv)
      assert error.message == "option :binary is :venv, which is bin/portpool in the option :venv: give both"
      assert {:error, error} = Options.pool(binary: {:venv})
      assert error.message =~ "must be a path, {app, path} or :venv, not {:venv}"
    end
  end

  # A value for each option that is not its default.
  defp changed do
    [
      size: 3,
      max_overflow: 2,
      overflow_ttl: 1,
      strategy: :fifo,
      checkout_timeout: :infinity,
      timeout: 1,
      deadline: 1,
      grace: 1,
      on_cancel: :finish,
      quarantine: 0,
      lease_timeout: 1,
      start_timeout: 1,
      on_start_failure: :fail,
      on_crash_loop: :exit,
      preload: ["os.path"],
      warmup: {"models", "warm", [1]},
      init: {"models", "load", []},
      max_calls: 1,
      max_age: 1,
      max_memory: 1,
      memory_limit: 1,
      rlimits: %{core: 0},
      pool_memory_limit: 1,
      cgroup: "/sys/fs/cgroup/portpool.slice",
      no_new_privs: true,
      idle_check: 1,
      busy_poll: 0,
      prefetch: :off,
      drain_timeout: 1,
      signals: :drain,
      wait: :all,
      max_queue: 1,
      max_queue_bytes: 1,
      max_inflight_bytes: 65_536,
      max_frame: 1024,
      allow: ["os.path:join"],
      binaries: :bytes,
      none_as: :undefined,
      python: "/usr/bin/python3",
      venv: "/opt/venv",
      python_path: ["/a"],
      env: %{"A" => "1"},
      cd: "/"
    ]
  end

  # Names of options: there, and here.
  defp wire(:none_as), do: :none
  defp wire(key), do: key

  defp here(:none), do: :none_as
  defp here(key), do: key

  # As the table of the protocol writes them.
  defp default(:none, nil), do: "nil"
  defp default(_key, nil), do: "none"
  defp default(_key, []), do: "[]"
  defp default(_key, map) when map == %{}, do: "\#{}"
  defp default(_key, value), do: to_string(value)
end
