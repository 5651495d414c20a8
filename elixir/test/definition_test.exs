defmodule Portpool.DefinitionTest do
  use Portpool.Test.Case

  alias Portpool.Test.{Own, Second}

  setup do
    on_exit(fn -> Application.delete_env(:portpool, Own) end)
  end

  test "a module that uses Portpool is a pool under its own name" do
    start_supervised!(Own)
    assert Own.call(:jobs, :echo, [1]) == {:ok, 1}
    assert Own.call(:jobs, :echo, [1], timeout: 1_000) == {:ok, 1}
    assert Own.call!(:jobs, :echo, [1]) == 1
    assert Own.cast(:jobs, :echo, [1]) == :ok
    assert Own.await(Own.async(:jobs, :echo, [1])) == {:ok, 1}
    assert Own.await_many([Own.async(:jobs, :echo, [1])]) == [ok: 1]
    assert Own.yield(Own.async(:jobs, :echo, [1]), 60_000) == {:ok, 1}
    assert {:error, %Error{reason: :cancelled}} = Own.cancel(Own.async(:jobs, :sleep, [60]))
    assert Own.async_result(Own.async(:nowhere, :echo, [1], key: 1, retry: 1), :other) == :unknown
    assert_receive {_ref, %Error{reason: :bad_request}}
    assert Own.call(:zlib, :crc32, [Own.bytes("hello")]) == {:ok, 907_060_870}
    assert Own.broadcast(:jobs, :echo, [1]) == {:ok, [ok: 1]}
    assert {:ok, 1, %{attempt: 1}} = Own.call_with_meta(:jobs, :echo, [1])
    assert Own.transaction(&Portpool.call!(&1, :jobs, :echo, [1])) == {:ok, 1}
    assert {:ok, worker} = Own.checkout(checkout_timeout: 5_000)
    assert Own.checkin(worker) == :ok
    assert {:ok, %{size: 1}} = Own.status()
    assert {:ready, 1, 0, 0} = Portpool.Poolboy.status(Own)
    assert {:error, %Error{message: "status(pool, :poolboy) is now " <> _}} = Own.status(:poolboy)
    assert Own.resize(2) == :ok
    assert Own.reload() == :ok
    assert Portpool.call(Own, :jobs, :echo, [1]) == {:ok, 1}
    assert_clean_process()
  end

  # These take no pool.
  @as_they_are [:await, :yield, :await_many, :async_result, :cancel, :checkin, :bytes]

  test "it has every function of Portpool, without the pool where one takes it, and no other" do
    expected =
      for {name, arity} <- Portpool.__info__(:functions),
          do: if(name in @as_they_are, do: {name, arity}, else: {name, arity - 1})

    # These two have options by default.
    assert Enum.sort(Own.__info__(:functions)) == Enum.sort(expected ++ [child_spec: 1, start_link: 1])
  end

  test "each of its functions has a type" do
    {:ok, specs} = Code.Typespec.fetch_specs(Own)
    specified = for {function, _specs} <- specs, do: function
    # `start_link` and `child_spec` have one for all of their arities.
    assert Own.__info__(:functions) -- specified == [child_spec: 0, start_link: 0]
  end

  test "options of start_link come before those of the application, and those before the ones of use" do
    start_supervised!(Own)
    assert Own.call(:jobs, :environment, ["WHO"]) == {:ok, "use"}
    stop_supervised!(Own)

    Application.put_env(:portpool, Own, env: [WHO: "application"], size: 2)
    start_supervised!(Own)
    assert Own.call(:jobs, :environment, ["WHO"]) == {:ok, "application"}
    assert {:ok, %{size: 2}} = Own.status()
    stop_supervised!(Own)

    start_supervised!({Own, env: [WHO: "start_link"]})
    assert Own.call(:jobs, :environment, ["WHO"]) == {:ok, "start_link"}
    assert {:ok, %{size: 2}} = Own.status()
  end

  test "its child specification has the time that its options need to drain" do
    assert %{
             id: Own,
             start: {Portpool.Pool, :start_child, [Own, :start_link, [[size: 3]]]},
             type: :supervisor,
             shutdown: 5_100
           } = Own.child_spec(size: 3)

    Application.put_env(:portpool, Own, drain_timeout: 1_000)
    assert %{shutdown: 6_000} = Own.child_spec([])
    assert %{shutdown: 10_000} = Second.child_spec([])
  end

  test "its name is that of the module, and no other" do
    assert {:error, %Error{reason: :bad_request, detail: %{option: "name"}}} = Own.start_link(name: Other)
    Application.put_env(:portpool, Own, name: Other)
    assert {:error, %Error{reason: :bad_request, detail: %{option: "name"}}} = Own.start_link()
  end

  test "options that are no keyword list say where they are" do
    Application.put_env(:portpool, Own, %{size: 2})
    assert %{shutdown: 10_000} = Own.child_spec([])
    assert {:error, %Error{reason: :bad_request, message: message}} = Own.start_link()

    assert message ==
             "the configuration of Portpool.Test.Own in the application :portpool must be a keyword list"

    Application.delete_env(:portpool, Own)

    assert {:error, %Error{reason: :bad_request, message: message}} = Own.start_link(%{size: 1})
    assert message == "the options of Portpool.Test.Own must be a keyword list"

    for {used, said} <- [
          {%{size: 1}, "the options of `use Portpool` in Some.Pool"},
          {[otp_app: "app"], ":otp_app"}
        ] do
      assert {:error, %Error{reason: :bad_request, message: message}} =
               Portpool.Definition.start_link(Some.Pool, used, [])

      assert message =~ said
    end
  end

  test "two of them are two pools" do
    start_supervised!(Own)
    start_supervised!(Second)
    refute Own.call!(:os, :getpid, []) == Second.call!(:os, :getpid, [])
    assert {:error, %Error{reason: :undef}} = Second.call(:jobs, :echo, [1])
    assert Own.stop() == :ok
    assert Second.call(:operator, :add, [1, 2]) == {:ok, 3}
  end

  test "each function says where its documentation is" do
    {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(Own)

    for {{:function, name, _arity}, _, _, doc, _} <- docs,
        name != :status,
        do: assert(doc != :none and doc != :hidden, "#{name}")
  end
end
