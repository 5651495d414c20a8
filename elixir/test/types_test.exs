defmodule Portpool.TypesTest do
  # What values are in Python, and the options that say so: docs/types.md.
  use Portpool.Test.Case

  alias Portpool.Test.Terms

  @not_utf8 <<0xFF, 0xFE, 0>>

  describe "Portpool.bytes/1" do
    setup do: {:ok, pool: start_pool!()}

    test "is bytes at any depth, and comes back as the binary", %{pool: pool} do
      for binary <- ["", "hello", @not_utf8, :binary.copy(@not_utf8, 100_000)] do
        assert Portpool.call(pool, :jobs, :echo, [Portpool.bytes(binary)]) == {:ok, binary}
        assert Portpool.call(pool, :values, :kind, [Portpool.bytes(binary)]) == {:ok, "bytes"}
      end

      bytes = Portpool.bytes("b")

      for {term, kinds, back} <- [
            {["s", bytes], ["str", "bytes"], ["s", "b"]},
            {{bytes, [bytes]}, ["bytes", ["bytes"]], {"b", ["b"]}},
            {%{"k" => bytes}, [["str", "bytes"]], %{"k" => "b"}},
            {%{bytes => 1}, [["bytes", "int"]], %{"b" => 1}},
            {%{{bytes, 1} => "s"}, [[["bytes", "int"], "str"]], %{{"b", 1} => "s"}},
            {%Terms.Point{x: bytes}, nil, %Terms.Point{x: "b"}}
          ] do
        if kinds, do: assert(Portpool.call(pool, :values, :kinds, [term]) == {:ok, kinds})
        assert Portpool.call(pool, :jobs, :echo, [term]) == {:ok, back}
      end

      assert Portpool.call(pool, :jobs, :echo, [[1 | bytes]]) == {:ok, [1 | "b"]}
    end

    test "is bytes as an argument by keyword, and with binaries: :str of the call", %{pool: pool} do
      assert Portpool.call(pool, :values, :kinds_of, [], kwargs: [a: Portpool.bytes("x")], binaries: :str) ==
               {:ok, [[], [["str", "bytes"]]]}
    end

    test "is only what has the one field with a binary", %{pool: pool} do
      for term <- [
            %{__struct__: Portpool.Bytes},
            %{__struct__: Portpool.Bytes, binary: 1},
            %{__struct__: Portpool.Bytes, binary: <<1::1>>},
            %{__struct__: Portpool.Bytes, binary: "b", more: 1}
          ] do
        assert Portpool.call(pool, :values, :kind, [term]) == {:ok, "dict"}
      end
    end

    test "is what the error for other binaries speaks of", %{pool: pool} do
      assert {:error, %Error{reason: :unencodable, phase: :call, blame: :caller} = error} =
               Portpool.call(pool, :jobs, :echo, [1, %{"stops" => [1, @not_utf8]}])

      assert error.message =~ ~s(argument 2, key "stops", element 2: )
      assert error.message =~ "Portpool.bytes/1" and error.message =~ "binaries"
    end
  end

  describe "binaries" do
    test ":bytes of the pool makes all binaries bytes; keywords stay str" do
      pool = start_pool!(binaries: :bytes)

      assert Portpool.call(pool, :values, :kinds_of, ["s", [@not_utf8], %{"k" => :atom}], kwargs: [a: "x"]) ==
               {:ok, [["bytes", ["bytes"], [["bytes", "Atom"]]], [["str", "bytes"]]]}

      assert Portpool.call(pool, :jobs, :echo, [@not_utf8]) == {:ok, @not_utf8}
      assert Portpool.call(pool, "values", "kind", ["s"], binaries: :str) == {:ok, "str"}
    end

    test ":bytes of a call is for that call alone" do
      pool = start_pool!()
      assert Portpool.call(pool, :values, :kind, ["s"], binaries: :bytes) == {:ok, "bytes"}
      assert Portpool.call(pool, :values, :kind, ["s"]) == {:ok, "str"}
    end

    test ":bytes brings every kind of term back, and random binaries" do
      pool = start_pool!(binaries: :bytes)
      :rand.seed(:exsss, 5)
      binaries = for size <- 0..300, do: :rand.bytes(size)

      for term <-
            [~r/a.c/u, binaries, Map.new(binaries, &{&1, &1})] ++ Enum.flat_map(Terms.all(5), &elem(&1, 1)) do
        assert {:ok, back} = Portpool.call(pool, :jobs, :echo, [term])
        assert :erlang.term_to_binary(back) == :erlang.term_to_binary(term)
      end
    end
  end

  describe "none" do
    test ":undefined of the pool or of the call is None, both ways" do
      pool = start_pool!(none: :undefined)
      assert Portpool.call(pool, :values, :is_none, [:undefined]) == {:ok, true}
      assert Portpool.call(pool, :values, :nothing, []) == {:ok, :undefined}

      assert Portpool.call(pool, :jobs, :echo, [[:undefined, %{a: :undefined}]]) ==
               {:ok, [:undefined, %{a: :undefined}]}

      assert Portpool.call(pool, :values, :nothing, [], none: nil) == {:ok, nil}
      assert Portpool.call(pool, :values, :is_none, [nil], none: nil) == {:ok, true}
    end

    test "nil is an atom like any other then" do
      pool = start_pool!()
      assert Portpool.call(pool, :values, :kind, [nil], none: :undefined) == {:ok, "Atom"}

      assert Portpool.call(pool, :jobs, :echo, [[nil, :undefined]], none: :undefined) ==
               {:ok, [nil, :undefined]}

      assert Portpool.call(pool, :values, :kinds, [[nil, :undefined]]) == {:ok, ["NoneType", "Atom"]}
    end
  end

  describe "max_frame of a call" do
    setup do: {:ok, pool: start_pool!(max_frame: 100_000)}

    test "limits its reply, and no other call", %{pool: pool} do
      assert {:error, %Error{reason: :too_large, phase: :reply, blame: :worker, detail: detail}} =
               Portpool.call(pool, :jobs, :text, [5_000], max_frame: 5_000)

      assert detail.limit == 5_000
      assert {:ok, _text} = Portpool.call(pool, :jobs, :text, [4_000], max_frame: 5_000)
      assert {:ok, _text} = Portpool.call(pool, :jobs, :text, [5_000])
    end

    test "does not raise that of the pool", %{pool: pool} do
      assert {:error, %Error{reason: :bad_request, detail: %{option: "max_frame"}}} =
               Portpool.call(pool, :jobs, :text, [100_000], max_frame: 1_000_000)
    end
  end
end
