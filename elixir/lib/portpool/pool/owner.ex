defmodule Portpool.Owner do
  @moduledoc false

  # Owns the port: starts the server, waits for its `ready`, and then hands each reply, undecoded, to the caller that
  # waits for it. It ends with the server, and the server with it: the port closes, which the server takes as its end.
  # When the supervisor stops it in good order it has the server drain first.
  #
  # A special process (`:proc_lib`, `:sys`) and no GenServer, as every reply passes through here.

  require Logger

  alias Portpool.{Calls, Config, Directory, Error, Log, Options, Pulse, Route, Server, Wire}

  # What the server may take beyond `start_timeout` to say that it is ready.
  @margin 5_000

  # A reply of this size does not stay behind as garbage of a process that may have nothing to do for a long time.
  @large 65_536

  # What the server may take beyond `drain_timeout` to end: two seconds for its workers (docs/protocol.md 4.9), and more
  # for itself. `Portpool.Options.shutdown/1` is larger.
  @ending 4_000

  # docs/protocol.md 12
  @crash_loop 75

  # `server` is `nil` if it could not be started. `stage` is `{:starting, timer, waiting}`, `:ready`, `{:failed, error}`, or `{:draining, reason}`: the reason to end
  # with. `features` are the requests that the server understands.
  @enforce_keys [:parent, :config, :calls, :stage]
  defstruct [:parent, :config, :calls, :stage, :server, :pulse, :log, features: []]

  # A drain has a limit of its own, of which the supervisor need not know.
  @spec child_spec({pid, Config.t()}) :: Supervisor.child_spec()
  def child_spec(args), do: %{id: __MODULE__, start: {__MODULE__, :start_link, [args]}, shutdown: :infinity}

  @spec start_link({pid, Config.t()}) :: {:ok, pid}
  def start_link({pool, config}) do
    :proc_lib.start_link(__MODULE__, :init, [self(), pool, config])
  end

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

  @doc "Says how long running calls will have to end when the pool is stopped."
  @spec drain_within(pid, timeout) :: :ok
  def drain_within(owner, limit), do: GenServer.call(owner, {:drain_within, limit}, :infinity)

  @doc false
  @spec init(pid, pid, Config.t()) :: no_return
  def init(parent, pool, config) do
    Process.flag(:trap_exit, true)
    timer = Process.send_after(self(), :overdue, config.start_timeout + @margin)
    calls = Directory.calls(pool)

    state = %__MODULE__{parent: parent, config: config, calls: calls, stage: {:starting, timer, []}}

    case Server.start(config.binary, config.cgroup) do
      {:ok, %{port: port} = server} ->
        Port.command(port, Wire.hello(Options.hello(config)))
        # Calls may be written from now on (docs/protocol.md 2.5).
        Directory.put_route(pool, Route.new(config, calls, port))
        :proc_lib.init_ack({:ok, self()})
        loop(%{state | server: server})

      {:error, message} ->
        :proc_lib.init_ack({:ok, self()})
        state |> fail(no_start(message)) |> loop()
    end
  end

  defp loop(%__MODULE__{server: nil} = state), do: loop(state, nil, nil)
  defp loop(%__MODULE__{server: %{port: port, watch: watch}} = state), do: loop(state, port, watch)

  defp loop(%__MODULE__{parent: parent} = state, port, watch) do
    receive do
      {^port, {:data, packet}} -> state |> received(packet) |> loop()
      {^port, {:exit_status, status}} -> state |> server_exited(exited(status)) |> loop()
      # Sometimes the exit status is lost (erlang/otp#11278).
      {:EXIT, ^port, reason} -> state |> server_exited("its port closed: #{inspect(reason)}") |> loop()
      {:EXIT, ^watch, _reason} -> loop(%{state | server: Server.unwatched(state.server)})
      {:EXIT, log, _reason} when log == state.log -> loop(%{state | log: nil})
      {:EXIT, ^parent, reason} -> state |> leave(reason) |> loop()
      :beat -> state |> beat() |> loop()
      {:"$gen_call", from, :await} -> state |> asked(from) |> loop()
      {:"$gen_call", from, :settle} -> state |> answered(from) |> loop()
      {:"$gen_call", from, {:drain_within, limit}} -> state |> within(limit) |> answered(from) |> loop()
      {:system, from, request} -> :sys.handle_system_msg(request, from, parent, __MODULE__, [], state)
      :overdue -> state |> overdue() |> loop()
      # Nobody else has anything to say here, and what is not received would slow down every receive to come.
      _other -> loop(state)
    end
  end

  defp received(state, packet) do
    case Wire.reply_id(packet) do
      nil ->
        if Wire.line?(packet), do: logged(state, packet), else: announced(state, Wire.announcement(packet))

      id ->
        reply(state, id, packet)
    end
  end

  # Beside this process: `Logger` may make whoever logs wait.
  defp logged(%{log: nil} = state, packet), do: logged(%{state | log: Log.start_link(name(state))}, packet)

  defp logged(%{log: log} = state, packet) do
    Log.line(log, packet)
    state
  end

  # No row: the caller gave up or died, and the reply is late. The alias of a caller that gave up in this very moment
  # is inactive: what is sent to it vanishes.
  defp reply(%{calls: calls} = state, id, packet) do
    with recipient when recipient != nil <- recipient(calls, id), do: hand(state, recipient, packet)
    if byte_size(packet) >= @large, do: :erlang.garbage_collect()
    state
  end

  defp recipient(calls, id) do
    if Calls.lease?(id),
      do: Calls.hold(calls, id),
      else: with({_id, to, _caller, _port, _bytes} <- Calls.take(calls, id), do: to)
  end

  defp hand(_state, alias, packet) when is_reference(alias), do: send(alias, {alias, packet})

  defp hand(state, {:unheard, what}, packet) do
    if Wire.failed?(packet) do
      {:error, error} = Wire.result(packet)
      Logger.error("portpool #{name(state)}: the #{named(what)} failed: #{Exception.message(error)}")
    end
  end

  defp named(:checkin), do: "checkin of a worker"
  defp named({module, function}), do: "cast of #{inspect(module)}, #{inspect(function)}"

  defp announced(%{stage: {:starting, timer, waiting}} = state, {:ready, info}) do
    Process.cancel_timer(timer)
    pulse = Pulse.start(state.server.port, state.calls)
    state = %{state | stage: :ready, features: Map.get(info, :features, []), pulse: pulse}
    Enum.reduce(waiting, state, &asked(&2, &1))
  end

  defp announced(%{stage: {:starting, _timer, _waiting}} = state, {:error, error}), do: fail(state, error)

  # docs/protocol.md 6.1
  defp announced(state, {:error, error}) do
    Logger.error("portpool #{name(state)}: the server refused a packet: #{Exception.message(error)}")
    state
  end

  defp announced(state, {:ready, _info}), do: state

  defp server_exited(%{stage: {:starting, _timer, _waiting}} = state, how) do
    fail(state, no_start("#{state.config.binary} ended before it was ready (#{how})"))
  end

  # Whoever has stopped the pool may count on it that nothing is left.
  defp server_exited(%{stage: {:draining, reason}, server: server}, _how) do
    Server.await_watch(server)
    exit(reason)
  end

  defp server_exited(%{stage: :ready} = state, how) do
    then = if state.config.on_crash_loop == :exit, do: "and so does the pool", else: "and is started again"
    Logger.error("portpool #{name(state)}: the server ended (#{how})#{casts(state.calls)} #{then}")
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
    server_exited(state, "it did not answer for #{Pulse.limit()} ms and is killed")
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

    fail(
      state,
      Error.new(:internal, "#{state.config.binary} did not say that it is ready within #{limit} ms")
    )
  end

  # What it has not ended by now it is told to kill: its stdin is closed.
  defp overdue(%{stage: {:draining, reason}}), do: exit(reason)

  # The timer was cancelled too late.
  defp overdue(state), do: state

  # A supervisor that has a server or guard started again stops the other one in the same way: then nobody is left that
  # could hear what running calls return.
  defp leave(%{stage: :ready} = state, :shutdown = reason) do
    if :drain in state.features and Calls.alive?(state.calls), do: drain(state, reason), else: exit(reason)
  end

  defp leave(_state, reason), do: exit(reason)

  defp drain(%{config: config} = state, reason) do
    limit = config.drain_timeout

    Port.command(
      state.server.port,
      Wire.request(Calls.next_id(state.calls, :cast), {:drain, %{drain_timeout: limit}})
    )

    if limit != :infinity, do: Process.send_after(self(), :overdue, limit + @ending)
    %{state | stage: {:draining, reason}}
  rescue
    # The server has just ended.
    ArgumentError -> exit(reason)
  end

  defp within(state, limit), do: %{state | config: %{state.config | drain_timeout: limit}}

  defp answered(state, from) do
    GenServer.reply(from, :ok)
    state
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
    answered(state, from)
  end

  # As long as `start_link` waits the error is its to return. Later it is a matter for the supervisor.
  defp fail(%{stage: {:starting, timer, waiting}} = state, error) do
    Process.cancel_timer(timer)
    Server.close(state.server)

    if :atomics.get(state.config.started, 1) == 0 do
      Enum.reduce(waiting, %{state | stage: {:failed, error}, server: nil}, &asked(&2, &1))
    else
      Logger.error("portpool #{name(state)}: the server did not start again: #{Exception.message(error)}")
      exit({:shutdown, error})
    end
  end

  defp no_start(message), do: %{Error.new(:internal, message) | phase: :start}

  defp exited(@crash_loop), do: "since its workers keep failing"
  defp exited(status), do: "with status #{status}"

  defp name(state), do: inspect(state.config.name || state.parent)

  @doc false
  @spec system_continue(pid, list, struct) :: no_return
  def system_continue(_parent, _debug, state), do: loop(state)

  @doc false
  @spec system_terminate(term, pid, list, struct) :: no_return
  def system_terminate(reason, _parent, _debug, _state), do: exit(reason)

  @doc false
  @spec system_get_state(struct) :: {:ok, struct}
  def system_get_state(state), do: {:ok, state}

  @doc false
  @spec system_replace_state((struct -> struct), struct) :: {:ok, struct, struct}
  def system_replace_state(fun, state) do
    replaced = fun.(state)
    {:ok, replaced, replaced}
  end

  @doc false
  @spec system_code_change(struct, module, term, term) :: {:ok, struct}
  def system_code_change(state, _module, _old, _extra), do: {:ok, state}
end
