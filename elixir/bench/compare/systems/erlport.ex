defmodule Bench.Systems.ErlPort do
  @moduledoc """
  ErlPort's Python instances as Poolboy workers, at their best settings: four-byte packets, no compression, standard input and output,
  the interpreter itself. ErlPort's `buffer_size` stays at 64 KiB, the size of the pipes it reads from: a smaller one makes large packets
  slower, a larger one makes nothing faster.
  """

  @behaviour Bench.System

  alias Bench.Settings

  @impl true
  def start(_pool, %Settings{peer: nil}), do: {:absent, "not found"}

  def start(pool, %Settings{peer: ebins} = settings) do
    Enum.each(ebins, &Code.append_path/1)

    if Enum.all?([:python, :erlport, :poolboy], &Code.ensure_loaded?/1),
      do: :poolboy.start_link(poolboy(pool), erlport(settings)),
      else: {:absent, "not found"}
  end

  defp poolboy(pool) do
    [worker_module: :python, strategy: :lifo, max_overflow: 0]
    |> Keyword.merge(Keyword.take(pool, [:size, :max_overflow]))
  end

  defp erlport(settings) do
    [
      python: String.to_charlist(settings.python),
      python_path: String.to_charlist(Settings.python_path()),
      packet: 4,
      compressed: 0
    ]
  end

  @impl true
  def enter(pool), do: pool

  @impl true
  def call(pool, module, function, args) do
    :poolboy.transaction(pool, &:python.call(&1, module, function, args), :infinity)
  end

  @impl true
  def leave(_pool), do: :ok

  @impl true
  def settle(pool) do
    case :poolboy.status(pool) do
      {:ready, _idle, 0, 0} ->
        :ok

      _status ->
        Process.sleep(1)
        settle(pool)
    end
  end

  @impl true
  def stop(pool), do: :poolboy.stop(pool)

  @impl true
  def bytes(binary), do: binary

  @impl true
  def expected(_args, result), do: result
end
