defmodule Portpool.TensorTest do
  # Tensors without and with numpy: docs/types.md 1.8.
  use Portpool.Test.Case

  alias Portpool.Tensor

  doctest Tensor

  @numbers for number <- 1..6, into: <<>>, do: <<number * 1.5::float-64-little>>

  test "new/3 takes only data of the size that type and shape say" do
    assert Tensor.new(@numbers, {:f, 64}, {2, 3}) == %Tensor{data: @numbers, type: {:f, 64}, shape: {2, 3}}
    assert Tensor.new(<<1, 2>>, {:bf, 16}, {}).shape == {}
    assert Tensor.new("", {:s, 64}, {0, 3}).data == ""

    for {data, type, shape, says} <- [
          {@numbers, {:f, 64}, {5}, "has 320 bits, not 384 (48 bytes)"},
          {<<1::1>>, {:u, 8}, {}, "are a binary"},
          {"", :f64, {0}, "a tuple like {:f, 64}"},
          {"", {:f, 0}, {0}, "a tuple like {:f, 64}"},
          {"", {:f, 64}, [0], "a tuple of sizes"},
          {"", {:f, 64}, {-1, 0}, "a tuple of sizes"}
        ] do
      error = assert_raise ArgumentError, fn -> Tensor.new(data, type, shape) end
      assert error.message =~ says
    end
  end

  test "a tensor of any type comes back as it was, at any depth" do
    pool = start_pool!()

    for type <- [{:f, 64}, {:c, 64}, {:s, 64}, {:bf, 16}, {:f, 8}, {:new_kind, 32}],
        tensor = Tensor.new(:binary.copy(<<0, 1, 2, 3, 4, 5, 6, 7>>, 16 * 1_024), type, shape(type)),
        term <- [tensor, [%{"k" => {tensor, 1}}, tensor]] do
      assert Portpool.call(pool, :jobs, :echo, [term]) == {:ok, term}
    end
  end

  test "what has the name of a tensor and another size comes back as it was" do
    pool = start_pool!()

    for change <- [data: "x", shape: {7}, shape: [6], type: {:f, 32}, type: :f64, data: nil] do
      tensor = struct!(Tensor.new(String.duplicate("a", 48), {:f, 64}, {6}), [change])
      assert Portpool.call(pool, :values, :kind, [tensor]) == {:ok, "dict"}
      assert Portpool.call(pool, :jobs, :echo, [tensor]) == {:ok, tensor}
    end
  end

  test "a tensor is no key" do
    pool = start_pool!()
    map = %{Tensor.new(@numbers, {:f, 64}, {6}) => 1}
    assert {:error, %Error{reason: :unencodable, blame: :caller}} = Portpool.call(pool, :jobs, :echo, [map])
  end

  test "a type that numpy does not have is a portpool.Tensor" do
    pool = start_pool!()
    tensor = Tensor.new(<<1, 2, 3, 4>>, {:bf, 16}, {2})

    assert Portpool.call(pool, :values, :shown, [tensor]) ==
             {:ok, "<portpool.Tensor bf16 (2,)>"}
  end

  describe "with numpy" do
    @describetag :numpy
    setup do: {:ok, pool: start_pool!()}

    test "a tensor is an array over the bytes that were sent, which cannot be written to", %{pool: pool} do
      tensor = Tensor.new(@numbers, {:f, 64}, {2, 3})

      assert Portpool.call(pool, :arrays, :about, [tensor]) ==
               {:ok, ["ndarray", "float64", {2, 3}, false, [[1.5, 3.0, 4.5], [6.0, 7.5, 9.0]]]}

      large = Tensor.new(:binary.copy(@numbers, 10_000), {:f, 64}, {10_000, 6})

      assert {:ok, ["ndarray", "float64", {10_000, 6}, false, _rows]} =
               Portpool.call(pool, :arrays, :about, [large])

      assert Portpool.call(pool, :arrays, :over_bytes, [large]) == {:ok, true}
    end

    test "arrays of Python are tensors, whatever the order of their bytes", %{pool: pool} do
      expected = Tensor.new(for(n <- 0..5, into: <<>>, do: <<n::32-little>>), {:s, 32}, {2, 3})

      for order <- ~w(rows columns big_endian strided) do
        assert Portpool.call(pool, :arrays, :in_order, [order]) == {:ok, expected}
      end

      assert Portpool.call(pool, :arrays, :bools, []) == {:ok, Tensor.new(<<1, 0>>, {:u, 8}, {2})}
      assert Portpool.call(pool, :arrays, :nothing, []) == {:ok, Tensor.new("", {:f, 64}, {0, 3})}
      nan = <<0, 0, 192, 127>>
      assert Portpool.call(pool, :arrays, :nan, []) == {:ok, Tensor.new(nan, {:f, 32}, {})}
    end

    test "a large array comes back whole", %{pool: pool} do
      assert {:ok, %Tensor{type: {:f, 64}, shape: {1_000_000}} = tensor} =
               Portpool.call(pool, :numpy, :arange, [1_000_000], kwargs: [dtype: "f8"])

      <<_::binary-size(7_999_992), last::float-64-little>> = tensor.data
      assert last == 999_999.0
    end

    test "scalars of numpy are numbers", %{pool: pool} do
      assert Portpool.call(pool, :arrays, :scalars, []) == {:ok, [1.5, 0.5, -3, true, "a", %{3 => 2.0}]}
      assert {:error, %Error{reason: :unencodable} = error} = Portpool.call(pool, :arrays, :scalar_nan, [])
      assert error.detail.path == "element 2"
    end

    test "arrays without a form are refused with what to do", %{pool: pool} do
      assert {:error, %Error{reason: :unencodable} = error} = Portpool.call(pool, :arrays, :of_text, [])
      assert error.detail.path == ~s(key "names")
      assert error.message =~ "tolist()"
    end
  end

  defp shape({_kind, bits}), do: {div(8 * 8 * 16, bits), 1_024}
end
