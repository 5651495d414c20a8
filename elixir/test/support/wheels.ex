defmodule Portpool.Test.Wheels do
  @moduledoc "Makes Python packages for tests, so that none is downloaded."

  # Its tags are in the file WHEEL. Scripts are outside, and bytecode is made anew.
  @pack """
  import os, sys, zipfile
  from importlib.metadata import distribution
  folder, name = sys.argv[1:]
  found = distribution(name)
  tags = [line.split(": ")[1] for line in found.read_text("WHEEL").splitlines() if line.startswith("Tag: ")]
  first = tags[0].split("-")
  platforms = ".".join(tag.split("-")[2] for tag in tags)
  path = os.path.join(folder, "-".join([name, found.version, *first[:2], platforms]) + ".whl")
  with zipfile.ZipFile(path, "w") as wheel:
      for file in found.files:
          if ".." not in file.parts and "__pycache__" not in file.parts:
              wheel.write(found.locate_file(file), str(file))
  """

  @doc """
  Makes a wheel of a pure Python package with one module and a script, and returns its path. `requires` are its
  dependencies, `more` its other files.
  """
  def make!(folder, name, version, requires \\ [], more \\ []) do
    info = "#{name}-#{version}.dist-info"

    metadata =
      Enum.map_join(
        [
          "Metadata-Version: 2.1",
          "Name: #{name}",
          "Version: #{version}" | Enum.map(requires, &"Requires-Dist: #{&1}")
        ],
        &(&1 <> "\n")
      )

    files = [
      {"#{name}.py",
       "import sys\n\nversion = '#{version}'\n\n\ndef main():\n    print(version, sys.prefix)\n"},
      {"#{info}/METADATA", metadata},
      {"#{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
      {"#{info}/entry_points.txt", "[console_scripts]\n#{name} = #{name}:main\n"}
      | more
    ]

    zip!(folder, "#{name}-#{version}-py3-none-any.whl", [
      {"#{info}/RECORD", record(files, info)} | files
    ])
  end

  @doc "Packs an installed package, with its files as pip has recorded them, and returns the path of the wheel."
  def pack!(folder, python, name) do
    {_, 0} = System.cmd(python, ["-c", @pack, folder, name])
    [wheel] = Path.wildcard(Path.join(folder, "#{name}-*.whl"))
    wheel
  end

  defp record(files, info) do
    lines =
      for {name, text} <- files do
        hash = Base.url_encode64(sha256(text), padding: false)
        "#{name},sha256=#{hash},#{byte_size(text)}\n"
      end

    IO.iodata_to_binary([lines, "#{info}/RECORD,,\n"])
  end

  # The library does without crypto.
  defp sha256(text), do: apply(:crypto, :hash, [:sha256, text])

  defp zip!(folder, name, files) do
    File.mkdir_p!(folder)
    path = Path.join(folder, name)

    {:ok, _} =
      :zip.create(String.to_charlist(path), for({name, text} <- files, do: {String.to_charlist(name), text}))

    path
  end
end
