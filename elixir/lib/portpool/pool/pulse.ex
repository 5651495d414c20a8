defmodule Portpool.Pulse do
  @moduledoc false

  # Whether the server is well. At each beat something must have moved since the last one: bytes that came from it, or
  # bytes that it took. So that something does, it is pinged: once in a few seconds while it is idle.
  #
  # Beats are counted and not the time: when this VM itself was stopped for a while, or the machine, the server has
  # the same number of beats to show itself.

  alias Portpool.{Calls, Server, Wire}

  # Milliseconds between beats while requests are in flight, or there is doubt; and otherwise.
  @quick 500
  @slow 2_000

  # A server that is well answers a ping within a millisecond. One that may have to page its memory in has longer.
  @missed 8

  # `moved` is what has moved as of the last beat: bytes that came from the server, bytes that left this VM, and bytes
  # that could not leave, since the pipe was full.
  @enforce_keys [:port, :calls]
  defstruct [:port, :calls, moved: {0, 0, 0}, missed: 0]

  @type t :: %__MODULE__{
          port: port,
          calls: Calls.t(),
          moved: {came :: integer, left :: integer, queued :: integer},
          missed: non_neg_integer
        }

  @doc "Watches a server that is ready. The calling process gets `:beat` from now on, and calls `beat/1`."
  @spec start(port, Calls.t()) :: t
  def start(port, calls) do
    {:ok, pulse} = next(pinged(%__MODULE__{port: port, calls: calls}))
    pulse
  end

  @doc "How long a server is given, in milliseconds."
  @spec limit() :: pos_integer
  def limit, do: @quick * @missed

  @doc "Checks whether something has moved, and schedules the next beat."
  @spec beat(t) :: {:ok, t} | :stuck
  def beat(%__MODULE__{moved: before, missed: missed} = pulse) do
    cond do
      well?(before, moved(pulse.port)) -> next(pinged(pulse))
      missed + 1 == @missed -> :stuck
      true -> next(%{pulse | missed: missed + 1})
    end
  end

  # What has left may be in the pipe, and says nothing; but a full pipe takes more only if the server reads.
  defp well?(_before, :closed), do: true

  defp well?({came_before, left_before, queued}, {came, left, _queued}),
    do: came > came_before or (queued > 0 and left > left_before)

  defp moved(port) do
    with came when is_integer(came) <- came(port), {left, queued} <- left(port), do: {came, left, queued}
  end

  defp came(port) do
    case Port.info(port, :input) do
      {:input, came} -> came
      nil -> :closed
    end
  end

  # In this order: what leaves or is written between the two makes `left` too small, never too large. A baseline that
  # is too small costs one beat; one that is too large would hide what a server that is well takes.
  defp left(port) do
    with {:output, written} <- Port.info(port, :output),
         {:queue_size, queued} <- Port.info(port, :queue_size) do
      {written - queued, queued}
    else
      # Its owner is about to hear of it.
      nil -> :closed
    end
  end

  # The order matters. The reply may come at once, so what came is read before the ping is written: a reply that is
  # part of the baseline would prove nothing. The queue is read after it: whatever the ping has to wait for counts.
  defp pinged(%__MODULE__{port: port} = pulse) do
    came = came(port)
    ping(pulse)

    case {came, left(port)} do
      {came, {left, queued}} when is_integer(came) -> %{pulse | moved: {came, left, queued}, missed: 0}
      _closed -> %{pulse | missed: 0}
    end
  end

  # Nobody waits for the reply: that it comes is enough.
  defp ping(%{port: port, calls: calls}),
    do: Server.write(port, Wire.request(Calls.next_id(calls, :cast), :ping))

  defp next(pulse) do
    quick? = pulse.missed > 0 or Calls.busy?(pulse.calls)
    Process.send_after(self(), :beat, if(quick?, do: @quick, else: @slow))
    {:ok, pulse}
  end
end
