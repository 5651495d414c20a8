defmodule Mix.Portpool.Venv.Python do
  @moduledoc false

  # The interpreter that an environment is made with.

  alias Mix.Portpool.Venv.Installer

  @enforce_keys [:path, :version, :base_prefix, :machine]
  defstruct @enforce_keys

  @typedoc "`machine` is what its packages are for: `x86_64-linux-gnu`. It is empty if the interpreter does not say."
  @type t :: %__MODULE__{path: Path.t(), version: String.t(), base_prefix: Path.t(), machine: String.t()}

  # That of an environment is only a link to the one that it was made with, and a shim becomes another one.
  @question "import sys; print('\\nportpool', getattr(sys, '_base_executable', sys.executable), " <>
              "'%d.%d.%d' % sys.version_info[:3], sys.base_prefix, " <>
              "getattr(sys.implementation, '_multiarch', ''), sep='\\n')"

  @oldest {3, 9}

  @doc "Finds an interpreter by path, by name or by version."
  @spec find!(String.t(), Installer.t()) :: t
  def find!(given, installer) do
    path =
      locate(given, installer) ||
        Mix.raise("there is no Python #{given} (--python): it is neither in PATH nor a path")

    case System.cmd(path, ["-c", @question], stderr_to_stdout: true, env: Installer.env()) do
      {answer, 0} ->
        understood!(answer, path)

      {answer, status} ->
        Mix.raise("#{path} does not behave like Python (exit status #{status}): #{String.trim(answer)}")
    end
  rescue
    error in ErlangError -> Mix.raise("#{given} (--python) cannot be run: #{inspect(error.original)}")
  end

  defp locate(given, installer) do
    cond do
      given =~ "/" ->
        Path.expand(given)

      given =~ ~r/\A\d+(\.\d+)*\z/ ->
        System.find_executable("python" <> given) || Installer.find_python(installer, given)

      true ->
        System.find_executable(given)
    end
  end

  defp understood!(answer, path) do
    with [_printed, answer] <- String.split(answer, "\nportpool\n", parts: 2),
         [executable, version, base_prefix, machine | _rest] <- String.split(answer, "\n") do
      if supported?(version),
        do: %__MODULE__{
          path: exact(executable, version),
          version: version,
          base_prefix: base_prefix,
          machine: machine
        },
        else: Mix.raise("#{path} is Python #{version}: Portpool needs 3.9 or newer")
    else
      _another -> Mix.raise("#{path} does not behave like Python: #{String.trim(answer)}")
    end
  end

  # python3 may become another version, by an upgrade or by update-alternatives.
  defp exact(executable, version) do
    [major, minor | _patch] = String.split(version, ".")
    exact = Path.join(Path.dirname(executable), "python#{major}.#{minor}")
    if same_file?(exact, executable), do: exact, else: executable
  end

  defp same_file?(one, other) do
    case {File.stat(one), File.stat(other)} do
      {{:ok, same}, {:ok, same}} -> true
      _others -> false
    end
  end

  defp supported?(version) do
    [major, minor | _patch] = version |> String.split(".") |> Enum.map(&String.to_integer/1)
    {major, minor} >= @oldest
  end

  @doc "Returns what changes when it is another interpreter."
  @spec identity(t) :: term
  def identity(python), do: {python.path, python.version, python.base_prefix, python.machine}

  @doc "Describes it for people."
  @spec describe(t) :: String.t()
  def describe(python), do: "Python #{python.version} (#{python.path})"

  @doc "Returns what may go wrong with it on another machine."
  @spec warnings(t) :: [String.t()]
  def warnings(python) do
    home = System.user_home() || "/home"

    if inside?(python.base_prefix, home) or inside?(python.base_prefix, "/home") do
      [
        "#{python.path} is below a home directory. A release with this environment starts only where that Python is at " <>
          "the same path, for the user that runs it. Name one of the system with --python, such as /usr/bin/python3"
      ]
    else
      []
    end
  end

  defp inside?(path, folder), do: folder != "/" and String.starts_with?(path, folder <> "/")
end
