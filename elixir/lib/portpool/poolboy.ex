defmodule Portpool.Poolboy do
  @moduledoc """
  Functions in the form that Poolboy has, for code that comes from there.
  """

  alias Portpool.Error

  @typedoc "Whether a worker is available, and how many workers are idle, beyond `size`, and busy."
  @type status ::
          {:ready | :overflow | :full, idle :: non_neg_integer, overflow :: non_neg_integer,
           busy :: non_neg_integer}

  @doc """
  Returns the state of a pool in the form of `:poolboy.status/1`.

  | state | meaning |
  |---|---|
  | `:ready` | a worker is idle or starting |
  | `:overflow` | only a worker beyond `size` is available |
  | `:full` | all workers are busy |

      {:ready, 2, 0, 0} = Portpool.Poolboy.status(MyApp.Python)
  """
  @spec status(Portpool.pool()) :: status | {:error, Error.t()}
  def status(pool) do
    with {:ok, %{idle: idle, overflow: overflow, busy: busy} = status} <- Portpool.status(pool),
         do: {availability(status), idle, overflow, busy}
  end

  defp availability(%{idle: idle, busy: busy, size: size}) when idle > 0 or busy < size, do: :ready
  defp availability(%{busy: busy, size: size, max_overflow: more}) when busy < size + more, do: :overflow
  defp availability(_status), do: :full
end
