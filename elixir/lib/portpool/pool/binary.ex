defmodule Portpool.Binary do
  @moduledoc false

  # Where the server program is: the option `binary`, else PORTPOOL_BINARY, else what the build has put into priv, else
  # PATH. One that is named must be there: nothing else takes its place.

  import Bitwise

  alias Portpool.Error
  alias Portpool.Options.Paths

  @executable 0o111

  @doc "Finds the program. `option` is that of the pool, and `venv` the virtual environment of the pool, if it has one."
  @spec find(Path.t() | :venv | nil, Path.t() | nil) :: {:ok, Path.t()} | {:error, Error.t()}
  def find(option, venv \\ nil)

  def find(:venv, nil),
    do: {:error, error("option :binary is :venv, which is bin/portpool in the option :venv: give both")}

  def find(:venv, venv), do: named(Path.join(venv, "bin/portpool"), "the option binary: :venv")
  def find(option, _venv) when is_binary(option), do: named(option, "the option :binary")

  def find(nil, _venv) do
    case :os.getenv(~c"PORTPOOL_BINARY") do
      unset when unset in [false, []] -> installed()
      path -> path |> Paths.native() |> named("PORTPOOL_BINARY")
    end
  end

  defp named(path, origin) do
    with {:ok, path} <- Paths.expand(path), :ok <- executable(path) do
      {:ok, path}
    else
      {:error, reason} ->
        {:error, error("the server program #{Paths.shown(path)} (from #{origin}) #{lack(reason)}. #{cure()}")}
    end
  end

  # A program of the build that cannot be used is an error. One that is not there may be in PATH.
  defp installed do
    priv = priv()

    case executable(priv) do
      :ok -> {:ok, priv}
      # An escript is a file: nothing is in it.
      {:error, reason} when reason in [:enoent, :enotdir] -> in_path(priv)
      {:error, _reason} -> named(priv, "the build")
    end
  end

  defp in_path(priv) do
    case :os.find_executable(~c"portpool") do
      false -> {:error, nowhere(priv)}
      path -> path |> Paths.native() |> named("PATH")
    end
  end

  defp executable(path) do
    case File.stat(path) do
      {:ok, %File.Stat{type: :regular, mode: mode}} when (mode &&& @executable) != 0 -> :ok
      {:ok, _stat} -> {:error, :not_executable}
      {:error, reason} -> {:error, reason}
    end
  end

  defp priv do
    case :code.priv_dir(:portpool) do
      priv when is_list(priv) -> Path.join(Paths.native(priv), "portpool")
      {:error, :bad_name} -> "priv/portpool"
    end
  end

  defp lack(:not_executable), do: "is not an executable file"
  defp lack(reason) when is_atom(reason), do: "cannot be used: #{:file.format_error(reason)}"
  defp lack(what), do: what

  defp nowhere(priv) do
    error(
      "there is no server program. The option :binary is not given, PORTPOOL_BINARY is not set, " <>
        "#{Paths.shown(priv)} does not exist, and no directory in PATH has portpool. #{cure()}"
    )
  end

  defp cure do
    "`mix compile` puts the program into priv, and lists the ways to get it; " <>
      "or set PORTPOOL_BINARY or the option :binary to the path of a portpool program"
  end

  defp error(message), do: Error.new(:bad_request, message, %{option: "binary"})
end
