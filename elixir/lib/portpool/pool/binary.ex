defmodule Portpool.Binary do
  @moduledoc false

  # Where the server program is: the `binary` option, else PORTPOOL_BINARY, else what the build has put into priv.

  import Bitwise

  alias Portpool.Error
  alias Portpool.Options.Paths

  @executable 0o111

  @spec find(Path.t() | nil) :: {:ok, Path.t()} | {:error, Error.t()}
  def find(option) do
    {path, origin} = candidate(option)

    with {:ok, path} <- Paths.expand(path), :ok <- executable(path) do
      {:ok, path}
    else
      {:error, what} -> {:error, refused(path, origin, what)}
    end
  end

  defp executable(path) do
    case File.stat(path) do
      {:ok, %File.Stat{type: :regular, mode: mode}} when (mode &&& @executable) != 0 -> :ok
      {:ok, _stat} -> {:error, "is not an executable file"}
      {:error, reason} -> {:error, "cannot be used: #{:file.format_error(reason)}"}
    end
  end

  defp candidate(option) when is_binary(option), do: {option, "the :binary option"}

  defp candidate(nil) do
    case :os.getenv(~c"PORTPOOL_BINARY") do
      unset when unset in [false, []] -> {built(), "the build"}
      path -> {Paths.native(path), "PORTPOOL_BINARY"}
    end
  end

  defp built do
    case :code.priv_dir(:portpool) do
      priv when is_list(priv) -> Path.join(Paths.native(priv), "portpool")
      {:error, :bad_name} -> "priv/portpool"
    end
  end

  defp refused(path, origin, what) do
    cure =
      "Build it with `mix compile`, which needs cargo, or set PORTPOOL_BINARY or the option :binary to a portpool program"

    Error.new(:bad_request, "the server program #{Paths.shown(path)} (from #{origin}) #{what}. #{cure}", %{
      option: "binary"
    })
  end
end
