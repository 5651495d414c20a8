defmodule Bench.Systems.Portpool do
  @moduledoc "Portpool with its default options."

  @behaviour Bench.System

  alias Bench.Settings

  @impl true
  def start(pool, %Settings{} = settings) do
    options = [
      wait: :all,
      checkout_timeout: :infinity,
      start_timeout: 120_000,
      python: settings.python,
      python_path: [Settings.python_path()]
    ]

    case Portpool.start_link(Keyword.merge(options, pool)) do
      {:ok, pid} -> {:ok, pid}
      {:error, error} -> {:absent, error |> Exception.message() |> String.split("\n") |> hd()}
    end
  end

  @impl true
  def enter(pool), do: pool

  @impl true
  def call(pool, module, function, args), do: Portpool.call!(pool, module, function, args)

  @impl true
  def leave(_pool), do: :ok

  @impl true
  def settle(pool) do
    case Portpool.status(pool) do
      {:ok, %{size: size, workers: workers}} when length(workers) == size ->
        if Enum.all?(workers, &(&1.state == :idle)), do: :ok, else: settle_later(pool)

      {:ok, _status} ->
        settle_later(pool)
    end
  end

  defp settle_later(pool) do
    Process.sleep(1)
    settle(pool)
  end

  @impl true
  def stop(pool), do: Portpool.stop(pool)

  @impl true
  def bytes(binary), do: Portpool.bytes(binary)

  @impl true
  def expected(_args, result), do: result
end
