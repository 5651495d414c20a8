defmodule Portpool.Pool do
  @moduledoc false

  # The supervisor of one pool. Guard, owner, tables and server begin and end together: whatever one of them has
  # seen is worth nothing to the next incarnation of the others.

  use Supervisor

  alias Portpool.{Config, Directory, Error, Guard, Options, Owner, Wire}
  alias Portpool.Options.Secret

  @spec start_link(Config.t()) :: Supervisor.on_start() | {:error, Error.t()}
  def start_link(config) do
    with :ok <- directory(),
         :ok <- registry(config.name),
         {:ok, pool} <- start(config) do
      case await(pool) do
        :ok -> {:ok, pool}
        {:error, error} -> discard(pool, error)
      end
    end
  end

  @doc """
  Starts a pool as a child of a supervisor, by this function and these arguments, some of them hidden.

  What a supervisor, an application or a VM prints as the reason of an end is a term, but for an exception that has a
  stack trace: that one is printed as its message.
  """
  @spec start_child(module, atom, [term]) :: Supervisor.on_start_child()
  def start_child(module, function, args) do
    with {:error, %Error{} = error} <- apply(module, function, Enum.map(args, &Secret.reveal/1)),
         do: {:error, {error, [{module, function, length(args), []}]}}
  end

  # The processes of a pool live without what may be secret: their arguments and states are shown wherever OTP reports
  # on them.
  defp start(config) do
    public = Config.without_secrets(config)

    config
    |> Options.hello()
    |> Wire.hello()
    |> Directory.with_hello(fn -> Supervisor.start_link(__MODULE__, {self(), public}, name(config)) end)
  end

  defp directory do
    if Directory.running?(),
      do: :ok,
      else: {:error, Error.new(:noproc, "the :portpool application is not started")}
  end

  # One that cannot be asked would raise in the supervisor that starts the pool.
  defp registry({:via, _module, _name} = name) do
    case Directory.registry(name) do
      {:ok, _pid} -> :ok
      {:error, why} -> {:error, Options.refused(:name, "#{inspect(name)} cannot be registered: #{why}")}
    end
  end

  defp registry(_name), do: :ok

  defp name(%{name: nil}), do: []
  defp name(%{name: name}), do: [name: name]

  @impl true
  def init({starter, config}) do
    Directory.take_hello(starter)
    children = [{Guard, {self(), config}}, {Owner, {self(), config}}]
    Supervisor.init(children, strategy: :one_for_all, max_restarts: restarts(config.on_crash_loop))
  end

  # `:exit` hands what this pool cannot mend to the supervisor above it.
  defp restarts(:exit), do: 0
  defp restarts(:retry), do: 3

  # The owner is asked from here, so that the supervisor can be stopped while its server starts.
  defp await(pool), do: pool |> owner() |> Owner.await()

  defp owner(pool) do
    {Owner, owner, _type, _modules} = pool |> Supervisor.which_children() |> List.keyfind(Owner, 0)
    owner
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

  @doc """
  Stops a pool. Running calls may end within `drain_timeout`, an option as in docs/protocol.md 7.4. Does nothing if the
  pool has stopped already.
  """
  @spec stop(pid, map) :: :ok
  def stop(pool, options \\ %{}) do
    with %{drain_timeout: limit} <- options, do: drain_within(pool, limit)
    Supervisor.stop(pool, :normal, :infinity)
  catch
    # Somebody else was faster.
    :exit, _reason -> :ok
  end

  defp drain_within(pool, limit) do
    pool |> owner() |> Owner.drain_within(limit)
  catch
    # It has no server at the moment, and so nothing to drain.
    :exit, _reason -> :ok
  end
end
