defmodule Portpool.Test.Reader do
  @moduledoc """
  Follows a guide as its reader would, block by block, in a directory of its own.

  | block | what the reader does |
  |---|---|
  | its first line names a file, `# lib/my_app.ex` | writes that file; a block that begins with `def` replaces that function in it |
  | `elixir`, `erlang` | evaluates it in the running application, as in `iex -S mix` |
  | `sh` | runs it in a shell, which has to succeed; directory and variables stay for the next one |
  | `console` | runs what follows `$ `, and compares what it prints; `...` stands for anything |
  | `text` | compares it with what the block before has said; `...` stands for anything |
  | `sh unrun` | checks that a shell can read it |

  Any other block is an error. What this alone does not try, the blocks that are `unrun` and files that are not code, is
  returned by `follow/2`.
  """

  alias Portpool.Test.{Session, Snippets}

  @enforce_keys [:directory, :env, :change, :session]
  defstruct @enforce_keys ++ [said: ""]

  @type t :: %__MODULE__{
          directory: Path.t(),
          env: [{String.t(), String.t() | nil}],
          change: (String.t() -> String.t()),
          session: pid,
          said: String.t()
        }

  @doc """
  Returns a reader in a directory, whose application runs in this session. `change` is made to all code, files and
  commands: what stands in a guide for something that the test has elsewhere.
  """
  @spec new(Path.t(), Session.env(), pid, (String.t() -> String.t())) :: t
  def new(directory, env, session, change),
    do: %__MODULE__{directory: directory, env: env, session: session, change: change}

  @doc "Follows all blocks. Returns the reader, and the blocks that something else has to try."
  @spec follow(t, [Snippets.t()]) :: {t, [Snippets.t()]}
  def follow(reader, blocks) do
    Session.forget(reader.session)
    {Enum.reduce(blocks, reader, &step(&2, &1)), Enum.filter(blocks, &left?/1)}
  end

  # Code is run by what comes after it.
  @code [".ex", ".exs", ".py", ".erl", ".hrl", ".app.src", ".config", ".txt", ".toml"]

  defp left?(%Snippets{path: nil, marks: marks}), do: "unrun" in marks
  defp left?(%Snippets{path: path}), do: not String.ends_with?(path, @code)

  defp step(reader, %Snippets{path: path} = block) when path != nil do
    write(reader, block)
    if Path.extname(path) in [".ex", ".exs", ".erl"], do: close(reader), else: reader
  end

  defp step(reader, %Snippets{language: language} = block) when language in ["elixir", "erlang"] do
    if block.text =~ ~r/^ *def(module|p?) /,
      do: wrong(block, "code of a file, and its first line does not name one")

    block = %{block | text: reader.change.(block.text)}

    case Session.run(
           reader.session,
           reader.directory,
           reader.env,
           Map.take(block, [:language, :text, :file, :line])
         ) do
      {:ok, said} -> %{reader | said: said}
      {:error, what} -> wrong(block, what)
    end
  end

  defp step(reader, %Snippets{language: "sh", marks: ["unrun"]} = block) do
    {said, status} = System.cmd("sh", ["-n", "-c", block.text], stderr_to_stdout: true)
    if status != 0, do: wrong(block, said)
    reader
  end

  defp step(reader, %Snippets{language: "sh", marks: []} = block),
    do: reader |> close() |> shell(block, block.text)

  defp step(reader, %Snippets{language: "console"} = block) do
    for command <- block.text |> String.split(~r/^\$ /m) |> tl(), reduce: close(reader) do
      reader ->
        [line, expected] = String.split(command, "\n", parts: 2)
        reader = shell(reader, block, line)
        unless says?(reader.said, expected), do: wrong(block, "#{line} has printed:\n#{reader.said}")
        reader
    end
  end

  defp step(reader, %Snippets{language: "text"} = block) do
    unless says?(reader.said, block.text), do: wrong(block, "the block before has said:\n#{reader.said}")
    reader
  end

  defp step(_reader, block),
    do: wrong(block, "nobody knows how to try a block of #{block.language} #{block.marks}")

  # A running application does not see what is compiled.
  defp close(reader) do
    :ok = Session.close(reader.session)
    reader
  end

  # As it stands there, with the line that names the file.
  defp write(reader, block) do
    path = Path.join(reader.directory, block.path)
    File.mkdir_p!(Path.dirname(path))
    function = Snippets.body(block)

    text =
      if block.language == "elixir" and function =~ ~r/\A *defp? /,
        do: replaced(block, File.read!(path), function),
        else: block.text

    File.write!(path, reader.change.(text))
  end

  # The function of that name, in the place of the one that is there.
  defp replaced(block, file, text) do
    [head] = Regex.run(~r/\A *defp? \w+ do\n/, text) || wrong(block, "it is no whole function")
    begins = "  " <> String.trim_leading(head)
    indented = text |> String.split("\n", trim: true) |> Enum.map_join("\n", &"  #{&1}")

    case String.split(file, begins) do
      [before, rest] ->
        [_old, rest] = String.split(rest, "\n  end\n", parts: 2)
        before <> indented <> "\n" <> rest

      _other ->
        wrong(block, "#{block.path} has no such function to replace:\n#{file}")
    end
  end

  # The variables and the directory of the shell are those of the next one.
  @ends "\nenv -0 > \"$READER_STATE\"\n"

  defp shell(reader, block, script) do
    state = Path.join(System.tmp_dir!(), "portpool-shell-#{System.unique_integer([:positive])}")
    env = [{"READER_STATE", state} | reader.env]
    script = "set -eu\n" <> reader.change.(script) <> @ends
    {said, status} = System.cmd("sh", ["-c", script], cd: reader.directory, env: env, stderr_to_stdout: true)
    if status != 0, do: wrong(block, "it ended with status #{status}:\n#{said}")
    {directory, set} = state |> File.read!() |> state()
    File.rm!(state)
    %{reader | said: said, directory: directory, env: merged(reader.env, set)}
  end

  defp state(text) do
    set =
      for line <- String.split(text, "\0", trim: true),
          do: line |> String.split("=", parts: 2) |> List.to_tuple()

    {_, directory} = List.keyfind(set, "PWD", 0)
    {directory, Enum.reject(set, fn {name, _} -> name in ["READER_STATE", "PWD", "OLDPWD", "_", "SHLVL"] end)}
  end

  # What is unset here, and what this block has changed.
  defp merged(env, set) do
    changed = for {name, value} <- set, System.get_env(name) != value, do: {name, value}
    names = Enum.map(changed, &elem(&1, 0))
    Enum.reject(env, fn {name, _} -> name in names end) ++ changed
  end

  @doc "Tells whether a text says all that is expected, in that order, where `...` stands for anything."
  @spec says?(String.t(), String.t()) :: boolean
  def says?(said, expected) do
    pattern = expected |> String.trim() |> String.split("...") |> Enum.map_join(".*", &Regex.escape/1)
    said =~ Regex.compile!(pattern, "s")
  end

  defp wrong(block, what),
    do: raise(ExUnit.AssertionError, "#{Snippets.where(block)} does not work as shown: #{what}")
end
