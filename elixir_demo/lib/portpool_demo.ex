defmodule PortpoolDemo do
  @moduledoc "Plans delivery jobs in the pool of this application, all at once, and prints what happens."

  alias PortpoolDemo.{Job, Planned, Report}

  @pool PortpoolDemo.Python

  @doc """
  Plans the jobs in these files, or those in priv/jobs, checks each plan and prints the results. Returns whether all
  jobs were planned and all plans passed their check.
  """
  @spec run([Path.t()]) :: boolean
  def run(paths \\ []) do
    {jobs, unreadable} = paths |> files() |> Enum.map(&Job.read(@pool, &1)) |> split()
    Enum.each(unreadable, &failure/1)

    {planned, failed} = plan(jobs)
    report(Enum.sort_by(planned, & &1.name))
    unreadable == [] and failed == [] and Enum.all?(planned, &(&1.faults == []))
  end

  defp files([]), do: Job.bundled()
  defp files(paths), do: paths

  defp plan([]), do: {[], []}

  defp plan(jobs) do
    size = Application.fetch_env!(:portpool_demo, :pool)[:size]
    say("Planning #{count(length(jobs), "job")} at once on a pool of #{count(size, "worker")}:")
    watch = Task.async(fn -> watch(nil) end)
    outcomes = @pool |> Planned.stream(jobs) |> Enum.map(&announced/1)
    Task.shutdown(watch, :brutal_kill)
    split(outcomes)
  end

  # Prints the busy workers whenever they change.
  defp watch(last) do
    now =
      case Portpool.status(@pool) do
        {:ok, %{workers: workers, waiting: waiting}} ->
          {for(%{state: :busy, pid: pid} <- workers, do: pid), waiting}

        {:error, %Portpool.Error{}} ->
          last
      end

    if now != last, do: tell(now)
    Process.sleep(100)
    watch(now)
  end

  defp tell({[], _waiting}), do: :ok
  defp tell({busy, 0}), do: say("  at work: #{Enum.join(busy, ", ")}")
  defp tell({busy, waiting}), do: say("  at work: #{Enum.join(busy, ", ")}; #{count(waiting, "job")} waiting")

  defp announced({:ok, %Planned{name: name, worker: worker, plan: plan}} = outcome) do
    say("  worker #{worker} has planned #{name}: #{count(plan["vehicles"], "courier")}")
    outcome
  end

  defp announced({:error, failed} = outcome) do
    failure(failed)
    outcome
  end

  defp failure({name, %Portpool.Error{message: message}}), do: complain("  #{name}: #{message}")
  defp failure({name, posix}), do: complain("  #{name}: #{:file.format_error(posix)}")

  defp report([]), do: :ok

  defp report([first | _rest] = planned) do
    say("\nWho did what\n\n#{Report.workers(planned)}")
    say("\nPlans\n\n#{Report.summary(planned)}")
    say("\nCouriers of #{first.name}\n\n#{Report.routes(first)}\n")
    planned |> Enum.flat_map(&Report.remarks/1) |> Enum.each(&say/1)
  end

  defp split(outcomes),
    do: {for({:ok, value} <- outcomes, do: value), for({:error, why} <- outcomes, do: why)}

  defp count(1, noun), do: "1 #{noun}"
  defp count(number, noun), do: "#{number} #{noun}s"

  defp say(text), do: text |> plain() |> IO.puts()
  defp complain(text), do: IO.puts(:stderr, plain(text))

  # Names and ids come from files, which must not send control sequences to the terminal.
  defp plain(text), do: String.replace(text, ~r/(?!\n)[\p{Cc}\p{Cf}]/u, "?")
end
