defmodule Portpool.ErlangTest do
  use Portpool.Test.Case

  @path ~c"#{Path.expand("python", __DIR__)}"

  setup do
    Process.flag(:trap_exit, true)
    {:ok, _pool} = :portpool.start_link(%{name: :python, size: 1, python_path: [@path], drain_timeout: 0})
    on_exit(fn -> :portpool.stop(:python) end)
  end

  test "calls, with maps and property lists" do
    assert :portpool.call(:python, :math, :sqrt, [16]) == {:ok, 4.0}

    assert :portpool.call(:python, ~c"jobs", ~c"keywords", [1], %{kwargs: %{b: 2}}) ==
             {:ok, [[1], %{"b" => 2}]}

    assert {:ok, 1, %{attempt: 1}} = :portpool.call_with_meta(:python, :jobs, :echo, [1], timeout: 1_000)
    assert :portpool.cast(:python, :jobs, :echo, [1]) == :ok
    assert :portpool.await(:portpool.async(:python, :jobs, :echo, [1])) == {:ok, 1}
    assert :portpool.broadcast(:python, :jobs, :echo, [1]) == {:ok, [ok: 1]}
    assert {:error, %{reason: :cancelled}} = :portpool.cancel(:portpool.async(:python, :jobs, :sleep, [60]))
    assert :portpool.call(:python, :zlib, :crc32, [:portpool.bytes("hello")]) == {:ok, 907_060_870}
  end

  test "None is undefined, unless nil is asked for" do
    assert :portpool.call(:python, :jobs, :environment, ["no such variable"]) == {:ok, :undefined}
    assert :portpool.call(:python, :jobs, :environment, ["no such variable"], none_as: nil) == {:ok, nil}
    {:ok, pool} = :portpool.start_link(none_as: nil, size: 1, python_path: [@path])
    assert :portpool.call(pool, :jobs, :environment, ["no such variable"]) == {:ok, nil}
    assert :portpool.stop(pool) == :ok
  end

  test "the Python of a virtual environment runs" do
    venv = Path.join(System.tmp_dir!(), "portpool-venv-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(venv) end)
    python = System.get_env("PORTPOOL_TEST_PYTHON") || "python3"
    {_, 0} = System.cmd(python, ["-m", "venv", "--without-pip", venv])
    {:ok, pool} = :portpool.start_link(%{venv: String.to_charlist(venv), size: 1, drain_timeout: 0})
    assert :portpool.call(pool, :os, :getenv, ["VIRTUAL_ENV"]) == {:ok, venv}
    assert :portpool.call(pool, :builtins, :eval, ["__import__('sys').prefix"]) == {:ok, venv}
    assert :portpool.stop(pool) == :ok
    assert {:error, %{message: message}} = :portpool.start_link(venv: ~c"/nowhere", python: ~c"python3")
    assert message =~ "option :venv cannot be combined with :python"
  end

  test "errors are plain maps, as on the wire, and format_error makes text of them" do
    assert {:error, error} = :portpool.call(:python, :jobs, :fail, [0])
    assert %{reason: :exception, phase: :call, blame: :worker, retryable: false, frames: [_]} = error
    assert Enum.sort(Map.keys(error)) == [:blame, :detail, :frames, :message, :phase, :reason, :retryable]
    assert :portpool.format_error(error) =~ "ValueError: no such luck"

    for outcome <- [
          :portpool.call(:none, :jobs, :echo, [1]),
          :portpool.cast(:none, :jobs, :echo, [1]),
          :portpool.await(:portpool.async(:none, :jobs, :echo, [1])),
          :portpool.broadcast(:none, :jobs, :echo, [1]),
          :portpool.checkout(:none),
          :portpool.transaction(:none, & &1),
          :portpool.status(:none),
          :portpool_poolboy.status(:none),
          :portpool.resize(:none, 1),
          :portpool.reload(:none)
        ] do
      assert {:error, %{reason: :noproc} = error} = outcome
      refute is_struct(error)
    end
  end

  test "leases" do
    {:ok, worker} = :portpool.checkout(:python, %{checkout_timeout: 5_000})
    assert :portpool.call(worker, :jobs, :keep, [1]) == {:ok, [1]}
    assert {:error, %{reason: :bad_request}} = Task.await(Task.async(fn -> :portpool.checkin(worker) end))
    assert :portpool.checkin(worker) == :ok
    assert :portpool.transaction(:python, &:portpool.call(&1, :jobs, :keep, [2])) == {:ok, {:ok, [1, 2]}}
    assert_raise RuntimeError, fn -> :portpool.transaction(:python, fn _worker -> raise "no" end) end
  end

  test "operation" do
    assert {:ok, %{size: 1}} = :portpool.status(:python)
    assert :portpool_poolboy.status(:python) == {:ready, 1, 0, 0}
    assert :portpool.resize(:python, 2) == :ok
    assert :portpool.reload(:python) == :ok
    assert :portpool.stop(:python, drain_timeout: 0) == :ok
  end

  test "calls that are awaited, yielded, and received" do
    call = &:portpool.async(:python, &1, &2, &3)
    assert :portpool.await(call.(:jobs, :echo, [1]), 60_000) == {:ok, 1}
    assert :portpool.yield(call.(:jobs, :echo, [1])) == {:ok, 1}
    assert :portpool.await_many([call.(:jobs, :echo, [1]), call.(:jobs, :echo, [2])]) == [ok: 1, ok: 2]

    slow = call.(:jobs, :sleep, [60])
    assert :portpool.yield(slow, 0) == :undefined
    assert :portpool.async_result(slow, :other) == :unknown
    assert {:error, %{reason: :cancelled} = error} = :portpool.await(slow, 0)
    refute is_struct(error)
    assert [{:error, %{reason: :cancelled}}] = :portpool.await_many([call.(:jobs, :sleep, [60])], 0)

    %{ref: ref} = failing = call.(:jobs, :fail, [0])
    assert_receive {^ref, _packet} = message, 60_000
    assert {:error, %{reason: :exception} = error} = :portpool.async_result(failing, message)
    refute is_struct(error)
    assert {:error, %{reason: :bad_request}} = :portpool.await(failing)
    assert_clean_process()
  end

  test "an old name says the new one" do
    for {outcome, new} <- [
          {:portpool.status(:python, :poolboy), "portpool_poolboy:status(Pool)"},
          {:portpool.start_link(none: nil), ":none_as"},
          {:portpool.start_link(retry: 2), "max: 2"},
          {:portpool.call(:python, :jobs, :echo, [1], [:meta]), "call_with_meta"},
          {:portpool.call(:python, :jobs, :echo, [1], [:idempotent, retry: 2]), "max: 2"}
        ] do
      assert {:error, %{reason: :bad_request, message: message}} = outcome
      assert message =~ new
    end
  end

  test "a name may be given as Erlang has it, and options may be wrong" do
    {:ok, pool} = :portpool.start_link(name: {:local, :second}, size: 1)
    assert Process.whereis(:second) == pool
    assert :portpool.stop(:second) == :ok

    for options <- [[sise: 1], %{size: 0}, :size, [1]] do
      assert {:error, %{reason: :bad_request} = error} = :portpool.start_link(options)
      refute is_struct(error)
    end
  end

  test "a child specification is one for supervisors of Erlang" do
    options = %{name: :third, size: 1, drain_timeout: 100}
    spec = :portpool.child_spec(options)
    assert %{id: :third, start: {:portpool, :start_link, [^options]}, shutdown: 5_100} = spec
    assert :supervisor.check_childspecs([spec]) == :ok
    start_supervised!(spec)
    assert :portpool.call(:third, :operator, :add, [1, 2]) == {:ok, 3}
  end

  test "has every function of Portpool but call!, and format_error" do
    elixir = for {name, arity} <- Portpool.__info__(:functions), name != :call!, do: {name, arity}
    erlang = for {name, arity} <- :portpool.module_info(:exports), name != :module_info, do: {name, arity}
    assert Enum.sort(erlang -- elixir) == [format_error: 1]
    assert elixir -- erlang == []
  end
end
