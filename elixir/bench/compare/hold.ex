defmodule Bench.Hold do
  @moduledoc "Keeps a worker busy: it runs a call that connects to this VM, and ends when that closes the connection."

  @enforce_keys [:connection, :task]
  defstruct [:connection, :task]

  @type t :: %__MODULE__{connection: :inet.socket(), task: Task.t()}

  @doc "Returns when a worker is busy."
  @spec take(module, Bench.System.handle()) :: t
  def take(system, handle) do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, active: false])
    {:ok, port} = :inet.port(listener)
    task = Task.async(fn -> system.call(handle, :work, :hold, [port]) end)
    {:ok, connection} = :gen_tcp.accept(listener)
    :gen_tcp.close(listener)
    %__MODULE__{connection: connection, task: task}
  end

  @doc "Returns when it is idle again."
  @spec release(t) :: :ok
  def release(%__MODULE__{connection: connection, task: task}) do
    :gen_tcp.close(connection)
    Task.await(task)
    :ok
  end
end
