defmodule Portpool.Owner do
  @moduledoc false

  # Owns the port: starts the server, waits for its `ready`, and then hands each reply, undecoded, to the caller that
  # waits for it. It ends with the server, and the server with it: the port closes, which the server takes as its end.
  # When the supervisor stops it in good order it has the server drain first.
  #
  # A GenServer, though every reply passes through here: a process that waits in code of its own is killed when that code
  # is loaded anew and purged, and with this one its pool would end.

  use GenServer

  alias Portpool.Options.Paths
  alias Portpool.{Calls, Config, Directory, Error, Log, Program, Pulse, Route, Server, Wire}

  # What the server may take beyond `start_timeout` to say that it is ready.
  @margin 5_000

  # A reply of this size does not stay behind as garbage of a process that may have nothing to do for a long time.
  @large 65_536

  # What the server may take beyond `drain_timeout` to end: two seconds for its workers (docs/protocol.md 4.9), and more
  # for itself. `Portpool.Options.shutdown/1` is larger.
  @ending 4_000

  # docs/protocol.md 12
  @crash_loop 75

  # `server` is `nil` if it could not be started. `stage` is `{:starting, timer, waiting}`, `:ready`, `{:failed, error}` or
  # `:draining`. `features` are the requests that the server understands.
  @enforce_keys [:pool, :config, :calls, :log, :stage]
  defstruct [:pool, :config, :calls, :log, :stage, :server, :pulse, features: []]

  # A drain has a limit of its own, of which the supervisor need not know.
  @spec child_spec({pid, Config.t()}) :: Supervisor.child_spec()
  def child_spec(args), do: %{id: __MODULE__, start: {__MODULE__, :start_link, [args]}, shutdown: :infinity}

  @spec start_link({pid, Config.t()}) :: GenServer.on_start()
  def start_link(args), do: GenServer.start_link(__MODULE__, args)

  @doc "Waits until the server is ready, or cannot become so."
  @spec await(pid) :: :ok | {:error, Error.t()}
  def await(owner) do
    GenServer.call(owner, :await, :infinity)
  catch
    :exit, reason -> {:error, Error.new(:internal, "the pool ended while it started: #{inspect(reason)}")}
  end

  @doc "Returns when every reply that the server has sent until now has been handed on."
  @spec settle(pid) :: :ok
  def settle(owner) do
    GenServer.call(owner, :settle, :infinity)
  catch
    :exit, _reason -> :ok
  end

  @doc "Returns when every line that the server has sent until now is in `Logger`."
  @spec flush(pid) :: :ok
  def flush(owner) do
    GenServer.call(owner, :flush, :infinity)
  catch
    :exit, _reason -> :ok
  end

  @doc "Says how long running calls will have to end when the pool is stopped."
  @spec drain_within(pid, timeout) :: :ok
  def drain_within(owner, limit), do: GenServer.call(owner, {:drain_within, limit}, :infinity)

  @impl true
  def init({pool, config}) do
    Process.flag(:trap_exit, true)
    timer = Process.send_after(self(), :overdue, config.start_timeout + @margin)
    calls = Directory.calls(pool)
    log = Log.start(name(config, pool))
    state = %__MODULE__{pool: pool, config: config, calls: calls, log: log, stage: {:starting, timer, []}}

    case Server.start(config.binary, config.cgroup) do
      {:ok, %{port: port} = server} ->
        # One that has ended already takes nothing. How it ended comes as a message.
        Server.write(port, Directory.hello(pool))
        # Calls may be written from now on (docs/protocol.md 2.5).
        Directory.put_route(pool, Route.new(config, calls, port))
        {:ok, %{state | server: server}}

      {:error, message} ->
        {:ok, fail(state, no_start(message))}
    end
  end

  @impl true
  def handle_info({port, {:data, packet}}, %{server: %{port: port}} = state) when byte_size(packet) < @large,
    do: {:noreply, received(state, packet)}

  def handle_info({port, {:data, packet}}, %{server: %{port: port}} = state),
    do: {:noreply, received(state, packet), {:continue, :forget}}

  def handle_info({port, {:exit_status, status}}, %{server: %{port: port}} = state),
    do: {:noreply, server_exited(state, {:status, status})}

  # Sometimes the exit status is lost (erlang/otp#11278).
  def handle_info({:EXIT, port, reason}, %{server: %{port: port}} = state),
    do: {:noreply, server_exited(state, {:closed, reason})}

  def handle_info({:EXIT, watch, _reason}, %{server: %{watch: watch}} = state),
    do: {:noreply, %{state | server: Server.unwatched(state.server)}}

  # A log does not end by itself: something has killed it.
  def handle_info({:EXIT, pid, _reason}, %{log: %{pid: pid}} = state),
    do: {:noreply, %{state | log: Log.start(name(state))}}

  def handle_info(:beat, %{server: %{}} = state), do: {:noreply, beat(state)}
  def handle_info(:overdue, state), do: {:noreply, overdue(state)}
  # Nobody else has anything to say here.
  def handle_info(_other, state), do: {:noreply, state}

  # Only now does nothing refer to the packet any more.
  @impl true
  def handle_continue(:forget, state) do
    :erlang.garbage_collect()
    {:noreply, state}
  end

  @impl true
  def handle_call(:await, from, state), do: {:noreply, asked(state, from)}
  def handle_call(:settle, _from, state), do: {:reply, :ok, state}

  def handle_call({:drain_within, limit}, _from, %{config: config} = state),
    do: {:reply, :ok, %{state | config: %{config | drain_timeout: limit}}}

  def handle_call(:flush, from, state) do
    Log.flush(state.log, from)
    {:noreply, state}
  end

  # Its parent has told it to end, or it exits by itself.
  @impl true
  def terminate(:shutdown, %{stage: :ready} = state) do
    # A supervisor that has a server or guard started again stops the other one in the same way: then nobody is left that
    # could hear what running calls return.
    if :drain in state.features and Calls.alive?(state.calls), do: state |> drain() |> drained()
  end

  # Before OTP reports the end, which may take its time.
  def terminate(_reason, state), do: Server.close(state.server)

  # What is shown of this process, also if it crashes: not what Python has returned. Every OTP that is supported calls
  # this function; only a newer Elixir knows it as a callback.
  if {:format_status, 1} in GenServer.behaviour_info(:callbacks), do: @impl(true)

  def format_status(%{message: {port, {:data, packet}}} = status) when is_port(port),
    do: %{status | message: {port, {:data, byte_size(packet)}}}

  def format_status(status), do: status

  defp received(state, packet) do
    case Wire.reply_id(packet) do
      nil ->
        if Wire.line?(packet), do: logged(state, packet), else: announced(state, Wire.announcement(packet))

      id ->
        reply(state, id, packet)
    end
  end

  defp logged(state, packet) do
    Log.line(state.log, packet)
    state
  end

  # No row: the caller gave up or died, and the reply is late. The alias of a caller that gave up in this very moment
  # is inactive: what is sent to it vanishes.
  defp reply(%{calls: calls} = state, id, packet) do
    with recipient when recipient != nil <- recipient(calls, id), do: hand(state, recipient, packet)
    state
  end

  defp recipient(calls, id) do
    if Calls.lease?(id),
      do: Calls.hold(calls, id),
      else: with({_id, to, _caller, _port, _bytes} <- Calls.take(calls, id), do: to)
  end

  defp hand(_state, alias, packet) when is_reference(alias), do: send(alias, {alias, packet})

  defp hand(state, {:unheard, what}, packet) do
    if Wire.failed?(packet), do: Log.failed(state.log, what, packet)
  end

  defp announced(%{stage: {:starting, timer, waiting}} = state, {:ready, info}) do
    Process.cancel_timer(timer)
    pulse = Pulse.start(state.server.port, state.calls)
    state = %{state | stage: :ready, features: Map.get(info, :features, []), pulse: pulse}
    Enum.reduce(waiting, state, &asked(&2, &1))
  end

  defp announced(%{stage: {:starting, _timer, _waiting}} = state, {:error, error}), do: fail(state, error)

  # docs/protocol.md 6.1
  defp announced(state, {:error, error}) do
    Log.error(state.log, "the server refused a packet: #{Exception.message(error)}")
    state
  end

  defp announced(state, {:ready, _info}), do: state

  defp server_exited(%{stage: {:starting, _timer, _waiting}} = state, how) do
    fail(state, no_start(never_ready(state.config.binary, how)))
  end

  # When a pool has stopped, nothing of it is left.
  defp server_exited(%{stage: :draining, server: server}, _how) do
    Server.await_watch(server)
    exit(:shutdown)
  end

  defp server_exited(%{stage: :ready} = state, how) do
    how = ended(how)
    then = if state.config.on_crash_loop == :exit, do: "and so does the pool", else: "and is started again"
    Log.last_words(state.log, "the server ended (#{how})#{casts(state.calls)} #{then}")
    exit({:shutdown, {:server_exit, how}})
  end

  # Its watch is there again a beat after somebody has killed it.
  defp beat(%{server: server} = state) do
    case Pulse.beat(state.pulse) do
      {:ok, pulse} -> %{state | pulse: pulse, server: Server.watched(server)}
      :stuck -> stuck(state)
    end
  end

  defp stuck(%{server: server} = state) do
    server |> Server.watched() |> Server.kill()
    server_exited(state, {:killed, Pulse.limit()})
  end

  # All others hear of it.
  defp casts(calls) do
    case Calls.unheard(calls) do
      0 -> ""
      count -> " with #{count} casts in flight"
    end
  end

  defp overdue(%{stage: {:starting, _timer, _waiting}} = state) do
    limit = state.config.start_timeout + @margin

    binary = Paths.shown(state.config.binary)
    fail(state, no_start("#{binary} did not say that it is ready within #{limit} ms"))
  end

  # Its time is over. It kills what still runs, because its stdin is closed.
  defp overdue(%{stage: :draining}), do: exit(:shutdown)

  # The timer was cancelled too late.
  defp overdue(state), do: state

  defp drain(%{config: %{drain_timeout: limit}} = state) do
    # A server that has just ended says so in the mailbox.
    Server.write(
      state.server.port,
      Wire.request(Calls.next_id(state.calls, :cast), {:drain, %{drain_timeout: limit}})
    )

    if limit != :infinity, do: Process.send_after(self(), :overdue, limit + @ending)
    %{state | stage: :draining}
  end

  # Goes on as before, until the server has ended or its time is over.
  defp drained(state) do
    go_on(state)
  catch
    :exit, :shutdown -> :ok
  end

  defp go_on(state) do
    receive do
      {:"$gen_call", from, request} ->
        with {:reply, reply, _state} <- handle_call(request, from, state), do: GenServer.reply(from, reply)
        go_on(state)

      message ->
        message |> handle_info(state) |> elem(1) |> go_on()
    end
  end

  defp asked(%{stage: {:starting, timer, waiting}} = state, from) do
    %{state | stage: {:starting, timer, [from | waiting]}}
  end

  defp asked(%{stage: {:failed, error}} = state, from) do
    GenServer.reply(from, {:error, error})
    state
  end

  defp asked(state, from) do
    :atomics.put(state.config.started, 1, 1)
    GenServer.reply(from, :ok)
    state
  end

  # As long as `start_link` waits the error is its to return. Later it is a matter for the supervisor.
  defp fail(%{stage: {:starting, timer, waiting}} = state, error) do
    Process.cancel_timer(timer)
    Server.close(state.server)

    if :atomics.get(state.config.started, 1) == 0 do
      Enum.reduce(waiting, %{state | stage: {:failed, error}, server: nil}, &asked(&2, &1))
    else
      Log.last_words(state.log, "the server did not start again: #{Exception.message(error)}")
      exit({:shutdown, error})
    end
  end

  defp no_start(message), do: %{Error.new(:internal, message) | phase: :start}

  defp never_ready(binary, how),
    do:
      Program.not_run(binary, status(how)) ||
        "#{Paths.shown(binary)} ended before it was ready (#{ended(how)})"

  defp status({:status, status}), do: status
  defp status(_unknown), do: nil

  defp ended({:status, @crash_loop}), do: "since its workers keep failing"
  defp ended({:status, status}), do: "with status #{status}"
  # It was gone when it was written to. Then nobody learns with which status it ended.
  defp ended({:closed, reason}) when reason in [:normal, :epipe], do: "its exit status is unknown"
  defp ended({:closed, reason}), do: Program.posix(reason)
  defp ended({:killed, limit}), do: "it did not answer for #{limit} ms and is killed"

  defp name(state), do: name(state.config, state.pool)
  defp name(config, pool), do: inspect(config.name || pool)
end
