defmodule Portpool.Pool do
  @moduledoc false

  # The supervisor of one pool. Guard, owner, tables and server begin and end together: whatever one of them has
  # seen is worth nothing to the next incarnation of the others.

  use Supervisor

  alias Portpool.{Config, Directory, Error, Guard, Owner}

  @spec start_link(Config.t()) :: Supervisor.on_start() | {:error, Error.t()}
  def start_link(config) do
    with :ok <- directory(),
         {:ok, pool} <- Supervisor.start_link(__MODULE__, config, name(config)) do
      case await(pool) do
        :ok -> {:ok, pool}
        {:error, error} -> discard(pool, error)
      end
    end
  end

  defp directory do
    if Directory.running?(),
      do: :ok,
      else: {:error, Error.new(:noproc, "the :portpool application is not started")}
  end

  defp name(%{name: nil}), do: []
  defp name(%{name: name}), do: [name: name]

  @impl true
  def init(config) do
    Supervisor.init([{Guard, {self(), config}}, {Owner, {self(), config}}], strategy: :one_for_all)
  end

  # The owner is asked from here, so that the supervisor can be stopped while its server starts.
  defp await(pool) do
    {Owner, owner, _type, _modules} = pool |> Supervisor.which_children() |> List.keyfind(Owner, 0)
    Owner.await(owner)
  end

  # The error is returned, so the caller is not to get it as an exit signal as well.
  defp discard(pool, error) do
    Process.unlink(pool)
    stop(pool)

    receive do
      {:EXIT, ^pool, _reason} -> {:error, error}
    after
      0 -> {:error, error}
    end
  end

  @doc "Stops a pool. It is no error if it has stopped already."
  @spec stop(pid) :: :ok
  def stop(pool) do
    Supervisor.stop(pool, :normal, :infinity)
  catch
    # Somebody else was faster.
    :exit, _reason -> :ok
  end
end
