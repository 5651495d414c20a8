defmodule Mix.Portpool.Venv.Portable do
  @moduledoc false

  # Makes a new environment one that can be copied and moved: scripts that find their own Python, no links but that to the
  # interpreter, bytecode that is valid wherever its file is.

  import Bitwise

  alias Mix.Portpool.Venv
  alias Mix.Portpool.Venv.Installer

  # As uv writes it. The quotes make it a string for Python, and a command for the shell.
  @trampoline """
  #!/bin/sh
  '''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"
  ' '''
  """

  @executable 0o111

  # No worker imports these.
  @not_compiled "/site-packages/(pip|setuptools|pkg_resources)/"

  # Those of our own use, of uv's, and what tells tools for backups to leave the environment out.
  @not_wanted ["requirements.txt", ".lock", "CACHEDIR.TAG"]

  @doc "Changes an environment that was made in `new` for its own place, and for any other."
  @spec make!(Venv.plan(), Path.t()) :: :ok
  def make!(plan, new) do
    not_editable!(new, plan)
    for name <- @not_wanted, do: File.rm(Path.join(new, name))
    # One more name for `lib`, and one more copy of it in a release that is packed.
    link?(Path.join(new, "lib64")) && File.rm(Path.join(new, "lib64"))
    interpreter!(new, plan)
    no_links!(new, plan)
    for name <- File.ls!(Path.join(new, "bin")), do: relocate(Path.join([new, "bin", name]), new, plan.dir)
    File.write!(Path.join(new, ".gitignore"), "*\n")
    compile(new, plan.dir)
    :ok
  end

  # The code of such a package stays where it is. PEP 610 says how a package was installed; some tools do not, and leave a
  # file with the path of the code.
  defp not_editable!(new, plan) do
    for packages <- Path.wildcard(Path.join(new, "lib/python*/site-packages")),
        name <- editable(packages, new) do
      Mix.raise(
        "#{name} is installed in editable mode, so its code stays where it is and a release would lack it: " <>
          "change that in #{plan.source.name}, where -e or editable asks for it"
      )
    end
  end

  defp editable(packages, new) do
    said =
      for file <- Path.wildcard(Path.join(packages, "*.dist-info/direct_url.json")),
          File.read!(file) =~ ~r/"editable"\s*:\s*true/,
          do: file |> Path.dirname() |> Path.basename(".dist-info") |> String.split("-") |> hd()

    said ++
      for file <- Path.wildcard(Path.join(packages, "*.pth"), match_dot: true),
          File.read!(file) |> String.split("\n") |> Enum.any?(&outside?(&1, new)),
          do: Path.basename(file)
  end

  defp outside?(line, new), do: String.starts_with?(line, "/") and not String.starts_with?(line, new <> "/")

  # One link leads outside, and the other names to that.
  defp interpreter!(new, plan) do
    bin = Path.join(new, "bin")
    names = for name <- File.ls!(bin), name =~ ~r/\Apython[\d.]*t?\z/, link?(Path.join(bin, name)), do: name

    if "python" in names do
      for name <- names, do: File.rm!(Path.join(bin, name))
      File.ln_s!(plan.python.path, Path.join(bin, "python"))
      for name <- names -- ["python"], do: File.ln_s!("python", Path.join(bin, name))
    end
  end

  defp no_links!(new, plan) do
    for link <- links(new), Path.relative_to(link, new) != "bin/python" do
      {:ok, target} = :file.read_link_all(link)
      target = IO.chardata_to_string(target)
      inside = Path.expand(target, Path.dirname(link))

      cond do
        not String.starts_with?(inside, new <> "/") ->
          Mix.raise(
            "#{Path.relative_to(link, new)} in the new environment is a link to #{target}, which a release would lack: " <>
              "install the package in #{plan.source.name} that makes it in another way"
          )

        Path.type(target) == :absolute ->
          File.rm!(link)
          File.ln_s!(relative(inside, Path.dirname(link)), link)

        true ->
          :ok
      end
    end
  end

  defp links(folder) do
    Enum.flat_map(File.ls!(folder), fn name ->
      path = Path.join(folder, name)

      case File.lstat!(path).type do
        :symlink -> [path]
        :directory -> links(path)
        _other -> []
      end
    end)
  end

  defp link?(path), do: match?({:ok, %File.Stat{type: :symlink}}, File.lstat(path))

  # Both are inside the environment.
  defp relative(path, from) do
    {up, down} = drop_common(Path.split(from), Path.split(path))
    Path.join(Enum.map(up, fn _ -> ".." end) ++ down)
  end

  defp drop_common([same | from], [same | path]), do: drop_common(from, path)
  defp drop_common(from, path), do: {from, path}

  defp relocate(script, new, dir) do
    with {:ok, %File.Stat{type: :regular, mode: mode}} <- File.lstat(script),
         {:ok, text} <- File.read(script),
         false <- binary?(text) do
      case text |> of_own_python(new) |> String.replace(Path.basename(new), Path.basename(dir)) do
        ^text -> :ok
        changed -> write!(script, changed, mode)
      end
    end
  end

  defp write!(script, text, mode) do
    File.write!(script, text)
    if (mode &&& @executable) != 0, do: File.chmod!(script, mode)
  end

  defp binary?(text), do: text |> binary_part(0, min(byte_size(text), 1024)) |> String.contains?(<<0>>)

  # Both forms in which pip names the interpreter of a script: the second is for long paths and those with blanks.
  defp of_own_python(text, new) do
    python = Regex.escape(Path.join(new, "bin")) <> "/python[0-9.]*"

    Regex.replace(
      ~r{\A#!(?:"?#{python}"?[^\n]*\n|/bin/sh\n'''exec' "?#{python}"? "\$0" "\$@"\n' '''\n)},
      text,
      fn _ -> @trampoline end
    )
  end

  # A copy of a file has another time, so bytecode that is recognised by the time would be made anew in each worker that
  # cannot write it. What cannot be compiled is not meant for this Python.
  defp compile(new, dir) do
    how = [
      "-qq",
      "-f",
      "-j",
      "0",
      "--invalidation-mode",
      "checked-hash",
      "-s",
      new,
      "-p",
      dir,
      "-x",
      @not_compiled
    ]

    arguments = ["-m", "compileall"] ++ how ++ [Path.join(new, "lib")]
    System.cmd(Path.join(new, "bin/python"), arguments, stderr_to_stdout: true, env: Installer.env())
  end
end
