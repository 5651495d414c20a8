defmodule Portpool.GuidesTest do
  # docs/guides, tried as their readers would: one application, made from the guides alone, in which each block works as
  # shown.
  use Portpool.Test.Case

  alias Portpool.Test.{Deployment, Guides, Reader, Session, Snippets, Symptoms}

  @moduletag timeout: 900_000
  # They install it.
  @moduletag :numpy

  # These make the application of all others, in this order.
  @first ["first_pool", "python_environment"]
  # These need nothing but that application.
  @then ["numpy", "models", "sizing", "testing", "releases"]
  # These have tests of their own.
  @own ["systemd", "docker", "kubernetes", "troubleshooting", "erlang"]

  # What a reader alone cannot try: files that other programs read, and commands that cannot be run here (`nil`).
  @left %{
    "python_environment" => [nil],
    "systemd" => ["rel/my_app.service", nil, "rel/my_app.service.d/pool_memory.conf"],
    "docker" => ["Dockerfile", ".dockerignore", nil],
    "kubernetes" => ["rel/kubernetes.yaml", nil]
  }

  setup_all do
    directory = Path.join(System.tmp_dir!(), "portpool-guides-#{System.unique_integer([:positive])}")

    on_exit(fn ->
      eventually(fn -> of_run(Guides.run()) == [] end, 2_000)
      File.rm_rf!(directory)
    end)

    reader = Guides.reader!(directory, start_supervised!(Session))
    {:ok, reader: Enum.reduce(@first, reader, &follow(&2, &1))}
  end

  defp follow(reader, guide) do
    {reader, blocks} = Reader.follow(reader, Guides.blocks(guide))
    assert Enum.map(blocks, & &1.path) == Map.get(@left, guide, [])
    reader
  end

  test "each guide is tried" do
    assert Enum.sort(Guides.names()) == Enum.sort(@first ++ @then ++ @own)
  end

  test "each function that a guide defines is called by it" do
    for guide <- Guides.names(), blocks = Guides.blocks(guide), %{language: "python"} = block <- blocks do
      others = for other <- blocks, other != block, into: "", do: other.text

      for [_, name] <- Regex.scan(~r/^(?:async )?def (\w+)/m, block.text) do
        assert others =~ ~r/\b#{name}\b/, "#{Snippets.where(block)}: nothing calls #{name}"
      end
    end
  end

  for guide <- @then do
    test "#{guide}.md does what it says", %{reader: reader} do
      follow(reader, unquote(guide))
    end
  end

  test "systemd.md has a unit that systemd accepts, and that leaves a pool the time it needs", %{
    reader: reader
  } do
    follow(reader, "systemd")
    unit = "#{reader.directory}/rel/my_app.service"
    [_, seconds] = Regex.run(~r/^TimeoutStopSec=(\d+)$/m, File.read!(unit))
    assert String.to_integer(seconds) * 1_000 > Portpool.child_spec([]).shutdown

    case Deployment.verify(unit) do
      :skipped -> IO.puts(:stderr, "systemd.md: the unit was not verified, as there is no systemd-analyze.")
      outcome -> assert outcome == {"", 0}
    end
  end

  test "docker.md and kubernetes.md have an image that is built, answers its probes, and stops", %{
    reader: reader
  } do
    reader |> follow("kubernetes") |> follow("docker")
    pod = Deployment.pod("#{reader.directory}/rel/kubernetes.yaml", Guides.python())
    [container] = pod["containers"]
    assert_time_to_stop(pod, container)
    volumes = for %{"name" => name} <- pod["volumes"], do: name
    for %{"name" => name} <- container["volumeMounts"], do: assert(name in volumes)

    case Deployment.docker(reader.directory, arguments(container, reader)) do
      {:skipped, why} -> IO.puts(:stderr, "docker.md: the Dockerfile was not tried: #{why}.")
      {_said, 0} -> :ok
      {said, status} -> flunk("it ended with status #{status}:\n#{said}")
    end
  end

  defp assert_time_to_stop(pod, container) do
    ["sleep", before] = container["lifecycle"]["preStop"]["exec"]["command"]
    needed = String.to_integer(before) * 1_000 + Portpool.child_spec([]).shutdown
    assert pod["terminationGracePeriodSeconds"] * 1_000 > needed
  end

  # The library and the program come from here. Hex is not needed, as the only dependency is a directory.
  defp arguments(container, reader) do
    {"PORTPOOL_PACKAGE", package} = List.keyfind(reader.env, "PORTPOOL_PACKAGE", 0)

    {place, found, settings} =
      if Guides.wheels(),
        do: {Guides.wheels(), "/packages /srv", []},
        else: {Path.dirname(Guides.program()), "/packages", ["PORTPOOL_BINARY=/srv/portpool"]}

    # The Python of the image's Debian.
    packages = Guides.packages!("3.13")
    settings = ["PIP_NO_INDEX=1", "PIP_FIND_LINKS=#{found}", "PORTPOOL_PACKAGE=/opt/portpool" | settings]
    without = for tool <- ["hex", "rebar"], do: ["--without", "mix local.#{tool} --force"]

    binds =
      for bind <- ["#{place}:/srv", "#{packages}:/packages", "#{package}:/opt/portpool"], do: ["--bind", bind]

    settings = for setting <- settings, do: ["--env", setting]
    %{"readOnlyRootFilesystem" => true} = container["securityContext"]
    [without, binds, settings, "--read-only", "--check", check(container)]
  end

  # A probe that could not fail would be none.
  defp check(container) do
    probes =
      for name <- ["startupProbe", "readinessProbe", "livenessProbe"], do: container[name]["exec"]["command"]

    call = "MyApp.Python.call!(:forecast, :trend, [[1.0, 3.0, 5.0]])"
    works = [["bin/my_app", "rpc", call] | Enum.uniq(probes)]

    Enum.map_join(works, " && ", fn words -> Enum.map_join(words, " ", &"'#{&1}'") end) <>
      " && ! bin/my_app rpc 'raise String.duplicate(\"no\", 2)'"
  end

  test "troubleshooting.md quotes messages as they are" do
    produced = Symptoms.all()
    quoted = for %{language: "text", text: text} <- Guides.blocks("troubleshooting"), do: text
    assert length(quoted) == length(produced)

    for {text, {name, message}} <- Enum.zip(quoted, produced) do
      assert Reader.says?(message, text), "#{name}: the guide says\n#{text}\nand it is\n#{message}"
    end
  end

  test "erlang.md does what it says, with rebar3 if it is there", %{reader: reader} do
    reader = %{reader | directory: Path.dirname(reader.directory)}

    if System.find_executable("rebar3"),
      do: follow(reader, "erlang"),
      else: follow(without_rebar3(reader), "erlang")
  end

  # What rebar3 does, with Erlang's own tools, as far as that goes.
  @eunit """
  printf '%s' '-module(my_erlang_app_app). -export([start/2, stop/1]).
  start(_, _) -> my_erlang_app_sup:start_link(). stop(_) -> ok.' > src/my_erlang_app_app.erl
  cp src/my_erlang_app.app.src ebin/my_erlang_app.app
  ln -sfn "$PWD" "$PWD/../my_erlang_app-0.1.0"
  erlc -o ebin src/*.erl test/*.erl
  erl -noshell -pa "$PWD/../my_erlang_app-0.1.0/ebin" -eval 'ok = eunit:test(shop_tests), halt().'
  """

  defp without_rebar3(reader) do
    IO.puts(:stderr, "erlang.md: tried with erlc, without a release, as there is no rebar3.")

    change = fn text ->
      text
      |> reader.change.()
      |> String.replace(
        "rebar3 new app my_erlang_app",
        "mkdir -p my_erlang_app/src my_erlang_app/test my_erlang_app/ebin"
      )
      |> String.replace("rebar3 eunit", @eunit)
      |> String.replace(~r/^(rebar3 release|ls _build.*)$/m, "true")
    end

    %{reader | change: change}
  end
end
