defmodule Bench.Docs do
  @moduledoc "Puts the tables into a document, between two markers."

  @marks ~r/(?<=<!-- bench -->\n).*(?=<!-- \/bench -->)/s

  @doc "Replaces the text between the markers; raises if they are missing."
  @spec put(Path.t(), String.t()) :: :ok
  def put(path, text) do
    document = File.read!(path)
    if not (document =~ @marks), do: raise("#{path} has no <!-- bench --> and <!-- /bench -->")
    File.write!(path, Regex.replace(@marks, document, fn _old -> text end))
  end
end
