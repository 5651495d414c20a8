defmodule Portpool.WireTest do
  use ExUnit.Case, async: true

  alias Portpool.Wire

  test "a large binary among the arguments is not copied, also in Portpool.Bytes and in tensors" do
    large = :binary.copy(<<1>>, 100_000)

    for arg <- [large, Portpool.bytes(large), Portpool.Tensor.new(large, {:u, 8}, {100_000})] do
      packet = Wire.request(1, {:call, :m, :f, [1, arg], %{}})
      assert large in packet
      assert :erlang.binary_to_term(IO.iodata_to_binary(packet)) == {:call, 1, :m, :f, [1, arg], %{}}
    end
  end

  test "the atoms in the structs that Python makes are known" do
    dates = [~D[2024-02-29], ~T[10:00:00], ~N[2024-02-29 10:00:00], ~U[2024-02-29 10:00:00Z]]

    atoms =
      for date <- dates, {key, value} <- Map.to_list(date), atom <- [key, value], is_atom(atom), do: atom

    assert Enum.uniq(atoms) -- [:__struct__ | Wire.made_by_python()] == []
  end

  test "Portpool.Bytes is the map that the server looks for" do
    assert Portpool.bytes("b") == %{__struct__: Portpool.Bytes, binary: "b"}
    assert_raise FunctionClauseError, fn -> Portpool.bytes(<<1::1>>) end
  end
end
