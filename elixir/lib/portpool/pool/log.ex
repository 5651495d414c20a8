defmodule Portpool.Log do
  @moduledoc false

  # Passes to `Logger` the lines that Python prints and logs, the server's own warnings (docs/protocol.md 14), casts that
  # fail, and how the server ended. It is a process of its own, because `Logger` makes a process that logs wait when its
  # handlers do not keep up, and no reply may wait for that.

  use GenServer

  require Logger

  alias Portpool.Wire

  # What may wait here: entries, and bytes of packets. The rest is dropped and counted.
  @most_entries 1_000
  @most_bytes 8 * 1024 * 1024

  # Slots of `load`.
  @entries 1
  @bytes 2
  @dropped 3

  @enforce_keys [:pid, :load]
  defstruct @enforce_keys

  @typedoc "The log of one owner. Only that process writes to it."
  @type t :: %__MODULE__{pid: pid, load: :atomics.atomics_ref()}

  @typedoc "What failed, if no caller waits for it."
  @type unheard :: {Wire.text(), Wire.text()} | :checkin

  @doc """
  Starts the log of the pool of this name, linked to the calling process. It ends with that, once it has logged what it
  got.
  """
  @spec start(String.t()) :: t
  def start(pool) do
    load = :atomics.new(3, signed: true)
    {:ok, pid} = GenServer.start(__MODULE__, {self(), pool, load})
    %__MODULE__{pid: pid, load: load}
  end

  @doc "Logs a line, as it came from the server."
  @spec line(t, binary) :: :ok
  def line(log, packet), do: offer(log, {:line, packet}, byte_size(packet))

  @doc "Logs the reply to a call or checkin that failed and that no caller waits for."
  @spec failed(t, unheard, binary) :: :ok
  def failed(log, what, packet), do: offer(log, {:failed, what, packet}, byte_size(packet))

  @doc "Logs a text as an error."
  @spec error(t, String.t()) :: :ok
  def error(log, text), do: offer(log, {:error, text}, byte_size(text))

  @doc "Logs the last text of its owner, however much waits."
  @spec last_words(t, String.t()) :: :ok
  def last_words(log, text), do: put(log, {:error, text}, byte_size(text))

  @doc "Replies `:ok` once all that this process has given to the log is in `Logger`."
  @spec flush(t, GenServer.from()) :: :ok
  def flush(%__MODULE__{pid: pid}, from) do
    send(pid, {:flush, from})
    :ok
  end

  # The bound is kept here, where entries are made: `Logger` may hold the other process up for as long as it likes.
  defp offer(%__MODULE__{load: load} = log, entry, bytes) do
    if :atomics.get(load, @entries) < @most_entries and :atomics.get(load, @bytes) < @most_bytes,
      do: put(log, entry, bytes),
      else: drop(log)
  end

  defp put(%__MODULE__{pid: pid, load: load}, entry, bytes) do
    :atomics.add(load, @entries, 1)
    :atomics.add(load, @bytes, bytes)
    send(pid, {:entry, entry, bytes})
    :ok
  end

  # The first of a row says so, in its place among the entries. By the time that is logged it stands for all of them.
  defp drop(%__MODULE__{pid: pid, load: load}) do
    if :atomics.add_get(load, @dropped, 1) == 1, do: send(pid, :dropped)
    :ok
  end

  # Its owner is not its parent, so the end of that is a message like any other, behind all that came before.
  @impl true
  def init({owner, _pool, _load} = state) do
    Process.flag(:trap_exit, true)
    Process.link(owner)
    {:ok, state}
  end

  @impl true
  def handle_info({:entry, entry, bytes}, {_owner, pool, load} = state) do
    log(pool, entry)
    :atomics.sub(load, @bytes, bytes)
    :atomics.sub(load, @entries, 1)
    {:noreply, state}
  end

  def handle_info(:dropped, {_owner, pool, load} = state) do
    dropped(pool, :atomics.exchange(load, @dropped, 0))
    {:noreply, state}
  end

  def handle_info({:flush, from}, state) do
    GenServer.reply(from, :ok)
    {:noreply, state}
  end

  def handle_info({:EXIT, owner, _reason}, {owner, _pool, _load} = state), do: {:stop, :normal, state}
  def handle_info(_other, state), do: {:noreply, state}

  defp log(pool, {:line, packet}) do
    %{level: level, text: text, worker: worker, call: call} = line = Wire.line(packet)

    Logger.log(level, fn -> "portpool #{pool}#{who(line.stream, worker)}#{in_call(call)}: #{text}" end,
      portpool_worker: worker,
      portpool_call: call,
      portpool_stream: line.stream,
      portpool_logger: line.logger
    )
  end

  defp log(pool, {:failed, what, packet}) do
    {:error, error} = Wire.result(packet)
    Logger.error("portpool #{pool}: the #{named(what)} failed: #{Exception.message(error)}")
  end

  defp log(pool, {:error, text}), do: Logger.error("portpool #{pool}: #{text}")

  defp dropped(pool, count) do
    Logger.warning("portpool #{pool}: #{count} log messages were dropped, because Logger did not keep up")
  end

  # The server itself speaks of a worker, or of none.
  defp who(:server, nil), do: ", server"
  defp who(:server, worker), do: ", server" <> who(nil, worker)
  defp who(_stream, 0), do: ", template"
  defp who(_stream, worker), do: ", worker #{worker}"

  defp in_call(nil), do: ""
  defp in_call(call), do: ", " <> call

  defp named(:checkin), do: "checkin of a worker"
  defp named({module, function}), do: "cast of #{inspect(module)}, #{inspect(function)}"
end
