defmodule Bench.Docs do
  @moduledoc "Puts the tables into a document, between two marks."

  @marks ~r/(?<=<!-- bench -->\n).*(?=<!-- \/bench -->)/s

  @doc "Replaces what is between the marks; raises if there are none."
  @spec put(Path.t(), String.t()) :: :ok
  def put(path, text) do
    document = File.read!(path)
    if not (document =~ @marks), do: raise("#{path} has no <!-- bench --> and <!-- /bench -->")
    File.write!(path, Regex.replace(@marks, document, fn _old -> text end))
  end
end
