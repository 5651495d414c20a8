defmodule Portpool.Server do
  @moduledoc false

  # The server program, and its watch: a second small process of the same program that kills the server if it does not
  # end by itself once both have been let go of (docs/protocol.md 13). A server that is stopped, by a signal or a
  # debugger, cannot end; and what waits to be written to it would keep this VM from halting for ever.

  alias Portpool.{Program, Wire}

  # How long a watch may take to end after its server, in milliseconds. It looks at every process of the machine, which
  # takes some ten milliseconds, or some hundred times that on one that is busy.
  @ending 3_000

  @enforce_keys [:binary, :cgroup, :port, :pid]
  defstruct [:binary, :cgroup, :port, :pid, :watch]

  @typedoc "`pid` is that of the operating system, `nil` if it has ended at once; `watch` is `nil` if there is none; `cgroup` is the option."
  @type t :: %__MODULE__{
          binary: Path.t(),
          cgroup: :auto | :none | Path.t(),
          port: port,
          pid: non_neg_integer | nil,
          watch: port | nil
        }

  @doc "Starts both. They belong to the calling process, and end with it."
  @spec start(Path.t(), :auto | :none | Path.t()) :: {:ok, t} | {:error, String.t()}
  def start(binary, cgroup) do
    with {:ok, port} <- open(binary, ["serve"], packet: 4) do
      {:ok, watched(%__MODULE__{binary: binary, cgroup: cgroup, port: port, pid: os_pid(port)})}
    end
  end

  # Without busy limits a caller that writes is never suspended, not even by a server that does not read; what piles
  # up is bounded by the count of the calls in flight.
  defp open(binary, args, options) do
    common = [:binary, :exit_status, args: args, busy_limits_port: :disabled, busy_limits_msgq: :disabled]
    {:ok, Port.open({:spawn_executable, binary}, common ++ options)}
  rescue
    error in [ErlangError, ArgumentError, SystemLimitError] -> {:error, Program.not_started(binary, error)}
  end

  @doc """
  Writes a packet to a port. `:closed` if the port is no longer open: its owner hears why.

  Nothing is raised, since the packet would be in the stack trace, and may hold secrets.
  """
  @spec write(port, Wire.packet()) :: :ok | :closed
  def write(port, packet) do
    Port.command(port, packet)
    :ok
  rescue
    ArgumentError -> :closed
  end

  defp os_pid(port) do
    case Port.info(port, :os_pid) do
      {:os_pid, pid} -> pid
      nil -> nil
    end
  end

  @doc "Starts a watch if there is none. Without one the server still serves."
  @spec watched(t) :: t
  def watched(%__MODULE__{watch: nil, pid: pid} = server) when pid != nil do
    case open(server.binary, ["watch", "#{pid}", "--cgroup", "#{server.cgroup}"], []) do
      {:ok, watch} -> %{server | watch: watch}
      {:error, _message} -> server
    end
  end

  def watched(server), do: server

  @doc "Notes that the watch has ended."
  @spec unwatched(t) :: t
  def unwatched(server), do: %{server | watch: nil}

  @doc "Waits until the watch of a server that has ended has killed what that has left behind: not for long."
  @spec await_watch(t) :: :ok
  def await_watch(%__MODULE__{watch: nil}), do: :ok

  def await_watch(%__MODULE__{watch: watch}) do
    receive do
      {:EXIT, ^watch, _reason} -> :ok
    after
      @ending -> :ok
    end
  end

  @doc "Kills the server at once."
  @spec kill(t) :: :ok | :closed
  def kill(%__MODULE__{watch: nil}), do: :closed

  # The watch may just have ended, with the server or before it.
  def kill(%__MODULE__{watch: watch}), do: write(watch, "k")

  @doc "Lets go of both."
  @spec close(t | nil) :: :ok
  def close(nil), do: :ok

  def close(%__MODULE__{port: port, watch: watch}) do
    for open <- [port, watch], open != nil, do: close_port(open)
    :ok
  end

  defp close_port(port) do
    Port.close(port)
  rescue
    # It is closed already.
    ArgumentError -> true
  end
end
