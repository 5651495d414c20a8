defmodule Bench.Systems.Echo do
  @moduledoc """
  The floors: programs that send each packet back unchanged, `program:` in examples/. A call sends its arguments there and back as
  external terms. The caller owns the port while it calls, so no process stands between them, and only one caller can call at a time.
  """

  @behaviour Bench.System

  alias Bench.Settings

  @impl true
  def start(pool, %Settings{} = settings) do
    program = settings.examples && Path.join(settings.examples, Keyword.fetch!(pool, :program))

    if program && File.exists?(program),
      do: {:ok, %{port: open(program, settings.python), owner: self()}},
      else: {:absent, "not found"}
  end

  defp open(program, python),
    do: Port.open({:spawn_executable, program}, [:binary, :exit_status, packet: 4, args: [python]])

  @impl true
  def enter(%{port: port} = echo) do
    true = Port.connect(port, self())
    echo
  end

  @impl true
  def call(%{port: port}, _module, _function, args) do
    # Like Portpool, without copying large binaries.
    true = Port.command(port, :erlang.term_to_iovec(args))

    receive do
      {^port, {:data, packet}} -> :erlang.binary_to_term(packet)
      {^port, {:exit_status, status}} -> exit({:echo_has_ended, status})
    end
  end

  @impl true
  def leave(%{port: port, owner: owner}) do
    true = Port.connect(port, owner)
    Process.unlink(port)
    :ok
  end

  @impl true
  def settle(_echo), do: :ok

  @impl true
  def stop(%{port: port}) do
    true = Port.close(port)
    :ok
  end

  @impl true
  def bytes(binary), do: binary

  @impl true
  def expected(args, _result), do: args
end
