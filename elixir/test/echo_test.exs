defmodule Portpool.EchoTest do
  use Portpool.Test.Case

  alias Portpool.Test.{Summary, Terms}

  @seed 3

  test "every kind of term comes back from Python with the same external bytes" do
    pool = start_pool!()

    counts =
      for {kind, terms} <- Terms.all(@seed) do
        for term <- terms, do: assert_same(pool, kind, term)
        {kind, length(terms)}
      end

    total = counts |> Keyword.values() |> Enum.sum()
    seen = "#{total} terms of a BEAM echoed by Python, all the same: " <> Enum.map_join(counts, ", ", &show/1)
    Summary.add("61-terms-of-a-beam", "codec: " <> seen)
    assert total > 3_000
  end

  test "all terms at once come back, as one list, one tuple and the values of one map" do
    pool = start_pool!()

    terms =
      for {_kind, terms} <- Terms.all(@seed), term <- terms, :erlang.external_size(term) < 1_000, do: term

    assert_same(pool, :list, terms)
    assert_same(pool, :tuple, List.to_tuple(terms))
    assert_same(pool, :map, terms |> Enum.with_index() |> Map.new(fn {term, nth} -> {nth, term} end))
  end

  test "terms that are equal in Python as keys are refused, not lost" do
    pool = start_pool!()

    for map <- [
          %{1 => :a, 1.0 => :b},
          %{1 => :a, true => :b},
          %{:a => 1, "a" => 2},
          %{0 => 1, false => 2},
          %{{1, :a} => 1, {1.0, "a"} => 2},
          %{{{true}} => 1, {{1}} => 2}
        ] do
      assert {:error,
              %Error{reason: :unencodable, blame: :caller, detail: %{path: "argument 1, element 2" <> _}}} =
               Portpool.call(pool, :jobs, :echo, [[0, map]])
    end

    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
  end

  # Bytes: `0.0 == -0.0` on OTP 25.
  defp assert_same(pool, kind, term) do
    assert {:ok, back} = Portpool.call(pool, :jobs, :echo, [term])
    same = :erlang.term_to_binary(back) == :erlang.term_to_binary(term)
    unless same, do: flunk("#{kind}: #{inspect(term, limit: 20)} came back as #{inspect(back, limit: 20)}")
  end

  defp show({kind, count}), do: "#{count} #{kind}"
end
