defmodule Portpool.RulesTest do
  use Portpool.Test.Case

  describe "a call with meta" do
    test "says how long it waited and ran, and where" do
      pool = start_pool!()

      assert {:ok, "slept", meta} = Portpool.call_with_meta(pool, :jobs, :sleep, [0.05])
      assert %{queue_us: queue, run_us: run, worker: worker, pid: pid, attempt: 1} = meta
      assert queue >= 0 and run >= 50_000
      assert {:ok, %{workers: [%{id: ^worker, pid: ^pid}]}} = Portpool.status(pool)
      assert {:ok, 1, %{worker: ^worker, attempt: 1}} = Portpool.call_with_meta(pool, :jobs, :echo, [1])
      assert {:error, %Error{reason: :exception}} = Portpool.call_with_meta(pool, :jobs, :fail, [0])
      assert {:error, %Error{reason: :noproc}} = Portpool.call_with_meta(NoSuchPool, :jobs, :echo, [1])

      assert {:ok, {:ok, 1, %{worker: ^worker}}} =
               Portpool.transaction(pool, &Portpool.call_with_meta(&1, :jobs, :echo, [1], timeout: 60_000))
    end
  end

  describe "a deadline" do
    test "cuts off the run" do
      pool = start_pool!()

      assert {:error, %Error{reason: :timeout, phase: :call, detail: %{stacks: stacks}}} =
               Portpool.call(pool, :jobs, :sleep, [60], deadline: 300)

      assert stacks =~ "jobs.py"
    end

    test "cuts off the wait: the call never runs" do
      pool = start_pool!(deadline: 50)
      busy = Portpool.async(pool, :jobs, :sleep, [60], deadline: :infinity)
      busy_workers(pool)

      assert {:error, %Error{reason: :checkout_timeout, phase: :checkout}} =
               Portpool.call(pool, :jobs, :echo, [1], checkout_timeout: :infinity)

      Portpool.cancel(busy)
      assert_clean_process()
    end
  end

  describe "a grace" do
    test "lets Python end by itself what runs too long, and its worker lives" do
      pool = start_pool!()
      pid = Portpool.call!(pool, :jobs, :pid, [])
      options = [timeout: 50, grace: 5_000]

      assert {:error, %Error{reason: :timeout, detail: %{type: "KeyboardInterrupt"}, frames: [_ | _]}} =
               Portpool.call(pool, :jobs, :sleep, [60], options)

      assert Portpool.call(pool, :jobs, :interrupted, ["saved"], options) == {:ok, "saved"}
      assert Portpool.call!(pool, :jobs, :pid, []) == pid
    end
  end

  describe "on_cancel: :finish" do
    test "lets a running call come to its end for nobody" do
      pool = start_pool!(on_cancel: :finish)
      pid = Portpool.call!(pool, :jobs, :pid, [])
      mark = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
      on_exit(fn -> File.rm(mark) end)
      call = Portpool.async(pool, :jobs, :sleep_and_write, [0.2, mark, "done"])
      busy_workers(pool)

      assert {:error, %Error{reason: :cancelled}} = Portpool.cancel(call)
      eventually(fn -> File.read(mark) == {:ok, "done"} end)
      assert Portpool.call!(pool, :jobs, :pid, []) == pid
    end
  end

  describe "a call with retry" do
    setup do
      mark = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
      on_exit(fn -> File.rm(mark) end)
      {:ok, pool: start_pool!(), mark: mark}
    end

    test "is made again when its worker dies, and says how often", %{pool: pool, mark: mark} do
      assert {:ok, "lived", %{attempt: 2}} =
               Portpool.call_with_meta(pool, :jobs, :die_once, [mark], retry: [max: 2])
    end

    test "of 0 is not made again, nor is any other", %{pool: pool, mark: mark} do
      for options <- [[], [retry: [max: 0]]] do
        assert {:error, %Error{reason: :worker_exit, detail: %{attempt: 1}}} =
                 Portpool.call(pool, :jobs, :die_once, [mark], options)

        File.rm!(mark)
      end
    end

    test "that has killed too many workers is refused", %{pool: pool} do
      options = [retry: [max: 10]]

      assert {:error, %Error{reason: :worker_exit, detail: %{attempt: 3}}} =
               Portpool.call(pool, :jobs, :exit_now, [1], options)

      assert {:error, %Error{reason: :quarantined, retryable: false, detail: detail}} =
               Portpool.call(pool, :jobs, :exit_now, [1], options)

      assert detail.kills == 3 and detail.retry_after_ms > 0
      assert Portpool.call(pool, :jobs, :echo, [1], options) == {:ok, 1}
    end
  end

  describe "a key" do
    test "leads to the same worker, as long as that lives" do
      pool = start_pool!(size: 2, wait: :all)
      homes = for key <- [1, "1", {:user, 7}], do: Portpool.call!(pool, :jobs, :pid, [], key: key)

      for _ <- 1..5,
          {key, home} <- Enum.zip([1, "1", {:user, 7}], homes),
          do: assert(Portpool.call!(pool, :jobs, :pid, [], key: key) == home)

      {:error, _} = Portpool.call(pool, :jobs, :exit_now, [1], key: 1)
      assert Portpool.call!(pool, :jobs, :pid, [], key: 1) != hd(homes)
    end
  end

  describe "the life of a worker" do
    test "begins with init, whose error is that of a start" do
      pool = start_pool!(init: {:jobs, :keep, ["from init"]})
      assert Portpool.call(pool, :jobs, :keep, [1]) == {:ok, ["from init", 1]}
      stop_supervised!(Portpool)

      pool = start_pool!(init: {"jobs", "fail", [0]}, checkout_timeout: 50)
      assert {:error, %Error{reason: reason} = error} = Portpool.call(pool, :jobs, :echo, [1])
      assert reason in [:checkout_timeout, :crash_loop]
      assert Exception.message(error) =~ "no such luck"
    end

    test "begins with the modules of preload imported" do
      pool = start_pool!(preload: ["decimal", :colorsys], warmup: {:colorsys, :rgb_to_hsv, [0, 0, 0]})
      assert {:ok, ["colorsys", "decimal"]} = Portpool.call(pool, :jobs, :loaded, [["colorsys", "decimal"]])
    end

    test "ends after max_calls calls, never one later" do
      pool = start_pool!(max_calls: 3)
      pids = for _ <- 1..9, do: Portpool.call!(pool, :jobs, :pid, [])
      assert pids |> Enum.chunk_by(& &1) |> Enum.map(&length/1) == [3, 3, 3]
    end

    test "ends with an allocation beyond memory_limit as a MemoryError, and goes on" do
      pool = start_pool!(memory_limit: 200_000_000)

      assert {:error, %Error{reason: :exception, detail: %{type: "MemoryError"}}} =
               Portpool.call(pool, :jobs, :text, [2_000_000_000])

      assert Portpool.call(pool, :jobs, :echo, [1]) == {:ok, 1}
    end
  end

  describe "a pool whose workers keep failing" do
    test "fails calls at once, and heals by itself" do
      directory = Path.join(System.tmp_dir!(), "portpool-#{System.unique_integer([:positive])}")
      File.mkdir_p!(directory)
      on_exit(fn -> File.rm_rf!(directory) end)

      pool = start_pool!(python_path: [python(), directory], init: {:late, :ready, []})

      assert {:error, %Error{reason: :crash_loop, retryable: true} = error} =
               Portpool.call(pool, :jobs, :echo, [1])

      assert Exception.message(error) =~ "late"
      File.write!(Path.join(directory, "late.py"), "def ready(): pass\n")
      eventually(fn -> match?({:ok, 1}, Portpool.call(pool, :jobs, :echo, [1])) end, 10_000)
    end

    test "ends with on_crash_loop: :exit, and its supervisor learns it" do
      Process.flag(:trap_exit, true)
      options = [size: 1, python_path: [python()], on_crash_loop: :exit, wait: :none]

      case Portpool.start_link([init: {:jobs, :fail, [0]}] ++ options) do
        # It has failed so quickly that it did not start.
        {:error, error} -> assert error.message =~ "its workers keep failing"
        {:ok, pool} -> assert_receive {:EXIT, ^pool, :shutdown}, 10_000
      end
    end

    test "ends with on_crash_loop: :exit also when it has worked before" do
      Process.flag(:trap_exit, true)
      {:ok, pool} = Portpool.start_link(size: 1, python_path: [python()], on_crash_loop: :exit)

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          await_end_of_log(pool, fn ->
            for _ <- 1..5, do: {:error, _error} = Portpool.call(pool, :jobs, :exit_now, [1])
            assert_receive {:EXIT, ^pool, :shutdown}, 10_000
          end)
        end)

      assert log =~ "the server ended (since its workers keep failing) and so does the pool"
      assert {:error, %Error{reason: :noproc}} = Portpool.call(pool, :jobs, :echo, [1])
    end
  end

  describe "idle workers" do
    test "are taken in the order of the strategy" do
      for {strategy, distinct} <- [lifo: 1, fifo: 3] do
        pool = start_pool!(size: 3, wait: :all, strategy: strategy)
        pids = for _ <- 1..6, do: Portpool.call!(pool, :jobs, :pid, [])
        assert {strategy, length(Enum.uniq(pids))} == {strategy, distinct}
        stop_supervised!(Portpool)
      end
    end
  end
end
