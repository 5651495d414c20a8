defmodule Portpool.ReadmeTest do
  use Portpool.Test.Case

  @readme Path.expand("../README.md", __DIR__)
  @external_resource @readme
  @order Path.expand("support/readme.ex", __DIR__)

  # The blocks run in one session, as a reader would type them; a Python block is the file that its first line names.
  test "the examples of the README do what they say" do
    directory = Path.join(System.tmp_dir!(), "portpool-readme-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(directory) end)
    File.mkdir_p!(directory)

    my_app!(directory)

    File.cd!(directory, fn ->
      blocks =
        Regex.scan(~r/^```(elixir|erlang|python)\n(.*?)^```$/ms, File.read!(@readme), capture: :all_but_first)

      assert length(blocks) > 5
      session = Enum.reduce(blocks, [], fn [language, text], session -> run(language, text, session) end)
      Supervisor.stop(session[:supervisor])
      assert_clean_process()
    end)
  end

  # The application of the reader: where it is, is all that VMs ask of one.
  defp my_app!(directory) do
    application = Path.join(directory, "my_app")
    ebin = Path.join(application, "ebin")
    File.mkdir_p!(ebin)
    File.ln_s!(Path.join(directory, "priv"), Path.join(application, "priv"))
    Code.prepend_path(ebin)
    on_exit(fn -> Code.delete_path(ebin) end)
  end

  defp run("python", "# " <> text = file, session) do
    [path, _rest] = String.split(text, "\n", parts: 2)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, file)
    session
  end

  # For mix.exs.
  defp run("elixir", "def deps" <> _rest, session), do: session

  defp run("erlang", text, session) do
    {:ok, tokens, _line} = text |> String.to_charlist() |> :erl_scan.string()
    {:ok, expressions} = :erl_parse.parse_exprs(tokens)
    {:value, :ok, _bindings} = :erl_eval.exprs(expressions, [])
    session
  end

  # A module with an implementation of a protocol has to be there before protocols are consolidated.
  defp run("elixir", "defmodule" <> _rest = text, session) do
    assert File.read!(@order) =~ text
    session
  end

  defp run("elixir", text, session) do
    {_value, session} = Code.eval_string(text, session, file: @readme)
    session
  end
end
