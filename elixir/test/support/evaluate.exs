# Runs in the application of a reader (`Portpool.Test.Session`), after `mix run` has started it: evaluates what each line of
# stdin holds, in this process, and answers with a line. The end of stdin stops the application.

defmodule Evaluate do
  @answer "evaluated "

  def loop(bindings) do
    case IO.read(:stdio, :line) do
      line when is_binary(line) ->
        {answer, bindings} =
          case line |> String.trim() |> Base.decode64!() |> :erlang.binary_to_term() do
            {:evaluate, block} -> answer(block, bindings)
            :forget -> {{:ok, ""}, []}
          end

        IO.puts([@answer, Base.encode64(:erlang.term_to_binary(answer))])
        loop(bindings)

      :eof ->
        System.stop()
        Process.sleep(:infinity)
    end
  end

  defp answer(block, bindings) do
    {:ok, printed} = StringIO.open("")
    own = Process.group_leader()
    Process.group_leader(self(), printed)

    try do
      {value, bindings} = value(block, bindings)
      {{:ok, StringIO.flush(printed) <> shown(value)}, bindings}
    catch
      kind, reason ->
        {{:error, StringIO.flush(printed) <> Exception.format(kind, reason, __STACKTRACE__)}, bindings}
    after
      Process.group_leader(self(), own)
    end
  end

  defp value(%{language: "elixir"} = block, bindings),
    do: Code.eval_string(block.text, bindings, file: block.file, line: block.line)

  defp value(%{language: "erlang"} = block, bindings) do
    {:ok, tokens, _line} = block.text |> String.to_charlist() |> :erl_scan.string(block.line)
    {:ok, expressions} = :erl_parse.parse_exprs(tokens)
    {:value, value, bindings} = :erl_eval.exprs(expressions, bindings)
    {value, bindings}
  end

  # As those see it who ask for the message of an error.
  defp shown({:error, %{__exception__: true} = error}), do: Exception.message(error)
  defp shown(text) when is_binary(text), do: text
  defp shown(value), do: inspect(value, limit: :infinity)
end

Evaluate.loop([])
