defmodule Portpool.ReaderTest do
  # The reader of the guides tries each block, or refuses it: nothing is left out unseen.
  use ExUnit.Case, async: true

  alias Portpool.Test.{Reader, Session, Snippets}

  setup do
    directory = Path.join(System.tmp_dir!(), "portpool-reader-#{System.unique_integer([:positive])}")
    File.mkdir_p!(directory)
    on_exit(fn -> File.rm_rf!(directory) end)

    {:ok,
     reader:
       Reader.new(
         directory,
         [{"WORD", "given"}],
         start_supervised!(Session),
         &String.replace(&1, "HERE", "there")
       )}
  end

  test "commands run one after the other, in a shell that lasts", %{reader: reader} do
    follow(reader, """
    ```sh
    mkdir folder
    cd folder
    export OTHER=set
    ```

    ```console
    $ echo $WORD $OTHER $(basename $PWD) HERE
    given set folder there
    $ printf 'a\\nb\\nc\\n'
    a
    ...
    c
    ```

    ```python
    # some/file.py
    HERE = 1
    ```

    ```sh
    cat some/file.py
    ```

    ```text
    there = 1
    ```

    ```text
    # some/other.txt
    text
    ```
    """)

    assert File.read!("#{reader.directory}/folder/some/file.py") == "# some/file.py\nthere = 1\n"
    assert File.read!("#{reader.directory}/folder/some/other.txt") =~ "text"
  end

  test "what is not as shown is an error that says where", %{reader: reader} do
    for {text, message} <- [
          {"```sh\nexit 3\n```\n", ~r/guide.md:2 .*status 3/},
          {"```console\n$ echo one\ntwo\n```\n", ~r/guide.md:2 .*one/s},
          {"```sh\necho one\n```\n```text\ntwo\n```\n", ~r/guide.md:5 .*one/s},
          {"```sh unrun\nif\n```\n", ~r/guide.md:2 .*[Ss]yntax/s},
          {"```ruby\nputs 1\n```\n", ~r/nobody knows how to try a block of ruby/},
          {"```sh later\ntrue\n```\n", ~r/nobody knows how to try a block of sh later/},
          {"```python\nprint(1)\n```\n", ~r/nobody knows how to try a block of python/},
          {"```elixir\ndefmodule A do\nend\n```\n", ~r/does not name one/},
          {"```elixir\n# mix.exs\ndefp deps do\n  []\nend\n```\n", ~r/no such function/}
        ] do
      File.write!("#{reader.directory}/mix.exs", "")
      assert_raise ExUnit.AssertionError, message, fn -> follow(reader, text) end
    end
  end

  test "a block without a language, or without an end, is an error", %{reader: reader} do
    for {text, message} <- [{"```\n```\n", "without a language"}, {"```sh\ntrue\n", "without an end"}],
        do: assert_raise(RuntimeError, ~r/guide.md:1: .*#{message}/, fn -> follow(reader, text) end)
  end

  test "what it does not try is left to the caller", %{reader: reader} do
    text =
      "```sh unrun\nno-such-program\n```\n```ini\n# a/b.service\n[Unit]\n```\n```dockerfile\n# Dockerfile\nFROM x\n```\n"

    {_reader, left} = follow(reader, text)
    assert Enum.map(left, & &1.path) == [nil, "a/b.service", "Dockerfile"]
    assert File.exists?("#{reader.directory}/Dockerfile")
  end

  defp follow(reader, text) do
    path = "#{reader.directory}/guide.md"
    File.write!(path, text)
    Reader.follow(reader, Snippets.blocks(path))
  end
end
