defmodule Bench.Statistics do
  @moduledoc "The figures of slices, and the ratios of two systems that were measured in turn."

  alias Bench.{Cpu, Slice}

  # With fewer calls, the 99th percentile would only be the largest time.
  @enough_for_p99 100

  @type figures :: %{
          calls: non_neg_integer,
          p50_us: float,
          p99_us: float | nil,
          calls_per_second: float,
          cpu_us: float,
          cpu_of: %{beam: float, python: float, programs: float, ended: float}
        }

  @doc """
  The figures of all slices of a system: the medians of their medians and of their rates, the 99th percentile of all calls, the mean CPU
  time per call. `nil` without a slice.
  """
  @spec figures([Slice.t()]) :: figures | nil
  def figures([]), do: nil

  def figures(slices) do
    times = Enum.flat_map(slices, & &1.times)
    count = length(times)

    %{
      calls: count,
      p50_us: median_of(slices, :p50_us),
      p99_us: if(count >= @enough_for_p99, do: percentile(times, 99) / 1_000),
      calls_per_second: median_of(slices, :calls_per_second),
      cpu_us: (slices |> Enum.map(&Cpu.total(&1.cpu)) |> Enum.sum()) / count / 1_000,
      cpu_of: cpu_of(slices, count)
    }
  end

  defp cpu_of(slices, count) do
    for whose <- [:beam, :python, :programs, :ended], into: %{} do
      {whose, (slices |> Enum.map(& &1.cpu[whose]) |> Enum.sum()) / count / 1_000}
    end
  end

  defp median_of(slices, figure), do: slices |> Enum.map(&of_slice(&1, figure)) |> median()

  @doc "One figure of one slice, which the ratios are made of."
  @spec of_slice(Slice.t(), atom) :: float
  def of_slice(slice, :p50_us), do: median(slice.times) / 1_000
  def of_slice(slice, :calls_per_second), do: rate(slice)
  def of_slice(slice, :cpu_us), do: Cpu.total(slice.cpu) / length(slice.times) / 1_000

  @doc """
  The ratio of one system's figure to another's: the median over the rounds in which both had a slice, since conditions are most alike
  within a round. `nil` if there is no such round.
  """
  @spec ratio([Slice.t()], [Slice.t()], atom) :: float | nil
  def ratio(slices, others, figure) do
    others = Map.new(others, &{&1.round, &1})

    ratios =
      for slice <- slices,
          other = others[slice.round],
          divisor = of_slice(other, figure),
          divisor > 0,
          do: of_slice(slice, figure) / divisor

    if ratios != [], do: median(ratios)
  end

  @spec median([number]) :: number
  def median(values) do
    sorted = values |> Enum.sort() |> List.to_tuple()
    size = tuple_size(sorted)
    middle = div(size, 2)

    if rem(size, 2) == 1,
      do: elem(sorted, middle),
      else: (elem(sorted, middle - 1) + elem(sorted, middle)) / 2
  end

  # The smallest value that `percent` per cent of all values do not exceed.
  defp percentile(values, percent),
    do: values |> Enum.sort() |> Enum.at(ceil(length(values) * percent / 100) - 1)

  defp rate(slice), do: length(slice.times) * 1.0e9 / slice.elapsed
end
