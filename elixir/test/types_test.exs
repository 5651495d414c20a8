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

  describe "dates" do
    setup do: {:ok, pool: start_pool!()}

    @dates [
      {~D[2024-02-29], "Date", "date", "2024-02-29"},
      {~T[23:59:58.12], "Time", "time", "23:59:58.120000"},
      {~N[2024-02-29 23:59:58.120], "NaiveDateTime", "datetime", "2024-02-29T23:59:58.120000"},
      {~U[2024-02-29 23:59:58Z], "DateTime", "datetime", "2024-02-29T23:59:58+00:00"}
    ]

    test "are those of Python", %{pool: pool} do
      for {date, kind, base, text} <- @dates do
        assert Portpool.call(pool, :values, :kind, [date]) == {:ok, kind}
        assert Portpool.call(pool, :dates, :is_a, [date, base]) == {:ok, true}
        assert Portpool.call(pool, :dates, :text, [date]) == {:ok, text}
      end
    end

    test "are keys, and come back as they were", %{pool: pool} do
      for {date, _kind, _base, _text} <- @dates,
          term <- [%{date => 1}, %{{date, 1} => [date]}, [%{"at" => {date}} | date], {date, date}] do
        assert Portpool.call(pool, :jobs, :echo, [term]) == {:ok, term}
      end
    end

    test "that are equal in Python are refused as keys", %{pool: pool} do
      paris = %{~U[2024-02-29 11:00:00Z] | utc_offset: 3_600, time_zone: "Europe/Paris", zone_abbr: "CET"}

      for map <- [%{~T[10:00:00] => 1, ~T[10:00:00.000] => 2}, %{~U[2024-02-29 10:00:00Z] => 1, paris => 2}] do
        assert {:error, %Error{reason: :unencodable, blame: :caller} = error} =
                 Portpool.call(pool, :jobs, :echo, [map])

        assert error.message =~ "key collision"
      end
    end

    test "that Python does not have are dicts", %{pool: pool} do
      for date <- [
            %{~D[2024-02-29] | year: 10_000},
            %{~D[2024-02-29] | calendar: Calendar.Other},
            %{~T[23:59:59] | second: 60},
            %{~U[2024-02-29 10:00:00Z] | utc_offset: 86_400}
          ] do
        assert Portpool.call(pool, :values, :kind, [date]) == {:ok, "dict"}
        assert Portpool.call(pool, :jobs, :echo, [date]) == {:ok, date}
      end
    end

    test "of Python become structs", %{pool: pool} do
      assert {:ok, [date, time, naive, utc, paris, fixed]} = Portpool.call(pool, :dates, :made, [])
      assert [date, time, naive] == [~D[2024-07-01], ~T[12:00:00], ~N[2024-07-01 12:00:00.000001]]
      assert [utc, fixed] == [~U[2024-07-01 12:00:00Z], ~U[2024-07-01 10:00:00Z]]
      assert %DateTime{hour: 12, time_zone: "Europe/Paris", utc_offset: 3_600, std_offset: 3_600} = paris
      assert DateTime.compare(paris, fixed) == :eq
    end

    test "that Elixir does not have are refused with path and reason", %{pool: pool} do
      assert {:error, %Error{reason: :unencodable, blame: :worker} = error} =
               Portpool.call(pool, :dates, :without_a_form, [])

      assert %{path: ~s(key "at", element 2), type: "datetime.timedelta"} = error.detail
    end
  end

  describe "none" do
    test ":undefined of the pool or of the call is None, both ways" do
      pool = start_pool!(none_as: :undefined)
      assert Portpool.call(pool, :values, :is_none, [:undefined]) == {:ok, true}
      assert Portpool.call(pool, :values, :nothing, []) == {:ok, :undefined}

      assert Portpool.call(pool, :jobs, :echo, [[:undefined, %{a: :undefined}]]) ==
               {:ok, [:undefined, %{a: :undefined}]}

      assert Portpool.call(pool, :values, :nothing, [], none_as: nil) == {:ok, nil}
      assert Portpool.call(pool, :values, :is_none, [nil], none_as: nil) == {:ok, true}
    end

    test "nil is an atom like any other then" do
      pool = start_pool!()
      assert Portpool.call(pool, :values, :kind, [nil], none_as: :undefined) == {:ok, "Atom"}

      assert Portpool.call(pool, :jobs, :echo, [[nil, :undefined]], none_as: :undefined) ==
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
