defmodule Bench.Format do
  @moduledoc "Figures as text."

  alias Bench.Goal

  @doc "The name of a figure."
  @spec name(atom) :: String.t()
  def name(:p50_us), do: "p50"
  def name(:p99_us), do: "p99"
  def name(:calls_per_second), do: "calls/s"
  def name(:cpu_us), do: "CPU time per call"
  def name(:memory_mb), do: "memory"

  # Shorter times, in microseconds, show as 0.
  @nothing_us 0.05

  @doc "A figure with its unit, or a dash for a missing one."
  @spec figure(atom, number | nil) :: String.t()
  def figure(_figure, nil), do: "-"
  def figure(:memory_mb, mb), do: "#{short(mb)} MB"
  def figure(:calls_per_second, rate), do: short(rate)
  def figure(_time, us) when us < @nothing_us, do: "0"
  def figure(_time, us) when us >= 1.0e6, do: "#{short(us / 1.0e6)} s"
  def figure(_time, us) when us >= 1_000, do: "#{short(us / 1_000)} ms"
  def figure(_time, us), do: "#{short(us)} µs"

  @doc "A ratio, or a dash for a missing one."
  @spec ratio(number | nil) :: String.t()
  def ratio(nil), do: "-"
  def ratio(ratio), do: "#{short(ratio)} x"

  @doc "A goal as text; `other` names what it compares with."
  @spec goal(Goal.t(), String.t() | nil) :: String.t()
  def goal(%Goal{against: nil} = goal, _other), do: "#{sign(goal.is)} #{figure(goal.figure, goal.bound)}"
  def goal(%Goal{} = goal, other), do: "#{sign(goal.is)} #{short(goal.bound)} x #{other}"

  defp sign(:at_most), do: "≤"
  defp sign(:at_least), do: "≥"

  # Three significant digits, with a thousands separator.
  defp short(number) when number >= 1_000, do: number |> round() |> Integer.to_string() |> grouped()
  defp short(number) when number >= 100, do: number |> round() |> Integer.to_string()
  defp short(number) when number >= 10, do: decimal(number, 1)
  defp short(number) when number >= 1, do: decimal(number, 2)
  defp short(number) when number >= 0.1, do: decimal(number, 3)
  defp short(number), do: decimal(number, 4)

  # Without trailing zeros.
  defp decimal(number, digits) do
    text = :erlang.float_to_binary(number * 1.0, decimals: digits)
    text |> String.trim_trailing("0") |> String.trim_trailing(".")
  end

  defp grouped(digits), do: String.replace(digits, ~r/(?<=\d)(?=(\d{3})+$)/, ",")
end
