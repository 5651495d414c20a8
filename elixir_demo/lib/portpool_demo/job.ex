defmodule PortpoolDemo.Job do
  @moduledoc """
  Jobs in JSON files: what to deliver where and when, with how many couriers.

  Elixir 1.14 has no JSON library, and none is needed: a worker decodes the text.
  """

  @typedoc "A job as `auto_stacking.optimize` takes it; the keys are strings."
  @type t :: %{required(String.t()) => term}

  @doc "Returns the paths of the jobs that come with the demo, in alphabetical order."
  @spec bundled() :: [Path.t()]
  def bundled, do: :portpool_demo |> Application.app_dir("priv/jobs/*.json") |> Path.wildcard()

  @doc "Reads a job. It is the optimiser that validates it."
  @spec read(Portpool.pool(), Path.t()) ::
          {:ok, {String.t(), term}} | {:error, {String.t(), Portpool.Error.t() | File.posix()}}
  def read(pool, path) do
    with {:ok, text} <- File.read(path),
         {:ok, job} <- Portpool.call(pool, :json, :loads, [text]) do
      {:ok, {name(job, path), job}}
    else
      {:error, why} -> {:error, {Path.basename(path), why}}
    end
  end

  defp name(%{"name" => name}, _path) when is_binary(name) and name != "", do: name
  defp name(_job, path), do: Path.basename(path, ".json")
end
