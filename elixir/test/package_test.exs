defmodule Portpool.PackageTest do
  # The package for Hex: what is in it is enough, and its documentation can be made.
  use ExUnit.Case, async: true

  alias Portpool.Test.Stand

  @package Path.expand("..", __DIR__)
  @repository Path.expand("../..", __DIR__)
  @address "https://github.com/portpool/portpool"

  test "a project compiles exactly its files, and runs a pool with them" do
    {:ok, %{binary: program}} = Portpool.Options.pool([])
    stand = Stand.new!()
    on_exit(fn -> File.rm_rf!(stand.directory) end)
    python = System.get_env("PORTPOOL_TEST_PYTHON") || System.find_executable("python3")

    script = """
    {:ok, pool} = Portpool.start_link(size: 1, python: #{inspect(python)})
    {:ok, %{binary: program}} = Portpool.Options.pool([])
    IO.puts("The program is " <> program)
    IO.puts("The root is " <> inspect(Portpool.call(pool, :math, :sqrt, [16])))
    Portpool.stop(pool)
    """

    assert {output, 0} = Stand.mix(stand, ["run", "-e", script], env: [PORTPOOL_BINARY: program])
    refute output =~ "warning"
    assert output =~ "The root is {:ok, 4.0}"

    # The program of the build is enough from now on.
    assert {output, 0} = Stand.mix(stand, ["run", "-e", script])
    assert output =~ "The program is #{Stand.program(stand)}\nThe root is {:ok, 4.0}"
  end

  test "it has a license, the one of the repository, and no program" do
    files = Stand.files()
    assert "LICENSE" in files and "README.md" in files and "mix/compile_portpool.exs" in files
    assert File.read!(Path.join(@package, "LICENSE")) == File.read!(Path.join(@repository, "LICENSE"))
    refute Enum.any?(files, &(&1 =~ ~r"^(priv|test|_build)/"))
  end

  test "each pattern of its files is that of a file" do
    for pattern <- config()[:package][:files],
        do: assert(Path.wildcard(Path.join(@package, pattern), match_dot: true) != [], pattern)
  end

  test "it has the version of the program" do
    assert File.read!(Path.join(@repository, "Cargo.toml")) =~ "\nversion = \"#{config()[:version]}\"\n"
  end

  test "its settings say where it comes from" do
    assert config()[:source_url] == @address
    assert config()[:homepage_url] == @address
    assert %{"GitHub" => @address} = config()[:package][:links]
    assert config()[:package][:licenses] == ["Apache-2.0"]
    assert String.length(config()[:description]) in 20..300
    for {_name, link} <- config()[:package][:links], do: assert(in_repository?(link), link)
  end

  describe "mix docs" do
    test "finds all extras, each in one group at most" do
      docs = config()[:docs]
      names = Enum.map(docs[:extras], &(&1 |> Path.basename(".md") |> String.downcase()))
      assert docs[:main] in names
      assert Enum.uniq(names) == names
      for extra <- docs[:extras], do: assert(File.regular?(Path.join(@package, extra)), extra)

      for {group, pattern} <- docs[:groups_for_extras],
          do: assert(Enum.any?(docs[:extras], &(&1 =~ pattern)) or group == :Guides)

      for guide <- Path.wildcard(Path.join(@repository, "docs/guides/*.md")),
          do: assert("../docs/guides/#{Path.basename(guide)}" in docs[:extras])
    end

    test "finds all modules of the groups, and no documented module is in none" do
      {:ok, modules} = :application.get_key(:portpool, :modules)
      grouped = config()[:docs][:groups_for_modules] |> Keyword.values() |> List.flatten()
      assert grouped -- modules == []
      documented = for module <- modules, in_lib?(module), documented?(module), do: module
      # Mix tasks have a place of their own.
      assert [Portpool] = Enum.reject(documented -- grouped, &("#{&1}" =~ "Mix.Tasks"))
    end

    test "follows all links: in the package they are absolute, or lead to a heading of the same page" do
      readme = File.read!(Path.join(@package, "README.md"))
      headings = for [_, heading] <- Regex.scan(~r/^#+ (.+)$/m, readme), do: anchor(heading)

      for link <- links(readme) do
        assert (String.starts_with?(link, "#") and String.slice(link, 1..-1//1) in headings) or
                 absolute?(link),
               link
      end

      {:ok, modules} = :application.get_key(:portpool, :modules)

      for module <- modules,
          text <- texts(module),
          link <- links(text),
          do: assert(own?(link) or absolute?(link), link)
    end

    test "follows the links between extras" do
      extras = Enum.map(config()[:docs][:extras], &Path.expand(&1, @package))

      for extra <- extras,
          link <- links(File.read!(extra)),
          not String.starts_with?(link, "#"),
          not (link =~ ~r"^https?://") do
        file = link |> String.split("#") |> hd() |> Path.expand(Path.dirname(extra))

        assert file in extras,
               "#{Path.relative_to(extra, @repository)} links to #{link}, which is no page of the documentation"
      end
    end
  end

  # Addresses in this repository lead to what is there.
  defp absolute?(link), do: link =~ ~r"^https?://" and in_repository?(link)

  defp in_repository?(@address <> rest) do
    case Regex.run(~r"^/(?:blob|tree)/[^/]+/([^#]+)", rest) do
      [_, path] -> File.exists?(Path.join(@repository, path)) or path == "docs/guides"
      nil -> true
    end
  end

  defp in_repository?(_elsewhere), do: true

  # In a page of a module.
  defp own?(link), do: link =~ ~r/^#module-[a-z-]+$/

  defp links(text) do
    without_code = text |> String.replace(~r/^ *```.*?^ *```/ms, "") |> String.replace(~r/`[^`\n]*`/, "")

    for pattern <- [~r/\]\(([^)\s]+)[^)]*\)/, ~r/^\s*\[[^\]]+\]:\s+(\S+)/m, ~r/(?:href|src)="([^"]*)"/],
        [_, link] <- Regex.scan(pattern, without_code),
        do: link
  end

  defp texts(module) do
    case Code.fetch_docs(module) do
      {:docs_v1, _, _, _, about, _, docs} ->
        for %{"en" => text} <- [about | Enum.map(docs, &elem(&1, 3))], do: text

      {:error, _none} ->
        []
    end
  end

  defp in_lib?(module),
    do: String.starts_with?("#{module.module_info(:compile)[:source]}", Path.join(@package, "lib/"))

  defp documented?(module), do: match?({:docs_v1, _, _, _, %{}, _, _}, Code.fetch_docs(module))

  defp anchor(heading),
    do: heading |> String.downcase() |> String.replace(~r/[^\w -]/u, "") |> String.replace(" ", "-")

  defp config, do: Mix.Project.config()
end
