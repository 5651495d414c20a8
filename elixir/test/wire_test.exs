defmodule Portpool.WireTest do
  use ExUnit.Case, async: true

  alias Portpool.Wire

  test "a large binary among the arguments is not copied, also in Portpool.Bytes" do
    large = :binary.copy(<<1>>, 100_000)

    for arg <- [large, Portpool.bytes(large)] do
      packet = Wire.request(1, {:call, :m, :f, [1, arg], %{}})
      assert large in packet
      assert :erlang.binary_to_term(IO.iodata_to_binary(packet)) == {:call, 1, :m, :f, [1, arg], %{}}
    end
  end

  test "Portpool.Bytes is the map that the server looks for" do
    assert Map.to_list(Portpool.bytes("b")) == [__struct__: Portpool.Bytes, binary: "b"]
    assert_raise FunctionClauseError, fn -> Portpool.bytes(<<1::1>>) end
  end
end
