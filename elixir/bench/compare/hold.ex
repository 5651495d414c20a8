defmodule Bench.Hold do
  @moduledoc "Keeps workers busy: each runs a call that connects to this VM, sends its pid, and ends when the connection closes."

  @enforce_keys [:connections, :pids, :tasks]
  defstruct [:connections, :pids, :tasks]

  @typedoc "The workers' pids are those of the operating system."
  @type t :: %__MODULE__{connections: [:inet.socket()], pids: [String.t()], tasks: [Task.t()]}

  @doc "Returns when `count` different workers have imported these modules and are busy."
  @spec take(module, Bench.System.handle(), pos_integer, [String.t()]) :: t
  def take(system, handle, count, modules \\ []) do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, packet: :line, ip: {127, 0, 0, 1}, active: false])
    {:ok, port} = :inet.port(listener)
    hold = fn -> Bench.System.until_served(fn -> system.call(handle, :heavy, :hold, [port, modules]) end) end
    tasks = for _ <- 1..count, do: Task.async(hold)
    {connections, pids} = Enum.unzip(for _ <- 1..count, do: accept(listener))
    :gen_tcp.close(listener)
    %__MODULE__{connections: connections, pids: pids, tasks: tasks}
  end

  defp accept(listener) do
    {:ok, connection} = :gen_tcp.accept(listener)
    {:ok, line} = :gen_tcp.recv(connection, 0)
    {connection, String.trim(line)}
  end

  @doc "Frees the workers; returns when they are idle again."
  @spec release(t) :: :ok
  def release(%__MODULE__{connections: connections, tasks: tasks}) do
    Enum.each(connections, &:gen_tcp.close/1)
    Task.await_many(tasks, :infinity)
    :ok
  end
end
