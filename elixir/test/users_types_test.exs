defmodule Portpool.UsersTypesTest do
  # portpool.encoder and portpool.decoder: docs/types.md 1.9, 2.6 and 4.
  use Portpool.Test.Case

  alias Portpool.Test.{Money, Terms, Undecodable}

  @types Path.expand("../../docs/types.md", __DIR__)
  @example Path.join(python(), "decimals.py")

  setup do: {:ok, pool: start_pool!()}

  test "the example of docs/types.md is the one that is tested" do
    [_text, example] = Regex.run(~r/```python\n(""".*?)```/s, File.read!(@types))
    assert example == File.read!(@example)
  end

  test "decimals are decimals on both sides, from the first call on", %{pool: pool} do
    prices = %{"a" => %Decimal{coef: 1_250, exp: -2}, "b" => %Decimal{sign: -1, coef: 25, exp: -1}}

    assert Portpool.call(pool, :decimals, :total, [prices]) ==
             {:ok, %Decimal{sign: 1, coef: 1_000, exp: -2}}

    for decimal <- [%Decimal{coef: :NaN}, %Decimal{sign: -1, coef: :inf}, %Decimal{coef: 2 ** 100, exp: 7}] do
      assert Portpool.call(pool, :jobs, :echo, [[%{decimal => {decimal}}]]) ==
               {:ok, [%{decimal => {decimal}}]}
    end
  end

  test "a type of a user comes and goes at any depth, also as a key", %{pool: pool} do
    money = %Money{amount: 3, currency: :EUR}
    twice = %{money | amount: 6}

    for {term, back} <- [
          {money, twice},
          {[1, {money, [money]}], [1, {twice, [twice]}]},
          {%{"a" => %{money => money}}, %{"a" => %{twice => twice}}},
          {%{{money, 1} => money, 2 => 3}, %{{twice, 1} => twice, 2 => 3}},
          {%Terms.Point{x: money}, %Terms.Point{x: twice}}
        ] do
      assert Portpool.call(pool, :types_of_users, :doubled, [term]) == {:ok, back}
    end

    assert Portpool.call(pool, :types_of_users, :doubled, [], kwargs: [value: [money]]) == {:ok, [twice]}
  end

  test "a struct that is a key and has no decoder is refused", %{pool: pool} do
    assert {:error, %Error{reason: :unencodable, phase: :call, blame: :caller} = error} =
             Portpool.call(pool, :jobs, :echo, [%{%Terms.Point{} => 1}])

    assert error.message =~ "portpool.decoder"
    assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
  end

  test "a decoder that raises is an exception of the call, and the worker lives on", %{pool: pool} do
    {:ok, %{workers: [%{pid: pid}]}} = Portpool.status(pool)

    assert {:error, %Error{reason: :exception} = error} =
             Portpool.call(pool, :types_of_users, :doubled, [[%Undecodable{x: 7}]])

    assert error.message =~ "ValueError: no use for 7"
    assert error.detail.traceback =~ "decode_badly"
    assert {:ok, %{workers: [%{pid: ^pid}]}} = Portpool.status(pool)
  end

  test "a module that is not there is undef, with structs among the arguments too", %{pool: pool} do
    assert {:error, %Error{reason: :undef, detail: %{module: "nowhere", function: "f"}}} =
             Portpool.call(pool, :nowhere, :f, [%Terms.Point{}])
  end

  test "an encoder that raises or returns its argument is told with path and type", %{pool: pool} do
    for {how, says} <- [
          {"raises", "its encoder raised KeyError: 'no such key'"},
          {"returns itself", "its encoder returned the value itself"}
        ] do
      assert {:error, %Error{reason: :unencodable, phase: :reply, blame: :worker} = error} =
               Portpool.call(pool, :types_of_users, :broken, [how])

      assert %{path: ~s(key "stops", element 2, element 1), type: "types_of_users.Broken"} = error.detail
      assert error.message =~ says
    end
  end

  test "a class that nobody has said anything about is refused with type, path and hint", %{pool: pool} do
    assert {:error, %Error{reason: :unencodable} = error} = Portpool.call(pool, :types_of_users, :unknown, [])
    assert %{path: ~s(key "stops", element 2), type: "object"} = error.detail
    assert error.message =~ "portpool.encoder"
  end
end
