defmodule Portpool.ReadmeTest do
  use Portpool.Test.Case

  alias Portpool.Test.Snippets

  @readme Path.expand("../README.md", __DIR__)
  @of_all Path.expand("../../README.md", __DIR__)
  @order Path.expand("support/readme.ex", __DIR__)

  # The blocks run in one session, as a reader would type them; a Python block is the file that its first line names.
  test "the examples of the README do what they say" do
    in_my_app(fn ->
      blocks = for block <- Snippets.blocks(@readme), block.language in ~w(elixir erlang python), do: block
      assert length(blocks) > 5
      Enum.reduce(blocks, [], &run/2)
    end)
  end

  test "the Elixir of the README in the top directory does what it says" do
    in_my_app(fn ->
      File.mkdir_p!("priv/python")
      assert [block] = for(%{language: "elixir"} = block <- Snippets.blocks(@of_all), do: block)
      text = String.replace(block.text, ~r/^Supervisor.start_link/m, "{:ok, supervisor} = \\0")

      assert ExUnit.CaptureIO.capture_io(fn -> send(self(), run(%{block | text: text}, [])) end) =~
               "JSONDecodeError"

      receive do
        session -> session
      end
    end)
  end

  defp in_my_app(fun) do
    directory = Path.join(System.tmp_dir!(), "portpool-readme-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm_rf!(directory) end)
    File.mkdir_p!(directory)
    my_app!(directory)

    File.cd!(directory, fn ->
      session = fun.()
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

  defp run(%{language: "python", path: path, text: text}, session) do
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
    session
  end

  # For mix.exs.
  defp run(%{language: "elixir", text: "def deps" <> _rest}, session), do: session

  defp run(%{language: "erlang", text: text}, session) do
    {:ok, tokens, _line} = text |> String.to_charlist() |> :erl_scan.string()
    {:ok, expressions} = :erl_parse.parse_exprs(tokens)
    {:value, :ok, _bindings} = :erl_eval.exprs(expressions, [])
    session
  end

  # A module with an implementation of a protocol has to be there before protocols are consolidated.
  defp run(%{language: "elixir", text: "defmodule" <> _rest = text}, session) do
    assert File.read!(@order) =~ text
    session
  end

  defp run(%{language: "elixir"} = block, session) do
    {_value, session} = Code.eval_string(block.text, session, file: block.file, line: block.line)
    session
  end
end
