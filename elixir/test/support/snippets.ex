defmodule Portpool.Test.Snippets do
  @moduledoc "The code blocks of a Markdown file, in order."

  @enforce_keys [:language, :marks, :path, :text, :file, :line]
  defstruct @enforce_keys

  @typedoc """
  A block. `marks` are the words after the language in its fence. `path` is the file that its first line names in a
  comment, such as `# lib/my_app.ex`, or `nil`. `line` is that of its first line in the Markdown file.
  """
  @type t :: %__MODULE__{
          language: String.t(),
          marks: [String.t()],
          path: Path.t() | nil,
          text: String.t(),
          file: Path.t(),
          line: pos_integer
        }

  @fence ~r/^```(.*)$/
  # A file: a directory or an ending, and nothing else on that line.
  @named ~r"\A(?:#|%%|--) ((?:[\w.-]+/)*[\w-]*(?:\.[\w-]+)*)\n"

  @doc "Returns the blocks of a file. Raises if one has no language or no end."
  @spec blocks(Path.t()) :: [t]
  def blocks(file) do
    file |> File.read!() |> String.split("\n") |> Enum.with_index(1) |> outside(file, [])
  end

  defp outside([], _file, blocks), do: Enum.reverse(blocks)

  defp outside([{text, line} | rest], file, blocks) do
    case Regex.run(@fence, text) do
      nil -> outside(rest, file, blocks)
      [_, ""] -> raise "#{file}:#{line}: a block without a language"
      [_, info] -> inside(rest, file, blocks, String.split(info), line)
    end
  end

  defp inside(lines, file, blocks, [language | marks], line) do
    case Enum.split_while(lines, fn {text, _line} -> text != "```" end) do
      {_lines, []} ->
        raise "#{file}:#{line}: a block without an end"

      {body, [_fence | rest]} ->
        text = Enum.map_join(body, fn {text, _line} -> text <> "\n" end)

        block = %__MODULE__{
          language: language,
          marks: marks,
          path: path(text),
          text: text,
          file: file,
          line: line + 1
        }

        outside(rest, file, [block | blocks])
    end
  end

  defp path(text) do
    case Regex.run(@named, text) do
      [_, path] -> if path =~ ~r"[/.]" or path == "Dockerfile", do: path
      nil -> nil
    end
  end

  @doc "Returns the text of a block without the line that names its file."
  @spec body(t) :: String.t()
  def body(%__MODULE__{path: nil, text: text}), do: text
  def body(%__MODULE__{text: text}), do: text |> String.split("\n", parts: 2) |> List.last()

  @doc "Tells where a block is, for messages."
  @spec where(t) :: String.t()
  def where(%__MODULE__{file: file, line: line}), do: "#{Path.basename(file)}:#{line}"
end
