defmodule Portpool.CallTest do
  use Portpool.Test.Case

  describe "a call" do
    setup do: {:ok, pool: start_pool!()}

    test "returns what the function returns", %{pool: pool} do
      assert Portpool.call(pool, :operator, :add, [2, 2]) == {:ok, 4}
      assert Portpool.call(pool, :math, :sqrt, [16]) == {:ok, 4.0}
      assert Portpool.call(pool, :builtins, :len, [[]]) == {:ok, 0}
      assert Portpool.call!(pool, :math, :sqrt, [16]) == 4.0
    end

    test "takes names as atoms, strings and charlists, dotted ones too", %{pool: pool} do
      for {module, function} <- [
            {:os, :"path.join"},
            {"os", "path.join"},
            {~c"os", ~c"path.join"},
            {"os.path", :join}
          ] do
        assert Portpool.call(pool, module, function, ["a", "b"]) == {:ok, "a/b"}
      end

      assert Portpool.call(pool, :builtins, "str.upper", ["hello"]) == {:ok, "HELLO"}
    end

    test "passes arguments by keyword, from a map or a keyword list", %{pool: pool} do
      assert Portpool.call(pool, :jobs, :keywords, [1], kwargs: %{b: 2}) == {:ok, [[1], %{"b" => 2}]}
      assert Portpool.call(pool, :jobs, :keywords, [1], kwargs: %{"b" => 2}) == {:ok, [[1], %{"b" => 2}]}

      assert Portpool.call(pool, :jobs, :keywords, [1], kwargs: [b: 2, c: nil]) ==
               {:ok, [[1], %{"b" => 2, "c" => nil}]}
    end

    test "brings every term back as it was", %{pool: pool} do
      for term <- terms() do
        assert {:ok, back} = Portpool.call(pool, :jobs, :echo, [term])
        # Bytes: `0.0 == -0.0` on OTP 25.
        assert :erlang.term_to_binary(back) == :erlang.term_to_binary(term)
      end
    end

    test "whose large arguments are written uncopied brings them across", %{pool: pool} do
      large = String.duplicate("portpool", 1_000_000)
      assert Portpool.call(pool, :jobs, :echo, [large]) == {:ok, large}
      assert Portpool.call(pool, :jobs, :keywords, [1, large, [large]]) == {:ok, [[1, large, [large]], %{}]}
    end

    test "is not disturbed by what the function prints", %{pool: pool} do
      assert Portpool.call(pool, :jobs, :noise, ["Привет!"]) == {:ok, "Привет!"}
    end

    test "leaves nothing behind in its process", %{pool: pool} do
      Portpool.call(pool, :math, :sqrt, [16])
      Portpool.call(pool, :math, :sqrt, [-1])
      Portpool.call(pool, :no_such_module, :f, [])
      Portpool.call(pool, :math, :sqrt, [16], no_such: :option)
      assert_clean_process()
      assert_no_calls(pool)
    end

    test "does not touch the messages that were there before", %{pool: pool} do
      send(self(), :before)
      {:ok, 4.0} = Portpool.call(pool, :math, :sqrt, [16])
      assert Process.info(self(), :messages) == {:messages, [:before]}
    end
  end

  describe "an error says what happened:" do
    setup do: {:ok, pool: start_pool!()}

    test "an unknown module", %{pool: pool} do
      assert {:error, %Error{reason: :undef, blame: :caller, retryable: false} = error} =
               Portpool.call(pool, :no_such_module, :f, [])

      assert error.message =~ "no_such_module"
      assert error.detail.module == "no_such_module"
    end

    test "an unknown function", %{pool: pool} do
      assert {:error, %Error{reason: :undef, blame: :caller} = error} =
               Portpool.call(pool, :math, :sqroot, [1])

      assert error.message =~ "sqroot"
      assert %{module: "math", function: "sqroot"} = error.detail
    end

    test "wrong arguments", %{pool: pool} do
      assert {:error, %Error{reason: :undef, blame: :caller}} = Portpool.call(pool, :jobs, :sleep, [1, 2, 3])

      assert {:error, %Error{reason: :undef, blame: :caller}} =
               Portpool.call(pool, :jobs, :sleep, [], kwargs: [no: 1])
    end

    test "an exception, with traceback and frames", %{pool: pool} do
      assert {:error, %Error{reason: :exception, phase: :call, blame: :worker, retryable: false} = error} =
               Portpool.call(pool, :jobs, :fail, [1])

      assert error.message =~ "ValueError" and error.message =~ "no such luck"
      assert error.detail.type == "ValueError"

      assert [%{function: "fail", line: line, file: file, code: "return fail(depth - 1)"}, last] =
               error.frames

      assert Path.basename(file) == "jobs.py" and is_integer(line)
      assert last.code =~ "raise ValueError"

      printed = Exception.message(error)
      assert printed =~ "Traceback (most recent call last):\n  File \"#{file}\", line #{line}, in fail\n"
      assert String.ends_with?(printed, "ValueError: no such luck")

      assert [{:jobs, :fail, [], [file: inner, line: _]}, {:jobs, :fail, [], _}] = Error.stacktrace(error)
      assert inner == to_charlist(file)
    end

    test "call! raises it", %{pool: pool} do
      assert_raise Error, ~r/no such luck/, fn -> Portpool.call!(pool, :jobs, :fail, [0]) end
    end

    test "a worker that ended, which is replaced", %{pool: pool} do
      assert {:error, %Error{reason: :worker_exit, blame: :worker, retryable: true} = error} =
               Portpool.call(pool, :jobs, :exit_now, [7])

      assert error.detail.status == 7
      assert Portpool.call(pool, :math, :sqrt, [16]) == {:ok, 4.0}
    end

    test "an atom that does not exist here, by its name", %{pool: pool} do
      assert Portpool.call(pool, :atoms, :atom, ["ok"]) == {:ok, :ok}
      name = "never_seen_#{System.unique_integer([:positive])}"

      for function <- [:atom, :deep] do
        assert {:error, %Error{reason: :unsafe_term, phase: :reply} = error} =
                 Portpool.call(pool, :atoms, function, [name])

        assert error.message =~ name
        assert_raise ArgumentError, fn -> String.to_existing_atom(name) end
      end

      assert Portpool.call(pool, :math, :sqrt, [16]) == {:ok, 4.0}
    end

    test "50,000 atoms that do not exist here, and none is made", %{pool: pool} do
      prefix = "never_seen_#{System.unique_integer([:positive])}"
      # All that a first error of this kind loads.
      {:error, _error} = Portpool.call(pool, :atoms, :many, [10, prefix])
      before = :erlang.system_info(:atom_count)

      assert {:error, %Error{reason: :unsafe_term, phase: :reply, blame: :worker, retryable: false} = error} =
               Portpool.call(pool, :atoms, :many, [50_000, prefix])

      assert :erlang.system_info(:atom_count) == before
      assert error.message =~ ~s("#{prefix}_0")
      assert Portpool.call(pool, :math, :sqrt, [16]) == {:ok, 4.0}
    end

    test "arguments that are not a list", %{pool: pool} do
      for args <- [16, %{}, [1 | 2], "text"] do
        assert {:error, %Error{reason: :bad_request, blame: :caller}} =
                 Portpool.call(pool, :math, :sqrt, args)
      end
    end

    test "a name that is none", %{pool: pool} do
      for {module, function} <- [{1, :f}, {:math, %{}}, {"", :f}, {[-1], :f}] do
        assert {:error, %Error{blame: :caller}} = Portpool.call(pool, module, function, [])
      end
    end

    test "an option that is unknown, mistyped or given twice", %{pool: pool} do
      assert {:error, %Error{reason: :bad_request} = error} =
               Portpool.call(pool, :math, :sqrt, [16], timeuot: 1)

      assert error.message =~ "timeuot" and error.message =~ "timeout"
      assert error.detail.option == "timeuot"

      for options <- [
            [timeout: -1],
            [timeout: 1.5],
            [checkout_timeout: nil],
            [kwargs: [1]],
            [timeout: 1, timeout: 2],
            %{}
          ] do
        assert {:error, %Error{reason: :bad_request, blame: :caller}} =
                 Portpool.call(pool, :math, :sqrt, [16], options)
      end
    end
  end

  describe "limits:" do
    test "a call larger than max_frame is refused, and the pool goes on" do
      pool = start_pool!(max_frame: 100_000)
      large = String.duplicate("x", 100_000)

      assert {:error, %Error{reason: :too_large, phase: :call, blame: :caller, detail: detail}} =
               Portpool.call(pool, :jobs, :echo, [large])

      assert detail.bytes > 100_000 and detail.limit == 100_000
      assert_clean_process()
      assert_no_calls(pool)
      assert Portpool.call(pool, :jobs, :echo, ["x"]) == {:ok, "x"}
    end

    test "a call larger than its own max_frame is refused, and one larger than the pool's all the same" do
      pool = start_pool!(max_frame: 100_000)
      large = String.duplicate("x", 5_000)
      assert Portpool.call(pool, :jobs, :echo, [large]) == {:ok, large}

      for {size, limit, actual} <- [{5_000, 5_000, 5_000}, {100_000, 1_000_000, 100_000}] do
        assert {:error, %Error{reason: :too_large, phase: :call, blame: :caller, detail: %{limit: ^actual}}} =
                 Portpool.call(pool, :jobs, :echo, [String.duplicate("x", size)], max_frame: limit)
      end

      assert_no_calls(pool)
    end

    test "a reply larger than max_frame is an error of that call, and the pool goes on" do
      pool = start_pool!(max_frame: 100_000)

      assert {:error, %Error{reason: :too_large, phase: :reply, blame: :worker}} =
               Portpool.call(pool, :jobs, :text, [200_000])

      assert Portpool.call(pool, :jobs, :echo, ["x"]) == {:ok, "x"}
    end

    test "a full queue refuses at once" do
      pool = start_pool!(max_queue: 1)

      callers =
        for _ <- 1..2,
            do: spawn_link(fn -> Portpool.call(pool, :jobs, :sleep, [60], checkout_timeout: :infinity) end)

      eventually(fn -> match?({:ok, %{busy: 1, waiting: 1}}, Portpool.status(pool)) end)

      assert {:error, %Error{reason: :queue_full, phase: :checkout, retryable: true}} =
               Portpool.call(pool, :jobs, :echo, [1])

      Enum.each(callers, &end_process/1)
      eventually(fn -> match?({:ok, %{waiting: 0}}, Portpool.status(pool)) end)
      assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    end

    test "a call can ask for a worker that is idle now" do
      pool = start_pool!()
      caller = spawn_link(fn -> Portpool.call(pool, :jobs, :sleep, [60]) end)
      busy_workers(pool)

      assert {:error, %Error{reason: :checkout_timeout, phase: :checkout, retryable: true}} =
               Portpool.call(pool, :jobs, :echo, [1], checkout_timeout: 0)

      end_process(caller)
    end
  end

  describe "the server" do
    test "has its complaints logged, and goes on" do
      pool = start_pool!(name: MyApp.Python)

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          Port.command(route(pool).port, "no term")
          assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
          :ok = Portpool.Owner.flush(route(pool).owner)
        end)

      assert log =~ "portpool MyApp.Python: the server refused a packet"
    end
  end

  defp terms do
    [0, 1, -1, 255, 256, -(2 ** 31), 2 ** 31, 2 ** 63, -(2 ** 64), 2 ** 8192, -(2 ** 8192)] ++
      [0.0, -0.0, 1.5, 5.0e-324, 1.7e308, true, false, nil, :ok, :undefined, :Привет, :"with space"] ++
      ["", "hello", "Привет!", [], [1, 2, 3], ~c"charlist", [1, [2, [3]]], [:a, "b", 1.0], [true, false]] ++
      [{}, {1}, {:ok, "x"}, List.to_tuple(Enum.to_list(1..300)), %{}, %{a: 1}, %{"a" => %{1 => [nil]}}] ++
      [self(), make_ref(), hd(Port.list()), &String.length/1, fn x -> x end, Enum.to_list(1..10_000)]
  end
end
