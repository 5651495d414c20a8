defmodule Portpool.Test.Session do
  @moduledoc """
  An `iex -S mix` without a terminal: runs the application of a Mix project in a VM of its own, and evaluates block after
  block there, in one process. The VM starts when a block needs it, and stays until it is closed.
  """

  use GenServer

  alias Portpool.Test.Processes

  @evaluate Path.expand("evaluate.exs", __DIR__)
  @external_resource @evaluate
  @line 1_000_000
  @limit_ms 120_000

  @type env :: [{String.t(), String.t() | nil}]

  @doc "Starts a session whose VM does not run yet."
  @spec start_link(term) :: GenServer.on_start()
  def start_link(_none \\ []), do: GenServer.start_link(__MODULE__, nil)

  @doc """
  Evaluates a block in the application of the project in `directory`. Returns what it says: what it printed, and its value
  as text, or the message of what it raised.
  """
  @spec run(pid, Path.t(), env, map) :: {:ok | :error, String.t()}
  def run(session, directory, env, block),
    do: GenServer.call(session, {:run, directory, env, block}, 2 * @limit_ms)

  @doc "Forgets the variables, if the VM runs: another reader begins."
  @spec forget(pid) :: :ok
  def forget(session), do: GenServer.call(session, :forget)

  @doc "Stops the application, and returns when the VM has ended."
  @spec close(pid) :: :ok
  def close(session), do: GenServer.call(session, :close, 2 * @limit_ms)

  @impl true
  def init(nil) do
    Process.flag(:trap_exit, true)
    {:ok, %{port: nil, place: nil}}
  end

  @impl true
  def handle_call({:run, directory, env, block}, _from, state) do
    state = opened(state, {directory, env})
    {:reply, ask(state.port, {:evaluate, block}), state}
  end

  def handle_call(:forget, _from, %{port: nil} = state), do: {:reply, :ok, state}

  def handle_call(:forget, _from, state) do
    {:ok, ""} = ask(state.port, :forget)
    {:reply, :ok, state}
  end

  def handle_call(:close, _from, state), do: {:reply, :ok, closed(state)}

  @impl true
  def handle_info({port, {:exit_status, _status}}, %{port: port} = state),
    do: {:noreply, %{state | port: nil}}

  def handle_info(_output, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state), do: closed(state)

  defp opened(%{port: port, place: place} = state, place) when port != nil, do: state

  defp opened(state, {directory, env} = place) do
    state = closed(state)
    env = for {name, value} <- env, do: {to_charlist(name), if(value, do: to_charlist(value), else: false)}
    options = [:binary, :exit_status, :stderr_to_stdout, line: @line, cd: directory, env: env]
    mix = {:spawn_executable, System.find_executable("mix")}
    %{state | port: Port.open(mix, [args: ["run", @evaluate]] ++ options), place: place}
  end

  # The end of its stdin ends the VM.
  defp closed(%{port: nil} = state), do: state

  defp closed(%{port: port} = state) do
    pid = Port.info(port, :os_pid)
    if pid, do: Port.close(port)

    with {:os_pid, pid} <- pid, do: Processes.eventually(fn -> not Processes.alive?(pid) end, @limit_ms)
    %{state | port: nil}
  end

  defp ask(port, question) do
    if Port.info(port),
      do: Port.command(port, [Base.encode64(:erlang.term_to_binary(question)), "\n"])

    answer(port, "", [])
  end

  # Everything else that the VM prints is for the message of a test that fails.
  defp answer(port, begun, said) do
    receive do
      {^port, {:data, {:noeol, part}}} -> answer(port, begun <> part, said)
      {^port, {:data, {:eol, part}}} -> answered(port, begun <> part, said)
      {^port, {:exit_status, status}} -> {:error, text(["the VM has ended with status #{status}" | said])}
    after
      @limit_ms -> {:error, text(["there is no answer within #{@limit_ms} ms" | said])}
    end
  end

  defp answered(_port, "evaluated " <> answer, said) do
    case answer |> Base.decode64!() |> :erlang.binary_to_term() do
      {:ok, text} -> {:ok, text}
      {:error, text} -> {:error, text([text | said])}
    end
  end

  defp answered(port, line, said), do: answer(port, "", [line | said])

  defp text(lines), do: lines |> Enum.reverse() |> Enum.join("\n")
end
