defmodule Portpool.Build.Check do
  @moduledoc false

  # Whether a file is the program of this version for this target: by running it, or by its head if it is for another
  # machine.

  alias Portpool.Build.{Place, Target}
  alias Portpool.Program

  # How long the program may take to say its version, in milliseconds.
  @answer 30_000

  @spec run(Path.t(), Place.t()) :: :ok | {:error, String.t()}
  def run(path, place) do
    case Program.built_for(path) do
      {:ok, :script} ->
        {:error, "is a script: a release would contain the script, and not the program that it starts"}

      {:ok, nil} ->
        {:error, "is not a program"}

      {:ok, machine} ->
        if place.target == Target.host(),
          do: runs(path, place.version),
          else: is_for(machine, place.target)

      {:error, reason} ->
        {:error, "cannot be read: #{:file.format_error(reason)}"}
    end
  end

  defp is_for(machine, target) do
    wanted = if target =~ "-darwin", do: "macOS", else: Target.processor(target)
    if machine == wanted, do: :ok, else: {:error, "was built for #{machine}, and the target is #{target}"}
  end

  defp runs(path, version) do
    case answer(path) do
      {said, 0} ->
        same(said, version)

      {said, status} ->
        not_run(path, status) || not_loaded(said) || {:error, "is not portpool: #{ended(said, status)}"}

      nil ->
        {:error, "is not portpool: `--version` does not end"}

      :not_started ->
        not_run(path, nil) || {:error, "cannot be run"}
    end
  end

  defp same(said, version) do
    case Regex.run(~r/\Aportpool (\S+)\s*\z/, said) do
      [_, ^version] -> :ok
      [_, another] -> {:error, "is portpool #{another}, and this package needs #{version}"}
      nil -> {:error, "is not portpool: to `--version` it says #{inspect(String.slice(said, 0, 80))}"}
    end
  end

  defp ended("", status), do: "`--version` ends with status #{status}"
  defp ended(said, status), do: "#{ended("", status)} and #{inspect(String.slice(said, 0, 80))}"

  defp not_run(path, status) do
    with text when text != nil <- Program.not_run(path, status),
         do: {:error, String.replace_prefix(text, "#{path} ", "")}
  end

  # What the loader says of a program that needs a newer system, or another: glibc's, and musl's.
  defp not_loaded(said) do
    loader =
      ~r/version `[^']+' not found|error while loading shared libraries: .+|Error (?:loading|relocating) .+/

    case Regex.run(loader, said) do
      [what] -> {:error, "cannot be run: it was built for another system, or a newer one (#{what})"}
      nil -> nil
    end
  end

  # Whatever was named may be run here, also what waits for its input for ever.
  defp answer(path) do
    task = Task.async(fn -> command(path) end)

    case Task.yield(task, @answer) || Task.shutdown(task, :brutal_kill) do
      {:ok, answer} -> answer
      nil -> nil
    end
  end

  defp command(path) do
    {said, status} = System.cmd(path, ["--version"], stderr_to_stdout: true)
    {to_string(for <<byte <- said>>, byte < 128, into: "", do: <<byte>>), status}
  rescue
    _error in ErlangError -> :not_started
  end
end
