defmodule Portpool.ErrorTest do
  use ExUnit.Case, async: true

  alias Portpool.{Error, Wire}
  alias Portpool.Test.Protocol

  test "errors made here have the phase, blame and retryable of docs/protocol.md 9.2" do
    for {reason, {phase, blame, retryable}} <- Error.local(), row = reasons()[reason] do
      assert row.phase == [] or phase in row.phase
      assert blame in row.blame
      assert retryable == row.retryable
    end
  end

  test "the reasons that only this side makes are those of docs/protocol.md 9.3" do
    assert Enum.sort(Map.keys(Error.local()) -- Map.keys(reasons())) == [:incompatible, :noproc, :unsafe_term]
    assert Protocol.prose() =~ "`noproc`, `incompatible`, `unsafe_term`"
  end

  test "every reason of docs/protocol.md is one of the type" do
    {:ok, types} = Code.Typespec.fetch_types(Error)
    [members] = for {:type, {:reason, {:type, _, :union, members}, []}} <- types, do: members
    assert Map.keys(reasons()) -- for({:atom, _, reason} <- members, do: reason) == []
  end

  test "every atom that the server writes in an error or a status is known to the decoder" do
    keys =
      for table <- ["9.1", "9.2", "10"],
          [key | _] <- Protocol.table(table),
          atom <- Protocol.quoted(key),
          do: atom

    values =
      for table <- ["9.2", "10"],
          row <- Protocol.table(table),
          atom <- Protocol.quoted(List.last(row)),
          do: atom

    assert Enum.uniq(keys ++ values) -- Wire.atoms() == []
  end

  describe "message/1" do
    test "is the message alone where there is no more" do
      assert Exception.message(Error.new(:noproc, "there is no pool X")) == "there is no pool X"
    end

    test "has the traceback as Python prints it" do
      traceback =
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no\n"

      error = %{Error.new(:internal, "ValueError: no") | detail: %{traceback: traceback}}
      assert Exception.message(error) == "ValueError: no\n\n" <> String.trim_trailing(traceback)
    end

    test "is not said twice where a function of C was called, from no line of Python" do
      for {message, traceback} <- [
            {"ValueError: no", "ValueError: no\n"},
            {"JSONDecodeError: no: 1", "json.decoder.JSONDecodeError: no: 1\n"},
            {"KeyError", "KeyError\n"},
            {"the worker did not become ready: preload of m: ImportError: no m", "ImportError: no m\n"},
            {"E: two\nlines", "m.f.<locals>.E: two\nlines\n"}
          ] do
        error = %{Error.new(:internal, message) | detail: %{traceback: traceback}}
        assert Exception.message(error) == message
      end

      for traceback <- [
            "ValueError: no\na note",
            "KeyError: 1\n\nThe above exception was\n\nValueError: no",
            "  File \"<string>\"\nValueError: no"
          ] do
        error = %{Error.new(:internal, "ValueError: no") | detail: %{traceback: traceback}}
        assert Exception.message(error) == "ValueError: no\n\n" <> traceback
      end
    end

    test "has the last lines of stderr where that is all there is" do
      error = %{Error.new(:internal, "the worker died") | detail: %{stderr: ["one", "two"]}}
      assert Exception.message(error) == "the worker died\n\nThe last lines on its stderr:\n  one\n  two"
    end

    test "has the cause of a crash loop" do
      cause = %{message: "import failed", detail: %{traceback: "Traceback\nImportError: x\n"}}
      error = %{Error.new(:internal, "workers do not start") | detail: %{last_start_error: cause}}

      assert Exception.message(error) ==
               "workers do not start\n\nThe last start failed: import failed\n\nTraceback\nImportError: x"

      assert Exception.message(%{error | detail: %{last_start_error: nil}}) == "workers do not start"
    end
  end

  describe "stacktrace/1" do
    test "has the innermost call first, and Elixir can print it" do
      error = %{
        Error.new(:internal, "")
        | frames: [frame("a/lists.py", 3, "map"), frame("b/lists.py", 7, "filter")]
      }

      assert [{:lists, :filter, [], [file: ~c"b/lists.py", line: 7]}, {:lists, :map, [], _}] =
               Error.stacktrace(error)

      assert Exception.format_stacktrace(Error.stacktrace(error)) =~ "b/lists.py:7: :lists.filter()"
    end

    test "makes no atom" do
      name = "unheard_of_#{System.unique_integer([:positive])}"
      long = String.duplicate("x", 300)

      error = %{
        Error.new(:internal, "")
        | frames: [frame("/x/#{name}.py", 1, name), frame("<stdin>", 2, long)]
      }

      assert [{_, :call, [], _}, {:python, :call, [], [file: file, line: 1]}] = Error.stacktrace(error)
      assert file == ~c"/x/#{name}.py"
      assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
    end

    test "takes a file name that is no UTF-8" do
      error = %{Error.new(:internal, "") | frames: [frame(<<"/x/", 0xFF, ".py">>, 1, "f")]}
      assert [{:python, _, [], [file: [?/, ?x, ?/, 0xFF | _], line: 1]}] = Error.stacktrace(error)
    end
  end

  test "an unknown atom is found wherever it stands in a term, and none where there is none" do
    name = "unheard_of_#{System.unique_integer([:positive])}"

    values = [
      1,
      -1,
      300,
      2 ** 70,
      -(2 ** 3000),
      1.5,
      "x",
      <<1::3>>,
      ~c"abc",
      [1 | 2],
      %{a: {1, 2}},
      fn -> 1 end,
      []
    ]

    stand_in = String.to_atom("x" <> String.duplicate("y", byte_size(name) - 1))

    for value <- values do
      bytes = :erlang.term_to_binary([value, {:ok, %{stand_in => value}}], minor_version: 2)
      assert Portpool.Atoms.unknown(bytes) == :error
      assert Portpool.Atoms.unknown(String.replace(bytes, Atom.to_string(stand_in), name)) == {:ok, name}
    end
  end

  defp frame(file, line, function), do: %{file: file, line: line, function: function, code: ""}

  # `phase` is empty where any will do.
  defp reasons do
    for [reason, phase, blame, retryable | _] <- Protocol.table("9.2"), into: %{} do
      [reason] = Protocol.quoted(reason)

      {reason,
       %{phase: Protocol.quoted(phase), blame: Protocol.quoted(blame), retryable: retryable == "true"}}
    end
  end
end
