defmodule Portpool.Route do
  @moduledoc false

  # The way to a running server, as a caller needs it: where to write, whom to watch, what to wait at most.

  alias Portpool.{Calls, Config}

  @typedoc """
  `limits` are those options of the pool that say how long something takes. The server keeps them; the caller's own
  timer is for a server that is stuck, and fires `margin` ms later.
  """
  @type t :: %__MODULE__{
          port: port,
          owner: pid,
          calls: Calls.t(),
          max_frame: pos_integer,
          limits: %{
            checkout_timeout: timeout,
            timeout: timeout,
            deadline: timeout,
            grace: non_neg_integer,
            start_timeout: non_neg_integer,
            call: timeout
          },
          margin: non_neg_integer
        }

  @enforce_keys [:port, :owner, :calls, :max_frame, :limits]
  defstruct [:port, :owner, :calls, :max_frame, :limits, margin: 5_000]

  # A call without options of its own is the most frequent: its limit is `call`, and is reckoned once.
  @limits [:checkout_timeout, :timeout, :deadline, :grace, :start_timeout]

  # What the server may take for an answer that needs no worker: milliseconds.
  @prompt 5_000

  # The longest time that `receive` can wait.
  @longest 0xFFFFFFFF

  # docs/protocol.md 8.5: the wait before a call is made again doubles, from this on.
  @first_retry 100

  @doc "Returns the way to a server whose port is owned by the calling process."
  @spec new(Config.t(), Calls.t(), port) :: t
  def new(config, calls, port) do
    limits = Map.take(config, @limits)

    %__MODULE__{
      port: port,
      owner: self(),
      calls: calls,
      max_frame: config.max_frame,
      limits: Map.put(limits, :call, longest(limits, 1))
    }
  end

  @doc "Returns how long to wait for a server that replies within `limit` if it is well."
  @spec patience(t, timeout) :: timeout
  def patience(_route, :infinity), do: :infinity
  def patience(%__MODULE__{margin: margin}, limit), do: min(limit + margin, @longest)

  @doc "Returns the longest time in which a server that is well replies to a request: milliseconds."
  @spec limit(t, :call | :checkout | :control | :reload, map) :: timeout
  def limit(route, request, options \\ %{})
  def limit(%__MODULE__{limits: limits}, :call, options) when options == %{}, do: limits.call

  def limit(%__MODULE__{limits: limits}, :call, options) do
    limits = Map.merge(limits, options)
    longest(limits, 1 + Map.get(options, :retry, 0))
  end

  def limit(%__MODULE__{limits: limits}, :checkout, options) do
    %{checkout_timeout: wait, deadline: deadline} = Map.merge(limits, options)
    min(wait, deadline)
  end

  def limit(%__MODULE__{limits: limits}, :reload, _options), do: plus(limits.start_timeout, @prompt)
  def limit(_route, :control, _options), do: @prompt

  # An atom is greater than any number, so `min` takes `:infinity` for what it is.
  defp longest(%{checkout_timeout: wait, timeout: run, deadline: deadline, grace: grace}, times) do
    once = wait |> plus(run) |> plus(grace)
    min(plus(times(once, times), pauses(times)), plus(deadline, grace))
  end

  defp pauses(times), do: @first_retry * (2 ** (times - 1) - 1)

  defp plus(:infinity, _ms), do: :infinity
  defp plus(_ms, :infinity), do: :infinity
  defp plus(one, other), do: one + other

  defp times(:infinity, _times), do: :infinity
  defp times(ms, times), do: ms * times
end
