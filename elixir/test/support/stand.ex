defmodule Portpool.Test.Stand do
  @moduledoc """
  A Mix project that depends on the package, as it comes from Hex: a copy of exactly its `files:`. Real Mix commands
  build it. Its path has blanks and umlauts, its home is its own, and its `PATH` has neither cargo nor portpool.
  """

  @package Path.expand("../..", __DIR__)

  # What Mix and Elixir start.
  @programs ~w(mix elixir erl sh sed dirname basename readlink uname cat env tr id date)

  # What may come from whoever runs the tests.
  @foreign ~w(PORTPOOL_BINARY PORTPOOL_TARGET CARGO_HOME CARGO_INSTALL_ROOT CARGO_TARGET_DIR MIX_BUILD_PATH MIX_BUILD_ROOT
              MIX_DEPS_PATH MIX_TARGET MIX_EXS TARGET_ARCH TARGET_OS TARGET_ABI TARGET_CPU ERL_LIBS RELEASE_NODE
              HTTP_PROXY HTTPS_PROXY http_proxy https_proxy XDG_CACHE_HOME)

  @mix_exs """
  defmodule Stand.MixProject do
    use Mix.Project
    def project, do: [app: :stand, version: "0.1.0", deps: [{:portpool, path: "../crate/elixir"}]]
    def application, do: [extra_applications: [:logger]]
  end
  """

  # A test says what is configured.
  @config """
  import Config
  {settings, []} = Code.eval_string(System.get_env("STAND", "[]"))
  for setting <- settings, do: config(:portpool, [setting])
  """

  @doc "Makes the project, and returns its paths. The package lies where it would in a crate, but there is no crate."
  @spec new!() :: %{atom => Path.t()}
  def new! do
    directory = Path.join(System.tmp_dir!(), "portpool stand ü-#{System.unique_integer([:positive])}")
    stand = Map.new([:app, :bin, :bare, :home, :crate], &{&1, Path.join(directory, "#{&1}")})
    for {_name, path} <- stand, do: File.mkdir_p!(path)
    stand = Map.merge(stand, %{directory: directory, package: Path.join(stand.crate, "elixir")})
    package!(stand.package)
    write!(stand.app, "mix.exs", @mix_exs)
    write!(stand.app, "config/config.exs", @config)

    for program <- @programs, path = System.find_executable(program) do
      File.ln_s!(path, Path.join(stand.bare, program))
    end

    stand
  end

  @doc "Copies the package: what the patterns of its `files:` match, as Hex reads them."
  @spec package!(Path.t()) :: :ok
  def package!(directory) do
    for file <- files() do
      target = Path.join(directory, file)
      File.mkdir_p!(Path.dirname(target))
      File.cp!(Path.join(@package, file), target)
    end

    :ok
  end

  @doc "Returns the files of the package, relative to it."
  @spec files() :: [Path.t()]
  def files do
    for pattern <- Mix.Project.config()[:package][:files],
        path <- Path.wildcard(Path.join(@package, pattern), match_dot: true),
        file <- if(File.dir?(path), do: Path.wildcard(Path.join(path, "**"), match_dot: true), else: [path]),
        File.regular?(file),
        do: Path.relative_to(file, @package)
  end

  @doc "Writes a file of a project."
  @spec write!(Path.t(), Path.t(), iodata) :: Path.t()
  def write!(directory, name, text) do
    path = Path.join(directory, name)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
    path
  end

  @doc "Writes an executable file."
  @spec program!(Path.t(), Path.t(), iodata) :: Path.t()
  def program!(directory, name, text) do
    path = write!(directory, name, text)
    File.chmod!(path, 0o755)
    path
  end

  @doc """
  Runs a Mix command in the project. `config` is that of `:portpool`, `env` comes on top of the environment, and
  `wrapped` is a command that runs it. Returns what it prints, and its status.
  """
  @spec mix(map, [String.t()], keyword) :: {String.t(), non_neg_integer}
  def mix(stand, args, options \\ []) do
    path = Enum.join([stand.bin, stand.bare], ":")

    env =
      Enum.map(@foreign, &{&1, nil}) ++
        [{"PATH", path}, {"HOME", stand.home}, {"MIX_ENV", "dev"}, {"LC_ALL", "C.UTF-8"}] ++
        [{"STAND", inspect(options[:config] || [])}] ++
        for {name, value} <- options[:env] || [], do: {to_string(name), value}

    [command | args] = (options[:wrapped] || []) ++ [Path.join(stand.bare, "mix") | args]

    System.cmd(command, args, cd: options[:cd] || stand.app, env: env, stderr_to_stdout: true)
  end

  @doc "Returns the path of the program in the project's build."
  @spec program(map, String.t()) :: Path.t()
  def program(stand, env \\ "dev"), do: Path.join([stand.app, "_build", env, "lib/portpool/priv/portpool"])

  @doc "Takes away everything that a build has got, apart from compiled modules."
  @spec reset!(map) :: :ok
  def reset!(stand) do
    for env <- File.ls!(Path.join(stand.app, "_build")),
        name <- ["priv", ".mix/compile.portpool"],
        do: File.rm_rf!(Path.join([stand.app, "_build", env, "lib/portpool", name]))

    for path <- [Path.join(stand.app, "_build/portpool"), stand.home, stand.bin], do: File.rm_rf!(path)
    for path <- [stand.home, stand.bin], do: File.mkdir_p!(path)
    for name <- File.ls!(stand.crate), name != "elixir", do: File.rm_rf!(Path.join(stand.crate, name))
    :ok
  end
end
