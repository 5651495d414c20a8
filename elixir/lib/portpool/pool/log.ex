defmodule Portpool.Log do
  @moduledoc false

  # Hands what Python prints and logs to `Logger`, line by line (docs/protocol.md 14). A process of its own, since
  # `Logger` makes whoever logs wait when its backends do not keep up, and replies are not to wait for that.

  require Logger

  alias Portpool.Wire

  # Lines that wait; more are dropped and counted.
  @waiting 1_000

  @doc "Starts the log of the pool of this name. It ends with the calling process, once it has logged what it got."
  @spec start_link(String.t()) :: pid
  def start_link(pool) do
    spawn_link(fn ->
      Process.flag(:trap_exit, true)
      loop(pool, 0)
    end)
  end

  @doc "Logs a line, as it came from the server."
  @spec line(pid, binary) :: :ok
  def line(log, packet) do
    send(log, {:line, packet})
    :ok
  end

  defp loop(pool, dropped) do
    receive do
      {:line, packet} ->
        {:message_queue_len, waiting} = Process.info(self(), :message_queue_len)
        loop(pool, if(waiting < @waiting, do: log(pool, packet, dropped), else: dropped + 1))

      # Its last line has come before.
      {:EXIT, _owner, _reason} ->
        :ok

      _other ->
        loop(pool, dropped)
    end
  end

  defp log(pool, packet, dropped) do
    if dropped > 0,
      do: Logger.warning("portpool #{pool}: #{dropped} lines were left out, as Logger did not keep up")

    %{level: level, text: text, worker: worker, call: call} = line = Wire.line(packet)

    Logger.log(level, fn -> "portpool #{pool}, #{who(worker)}#{in_call(call)}: #{text}" end,
      portpool_worker: worker,
      portpool_call: call,
      portpool_stream: line.stream,
      portpool_logger: line.logger
    )

    0
  end

  defp who(0), do: "template"
  defp who(worker), do: "worker #{worker}"

  defp in_call(nil), do: ""
  defp in_call(call), do: ", " <> call
end
