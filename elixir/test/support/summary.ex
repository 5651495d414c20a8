defmodule Portpool.Test.Summary do
  @moduledoc "What a run has seen, for whoever reads its end: `make test` prints it there."

  @doc "Prints a part, and leaves it in the folder that `PORTPOOL_SUMMARY` names, if it does."
  @spec add(String.t(), String.t()) :: :ok
  def add(part, text) do
    IO.puts("\n" <> text)

    with folder when folder != nil <- System.get_env("PORTPOOL_SUMMARY") do
      File.mkdir_p!(folder)
      File.write!(Path.join(folder, part), text <> "\n")
    end

    :ok
  end
end
