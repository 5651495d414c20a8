defmodule Portpool.Conformance.TableTest do
  use ExUnit.Case, async: true

  @root Path.expand("../../..", __DIR__)
  @rows "#{@root}/docs/conformance.md"
        |> File.read!()
        |> String.split("\n")
        |> Enum.filter(&(&1 =~ ~r/^\| / and not (&1 =~ ~r/^\| (case|bug) \|/)))

  test "each case of docs/conformance.md names a test that exists, or says why it has none" do
    assert length(@rows) > 60

    for row <- @rows do
      ["", _case, here, shown, ""] = row |> String.split("|") |> Enum.map(&String.trim/1)

      case Regex.run(~r/^`([\w\/.]+)`: (.+)$/, shown) do
        [_, path, name] -> assert name in names(path), "#{path} has no test #{inspect(name)}"
        nil -> assert {shown, here =~ ~r/left out|benchmarks/} == {"", true}, row
      end
    end
  end

  test "each test of elixir/test/conformance is named by a case" do
    for path <- Path.wildcard("#{__DIR__}/*_test.exs"), path != __ENV__.file do
      file = Path.relative_to(path, @root)
      named = for row <- @rows, [_, ^file, name] <- Regex.scan(~r/`([\w\/.]+)`: (.+) \|$/, row), do: name
      assert names(file) -- named == []
    end
  end

  # Elixir: `test "name"`; Rust: `fn name(`.
  defp names(path) do
    ~r/^ *(?:test "(.+?)"(?:,| do)|(?:async )?fn (\w+)\()/m
    |> Regex.scan(File.read!(Path.join(@root, path)), capture: :all_but_first)
    |> Enum.map(&List.last/1)
  end
end
