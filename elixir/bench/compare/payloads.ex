defmodule Bench.Payloads do
  @moduledoc "What is sent: the same shapes as in benches/codec/payloads.rs."

  @doc "Maps of five keys, about 100 bytes each."
  @spec maps(pos_integer) :: [map]
  def maps(count) do
    for number <- 0..(count - 1) do
      %{
        "id" => number + 1000,
        "lat" => 52.5 + number * 1.0e-5,
        "lon" => 13.4 - number * 1.0e-5,
        "name" => "stop #{padded(number, 6)}",
        "ok" => true
      }
    end
  end

  @spec floats(pos_integer) :: [float]
  def floats(count), do: for(number <- 0..(count - 1), do: number * 1.1 + 0.25)

  @doc "What the demo sends: deliveries with a place, a time window and a size."
  @spec job(pos_integer) :: map
  def job(stops), do: %{"depot" => 1.5, "vehicles" => 12, "stops" => Enum.map(0..(stops - 1), &stop/1)}

  defp stop(number) do
    %{
      "address" => "#{number} Long Street, Some Town",
      "demand" => [number, number + 1],
      "id" => "d-#{padded(number, 5)}",
      "location" => {52.5 + number * 1.0e-4, 13.4},
      "service_seconds" => 120,
      "window" => {28_800, 36_000}
    }
  end

  @spec binary(non_neg_integer) :: binary
  def binary(bytes) do
    pattern = "0123456789abcdef"
    pattern |> :binary.copy(div(bytes, byte_size(pattern)) + 1) |> binary_part(0, bytes)
  end

  defp padded(number, digits), do: number |> Integer.to_string() |> String.pad_leading(digits, "0")
end
