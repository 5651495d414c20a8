defmodule Portpool.Test.Protocol do
  @moduledoc "Reads the tables of docs/protocol.md, which is normative."

  @path Path.expand("../../../docs/protocol.md", __DIR__)

  @doc "The whole text."
  def text, do: File.read!(@path)

  @doc "The whole text, whatever its lines: one space between two words."
  def prose, do: String.replace(text(), ~r/\s+/, " ")

  @doc "The rows of the first table after the paragraph or heading with this number."
  def table(number) do
    [_before, after_it] = String.split(text(), ~r/^(## )?#{Regex.escape(number)} /m, parts: 2)

    after_it
    |> String.split("\n")
    |> Enum.drop_while(&(not String.starts_with?(&1, "|---")))
    |> Enum.drop(1)
    |> Enum.take_while(&String.starts_with?(&1, "|"))
    |> Enum.map(fn row -> row |> String.trim("|") |> String.split("|") |> Enum.map(&String.trim/1) end)
  end

  @doc "The words in backquotes, as atoms."
  def quoted(cell), do: for([_, word] <- Regex.scan(~r/`(\w+)`/, cell), do: String.to_atom(word))
end
