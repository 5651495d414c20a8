defmodule Mix.Tasks.Demo do
  @shortdoc "Plans delivery jobs on a pool of Python workers"

  @moduledoc """
  Plans delivery jobs in a pool of Python workers, all at once, checks each plan and prints the results.

      $ mix demo                   # the jobs in priv/jobs
      $ mix demo MY_JOB.json ...   # your own

  The exit status is 1 if a job cannot be planned or a plan fails its check.
  """

  use Mix.Task

  @impl true
  def run(paths) do
    Mix.Task.run("app.start")
    unless PortpoolDemo.run(paths), do: exit({:shutdown, 1})
  end
end
