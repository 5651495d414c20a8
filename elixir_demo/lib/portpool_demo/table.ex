defmodule PortpoolDemo.Table do
  @moduledoc "Formats rows of text as a plain-text table."

  @typedoc "The heading of a column and the side its cells are aligned to."
  @type column :: {String.t(), :left | :right}

  # Longer cells are truncated.
  @widest 60

  @doc "Renders a table with a heading, a rule and one line per row, indented by two spaces."
  @spec render([column], [[String.t()]]) :: String.t()
  def render(columns, rows) do
    rows = Enum.map(rows, fn row -> Enum.map(row, &cell/1) end)
    headings = Enum.map(columns, &elem(&1, 0))
    sides = Enum.map(columns, &elem(&1, 1))

    widths =
      Enum.zip_with([headings | rows], fn cells -> cells |> Enum.map(&String.length/1) |> Enum.max() end)

    rule = Enum.map(widths, &String.duplicate("─", &1))

    Enum.map_join([headings, rule | rows], "\n", &line(&1, sides, widths))
  end

  defp line(cells, sides, widths) do
    ("  " <> Enum.map_join(Enum.zip([cells, sides, widths]), "  ", &pad/1)) |> String.trim_trailing()
  end

  defp pad({cell, :left, width}), do: String.pad_trailing(cell, width)
  defp pad({cell, :right, width}), do: String.pad_leading(cell, width)

  # A line break in a name must not break the table.
  defp cell(text) do
    text = String.replace(text, ~r/\p{Cc}/u, "?")
    if String.length(text) > @widest, do: String.slice(text, 0, @widest - 1) <> "…", else: text
  end
end
