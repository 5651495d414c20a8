defmodule Mix.Portpool.Venv.Record do
  @moduledoc false

  # What an environment was made of. It is in its pyvenv.cfg, of which Python, pip and uv read only the lines they know.
  # `base-prefix` is also what virtualenv writes: the server compares it with the Python that runs (docs/protocol.md 8.12).

  @file_name "pyvenv.cfg"

  # Changes when environments are made in another way.
  @format 1

  @doc "Returns a text that is the same for the same terms."
  @spec stamp(term) :: String.t()
  def stamp(terms),
    do: {@format, terms} |> :erlang.term_to_binary() |> :erlang.md5() |> Base.encode16(case: :lower)

  @doc "Returns the stamp of an environment; `nil` if another tool has made it."
  @spec stamp_of(Path.t()) :: String.t() | nil
  def stamp_of(dir) do
    with {:ok, text} <- File.read(Path.join(dir, @file_name)),
         [_, stamp] <- Regex.run(~r/^portpool-stamp = (\w+)$/m, text) do
      stamp
    else
      _none -> nil
    end
  end

  @doc "Adds what it was made of to the configuration of a new environment."
  @spec write!(Mix.Portpool.Venv.plan(), Path.t()) :: :ok
  def write!(plan, new) do
    path = Path.join(new, @file_name)

    text =
      path
      |> File.read!()
      |> String.replace(Path.basename(new), Path.basename(plan.dir))
      |> String.trim_trailing()

    ours = [
      {"base-prefix", plan.python.base_prefix},
      {"portpool", Application.spec(:portpool, :vsn)},
      {"portpool-file", plan.source.name},
      {"portpool-machine", plan.python.machine},
      {"portpool-stamp", plan.stamp}
    ]

    lines = for {key, value} <- ours, value != "", do: "#{key} = #{value}\n"
    File.write!(path, [text, "\n" | lines])
  end
end
