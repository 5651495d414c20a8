defmodule Portpool.Test.Deployment do
  @moduledoc "Tries the files with which an application is deployed: a unit of systemd, a Dockerfile, a manifest of Kubernetes."

  alias Portpool.Test.Guides

  @root Path.expand("../../..", __DIR__)

  @doc """
  Has systemd check a unit. Returns what it says against it, or `:skipped` where there is no systemd. The program that the
  unit starts has to be there: an empty one takes its place.
  """
  @spec verify(Path.t()) :: {String.t(), non_neg_integer} | :skipped
  def verify(unit) do
    [_, program] = Regex.run(~r/^ExecStart=(\S+) start$/m, File.read!(unit))
    File.mkdir_p!(Path.dirname(program))
    unless File.exists?(program), do: File.write!(program, "#!/bin/sh\n")
    File.chmod!(program, 0o755)

    case System.find_executable("systemd-analyze") do
      nil ->
        :skipped

      systemd ->
        {said, status} = System.cmd(systemd, ["verify", unit], stderr_to_stdout: true)
        # Before systemd 254.
        {String.replace(said, ~r/^.*Unknown key (?:name )?'DelegateSubgroup'.*\n/m, ""), status}
    end
  end

  @doc "Returns the pod of a manifest with one deployment."
  @spec pod(Path.t(), Path.t()) :: map
  def pod(manifest, python) do
    read = "import sys, yaml; print(repr(list(yaml.safe_load_all(open(sys.argv[1])))))"
    {said, 0} = System.cmd(python, ["-c", read, manifest], stderr_to_stdout: true)
    {:ok, pool} = Portpool.start_link(size: 1, python: python)
    {:ok, [document]} = Portpool.call(pool, :ast, :literal_eval, [String.trim(said)])
    :ok = Portpool.stop(pool)
    %{"apiVersion" => "apps/v1", "kind" => "Deployment", "spec" => spec} = document
    %{"selector" => %{"matchLabels" => labels}, "template" => %{"metadata" => %{"labels" => labels}}} = spec
    spec["template"]["spec"]
  end

  @doc """
  Builds a Dockerfile and runs its image, with `bin/try-dockerfile` and these arguments. Returns what it says, or
  `{:skipped, why}` where that cannot be done.
  """
  @spec docker(Path.t(), iodata) :: {String.t(), non_neg_integer} | {:skipped, String.t()}
  def docker(context, arguments) do
    arguments = List.flatten([context, Path.join(Guides.target(), "dockerfile"), arguments])

    # In a root directory that is made for tests, the steps would have to make another one.
    if File.exists?("/made-of") do
      {:skipped, "this is a root directory for tests"}
    else
      case System.cmd("#{@root}/bin/try-dockerfile", arguments, stderr_to_stdout: true) do
        {said, 3} -> {:skipped, said |> String.split("\n", trim: true) |> List.last()}
        outcome -> outcome
      end
    end
  end
end
