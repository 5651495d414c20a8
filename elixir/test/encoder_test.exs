defmodule Portpool.EncoderTest do
  use Portpool.Test.Case

  alias MyApp.{Money, Order}
  alias Portpool.{Encoder, Encoding}
  alias Portpool.Test.Encoded.{All, Becomes, Except, Fails, Ping, Plain, Same}

  @order %Order{id: 1, weight: 2.5, customer: "c"}
  @sent %{id: 1, weight: 2.5}

  describe "a struct with an implementation" do
    test "is encoded wherever it stands" do
      for {term, encoded} <- [
            {@order, @sent},
            {[@order], [@sent]},
            {[1, "a", :b, 2.0, @order], [1, "a", :b, 2.0, @sent]},
            {{@order}, {@sent}},
            {{1, [{@order, 2}]}, {1, [{@sent, 2}]}},
            {%{a: @order}, %{a: @sent}},
            {%{@order => 1}, %{@sent => 1}},
            {%{{@order, 1} => 1}, %{{@sent, 1} => 1}},
            {[1 | @order], [1 | @sent]},
            {[@order | 1], [@sent | 1]},
            {[1, [2, 3 | {@order}] | 4], [1, [2, 3 | {@sent}] | 4]},
            {%Plain{inside: [@order]}, %Plain{inside: [@sent]}},
            {MapSet.new([%Money{amount: 1, currency: :EUR}]), MapSet.new(["1 EUR"])},
            {Map.new(1..100, &{&1, @order}), Map.new(1..100, &{&1, @sent})},
            {List.duplicate([@order], 1_000), List.duplicate([@sent], 1_000)}
          ] do
        assert Encoding.run([0, term], %{timeout: 1}) == {:ok, [0, encoded], %{timeout: 1}}
        assert Encoding.run([], %{kwargs: %{k: term}}) == {:ok, [], %{kwargs: %{k: encoded}}}
        assert Encoding.run([0 | term], %{}) == {:ok, [0 | encoded], %{}}
      end
    end

    test "is encoded a million lists deep" do
      deep = Enum.reduce(1..1_000_000, @order, fn _, term -> [term] end)
      {:ok, [encoded], %{}} = Encoding.run([deep], %{})
      assert Enum.reduce(1..1_000_000, encoded, fn _, [term] -> term end) == @sent
    end

    test "may become anything, with further structs in it" do
      for {term, encoded} <- [
            {%Becomes{term: [%Becomes{term: {%Becomes{term: 1}}}]}, [{1}]},
            {%Becomes{term: @order}, @sent},
            {[1 | %Becomes{term: [2, @order]}], [1, 2, @sent]},
            {%Becomes{term: %Plain{inside: @order}}, %Plain{inside: @sent}},
            {%Becomes{term: Portpool.bytes("x")}, Portpool.bytes("x")}
          ] do
        assert Encoding.run([term], %{}) == {:ok, [encoded], %{}}
      end
    end

    test "may become itself: each type is asked once at the same place" do
      assert Encoding.run([%Same{value: @order}], %{}) == {:ok, [%Same{value: {:changed, @sent}}], %{}}
      assert Encoding.run([%Ping{value: @order}], %{}) == {:ok, [%Ping{value: @sent}], %{}}
    end
  end

  test "all other terms are the very same ones" do
    for term <- [
          ~D[2024-02-29],
          ~U[2024-02-29 12:00:00.123Z],
          1..3,
          MapSet.new([1]),
          ~r/a/,
          %Plain{inside: %Plain{}},
          Portpool.bytes("a"),
          %{__struct__: 1},
          %{__struct__: nil},
          %{__struct__: :no_module},
          %{"__struct__" => Order},
          {},
          [[1 | 2]],
          make_ref(),
          fn -> @order end
        ] do
      refute Encoding.encodable?(term)
      assert Encoder.encode(term) === term
      # Beside a struct that is encoded, too.
      assert {:ok, [@sent, ^term], %{}} = Encoding.run([@order, term], %{})
    end
  end

  test "arguments that are no list stay what they are" do
    for args <- [1, "text", :atom], do: assert(Encoding.run(args, %{}) == {:ok, args, %{}})
  end

  describe "derived" do
    test "it takes all fields, or the chosen ones" do
      assert Encoder.encode(%All{}) == %{a: 1, b: 2}
      assert Encoder.encode(%Except{}) == %{a: 1}
      assert Encoder.encode(@order) == @sent
    end

    test "it refuses what is no choice of fields" do
      for {options, message} <- [
            {"only: [:x, :id]", ~r/Order has no \[:x\], only \[.*:id/},
            {"except: [:x]", ~r/Order has no \[:x\]/},
            {"only: :id", ~r/derived with only: or except: and a list of fields, not with \[only: :id\]/},
            {"only: [:id], except: [:id]", ~r/only: or except:/},
            {"just: [:id]", ~r/only: or except:/}
          ] do
        derive = "require Protocol; Protocol.derive(Portpool.Encoder, MyApp.Order, #{options})"
        # That the protocol is consolidated, so that this would have no effect, is no matter here.
        ExUnit.CaptureIO.capture_io(:stderr, fn ->
          assert_raise ArgumentError, message, fn -> Code.eval_string(derive) end
        end)
      end
    end
  end

  describe "an implementation that fails is an error with an address:" do
    test "one that raises" do
      fails = %Fails{how: fn -> raise KeyError, key: :id, term: %{} end}
      error = refused([1, %{"stops" => [0, {:a, [fails]}]}], %{})

      assert %Error{reason: :unencodable, phase: :call, blame: :caller, retryable: false} = error

      assert error.message ==
               "argument 2, key \"stops\", element 2, element 2, element 1: Portpool.Encoder of " <>
                 "Portpool.Test.Encoded.Fails raised KeyError: key :id not found in: %{}"

      assert %{path: "argument 2, key \"stops\"" <> _, type: "Portpool.Test.Encoded.Fails"} = error.detail
      assert Exception.message(error) =~ "** (KeyError) key :id not found in: %{}\n"
      assert Exception.message(error) =~ "test/encoder_test.exs"
    end

    test "one that throws, exits, or fails in Erlang" do
      for {how, what} <- [
            {fn -> throw(:ball) end, "threw :ball"},
            {fn -> exit(:bye) end, "exited: :bye"},
            {fn -> :erlang.error(:badarg) end, "raised ArgumentError: argument error"}
          ] do
        error = refused([], %{kwargs: %{job: [1 | %Fails{how: how}]}})

        assert error.message =~
                 "keyword :job, element 2: Portpool.Encoder of Portpool.Test.Encoded.Fails #{what}"
      end
    end

    test "one that makes two keys the same" do
      map = %{%Becomes{term: 1} => :a, 1 => :b}
      assert refused([[map]], %{}).message =~ ~r/^argument 1, element 1.*: key collision/
      assert refused([], %{kwargs: map}).message =~ "key collision"
    end

    test "in a key, in a long key, and very deep" do
      fails = %Fails{how: fn -> raise "no" end}
      assert refused([%{fails => 1}], %{}).detail.path =~ "argument 1, key %Portpool.Test.Encoded.Fails"
      long = String.duplicate("x", 100)

      assert refused([%{long => fails}], %{}).detail.path ==
               "argument 1, key \"#{String.duplicate("x", 39)}.."

      deep = Enum.reduce(1..1_000, fails, fn _, term -> [term] end)

      assert refused([deep], %{}).detail.path =~
               ~r/^argument 1(, element 1){11}, .. 977 more ..(, element 1){12}$/
    end
  end

  describe "through a worker" do
    setup do: {:ok, pool: start_pool!()}

    test "Python gets what the implementation makes, at any depth, in args and kwargs", %{pool: pool} do
      job = %{"orders" => [@order, {1, @order}], "fee" => %Money{amount: 3, currency: :EUR}}
      sent = %{"orders" => [@sent, {1, @sent}], "fee" => "3 EUR"}

      assert Portpool.call(pool, :jobs, :keywords, [job], kwargs: [again: [job]]) ==
               {:ok, [[sent], %{"again" => [sent]}]}

      assert Portpool.call(pool, :values, :kinds, [@order]) ==
               {:ok, [["Atom", "int"], ["Atom", "float"]]}
    end

    test "a failure leaves nothing behind, and the pool goes on", %{pool: pool} do
      fails = %Fails{how: fn -> raise "no" end}
      assert {:error, %Error{reason: :unencodable}} = Portpool.call(pool, :jobs, :echo, [fails])
      assert_raise Error, ~r/^argument 1: /, fn -> Portpool.call!(pool, :jobs, :echo, [fails]) end
      assert_clean_process()
      assert_no_calls(pool)
      assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    end
  end

  # A VM of its own: here the protocol has implementations.
  test "without an implementation no argument is looked at" do
    ebin = Application.app_dir(:portpool, "ebin")
    directory = Path.join(System.tmp_dir!(), "portpool-idle-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(directory) end)
    File.mkdir_p!(directory)
    {:ok, consolidated} = Protocol.consolidate(Encoder, [Any])
    File.write!(Path.join(directory, "Elixir.Portpool.Encoder.beam"), consolidated)

    script = """
    improper = [1 | %MyApp.Order{id: 1}]
    true = Portpool.Encoding.idle?()
    {:ok, ^improper, %{}} = Portpool.Encoding.run(improper, %{})
    IO.puts("idle")
    """

    {output, 0} = System.cmd("elixir", ["-pa", ebin, "-pa", directory, "-e", script], stderr_to_stdout: true)
    assert output == "idle\n"
    refute Encoding.idle?()
  end

  defp refused(args, options) do
    assert {:error, error} = Encoding.run(args, options)
    error
  end
end
