defmodule Portpool.Test.Symptoms do
  @moduledoc "The messages that docs/guides/troubleshooting.md quotes, each from what causes it, in the order of the guide."

  alias Portpool.Error

  @shop """
  import ctypes, os, time

  def total(items, tax=0):
      return sum(items)

  def slow():
      time.sleep(60)

  def crash():
      ctypes.string_at(0)

  def leave():
      os._exit(3)
  """

  @thread "import threading, time; threading.Thread(target=time.sleep, args=(100,), daemon=True).start()"

  @doc "Returns pairs of a name and the message."
  @spec all() :: [{atom, String.t()}]
  def all do
    directory = Path.join(System.tmp_dir!(), "portpool-symptoms-#{System.unique_integer([:positive])}")
    File.mkdir_p!(directory)
    File.write!(directory <> "/shop.py", @shop)
    File.write!(directory <> "/broken.py", "import nump\n")
    File.write!(directory <> "/needs.py", "import panda\n")

    [
      compile: fn -> source("build/ways.ex") end,
      program: fn -> source("pool/binary.ex") end,
      venv: fn -> start(venv: venv!(directory <> "/gone", "/opt/no/such/python3")) end,
      interpreter: fn -> start(python: "python9") end,
      path: fn -> start(python_path: ["priv/pyton"]) end,
      option: fn -> start(sizes: 1) end,
      preload: fn ->
        start([preload: ["broken"], python_path: [directory]], &Portpool.call(&1, :shop, :total, [[]]))
      end,
      start_timeout: fn ->
        start(init: {:time, :sleep, [60]}, start_timeout: 500, on_start_failure: :fail)
      end,
      thread: fn -> logged(warmup: {:builtins, :exec, [@thread]}) end
    ]
    |> Enum.concat(calls(directory))
    |> Enum.map(fn {name, cause} -> {name, message(cause.())} end)
  after
    Portpool.stop(__MODULE__)
  end

  # Those of calls: all in one pool, which starts for the first of them.
  defp calls(directory) do
    for {name, cause} <- [
          module: &Portpool.call(&1, :nump, :array, []),
          function: &Portpool.call(&1, :shop, :totl, []),
          arguments: &Portpool.call(&1, :shop, :total, []),
          package: &Portpool.call(&1, :needs, :total, []),
          utf8: &Portpool.call(&1, :shop, :total, [<<255>>]),
          object: &Portpool.call(&1, :builtins, :object, []),
          nan: &Portpool.call(&1, :builtins, :float, ["nan"]),
          atom: &Portpool.call(&1, :builtins, :eval, ["__import__('portpool').Atom('no_module_has_this')"]),
          too_large: &Portpool.call(&1, :builtins, :bytes, [70_000_000]),
          timeout: &Portpool.call(&1, :shop, :slow, [], timeout: 100),
          busy: &busy/1,
          noproc: fn _pool -> Portpool.call(MyApp.Pyton, :shop, :total, [[]]) end,
          crash: &Portpool.call(&1, :shop, :crash, []),
          leave: &Portpool.call(&1, :shop, :leave, []),
          memory: &Portpool.call(&1, :builtins, :bytearray, [10_000_000_000])
        ],
        do: {name, fn -> cause.(pool(directory)) end}
  end

  defp pool(directory) do
    venv = venv!(directory <> "/venv", nil)
    options = [name: __MODULE__, venv: venv, python_path: [directory], memory_limit: 2_000_000_000]

    case Portpool.start_link(options(options)) do
      {:ok, pool} -> pool
      {:error, {:already_started, pool}} -> pool
    end
  end

  defp busy(pool) do
    other = Portpool.async(pool, :shop, :slow, [])
    error = Portpool.call(pool, :shop, :total, [[]], checkout_timeout: 50)
    Portpool.cancel(other)
    error
  end

  defp logged(options) do
    ExUnit.CaptureLog.capture_log(fn -> start(options, &Portpool.flush_logs/1) end)
  end

  defp start(options, fun \\ fn _pool -> flunk() end) do
    with {:ok, pool} <- Portpool.start_link(options(options)) do
      result = fun.(pool)
      :ok = Portpool.stop(pool)
      result
    end
  end

  defp options(options) do
    python = if options[:venv], do: [], else: [python: python()]
    Keyword.merge([size: 1, drain_timeout: 0] ++ python, options)
  end

  defp python, do: System.get_env("PORTPOOL_TEST_PYTHON", "python3")

  # What nothing here can cause, as the program of this test run is there: test/compile_test.exs and test/paths_test.exs do.
  defp source(file), do: File.read!(Path.expand("../../lib/portpool/#{file}", __DIR__))

  # An environment, whose interpreter is a link to this file if it is given.
  defp venv!(venv, link) do
    unless File.exists?(venv), do: {_, 0} = System.cmd(python(), ["-m", "venv", "--without-pip", venv])

    if link do
      File.rm!(venv <> "/bin/python")
      File.ln_s!(link, venv <> "/bin/python")
    end

    venv
  end

  defp flunk, do: ExUnit.Assertions.flunk("the pool has started")

  defp message({:error, %Error{} = error}), do: Exception.message(error)
  defp message(text) when is_binary(text), do: text
end
