defmodule PortpoolDemo.Planned do
  @moduledoc "A job and the plan that a worker made for it."

  alias PortpoolDemo.{Check, Job}

  @enforce_keys [:name, :job, :plan, :worker, :begun, :ended, :faults]
  defstruct @enforce_keys

  @typedoc """
  `worker` is the pid of the Python process, `begun` and `ended` are milliseconds since 1970 and `faults` is what
  `PortpoolDemo.Check` found wrong.
  """
  @type t :: %__MODULE__{
          name: String.t(),
          job: Job.t(),
          plan: map,
          worker: pos_integer,
          begun: integer,
          ended: integer,
          faults: [String.t()]
        }

  # The time allowed beyond the search time of the job, to load PyVRP and make a first plan.
  @margin 60_000

  @doc "Lets a worker plan one job, and checks the plan."
  @spec plan(Portpool.pool(), {String.t(), term}) :: {:ok, t} | {:error, {String.t(), Portpool.Error.t()}}
  def plan(pool, {name, job}) do
    case Portpool.call(pool, :on_worker, :optimize, [job], timeout: timeout(job)) do
      {:ok, %{"plan" => plan, "worker" => worker, "begun" => begun, "ended" => ended}} ->
        faults = Check.faults(job, plan)

        {:ok,
         %__MODULE__{
           name: name,
           job: job,
           plan: plan,
           worker: worker,
           begun: begun,
           ended: ended,
           faults: faults
         }}

      {:error, error} ->
        {:error, {name, error}}
    end
  end

  @doc """
  Lets the pool plan all jobs at once, and returns the outcomes in the order of completion. It is lazy: the jobs start
  when the stream runs.
  """
  @spec stream(Portpool.pool(), [{String.t(), term}]) ::
          Enumerable.t({:ok, t} | {:error, {String.t(), Portpool.Error.t()}})
  def stream(pool, jobs) do
    # The pool queues what its workers cannot take yet, and each call has its own time limit.
    options = [max_concurrency: max(length(jobs), 1), ordered: false, timeout: :infinity]
    jobs |> Task.async_stream(&plan(pool, &1), options) |> Stream.map(fn {:ok, outcome} -> outcome end)
  end

  defp timeout(%{"seconds" => seconds}) when is_number(seconds) and seconds > 0 and seconds <= 3600,
    do: ceil(seconds * 1000) + @margin

  defp timeout(_job), do: @margin
end
