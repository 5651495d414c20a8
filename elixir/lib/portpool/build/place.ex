defmodule Portpool.Build.Place do
  @moduledoc false

  # Where a build wants its program, and which one.

  alias Portpool.Build.Target

  @enforce_keys [:app, :root, :source, :version]
  defstruct [:app, :root, :source, :version, :target, say: &Function.identity/1]

  @typedoc """
  `target` is `nil` until it is known. `app` is the directory of this application in the build, `source` that of the package, and `root` that of the project
  that is built: paths in its configuration start there. `say` tells the user what takes a while.
  """
  @type t :: %__MODULE__{
          app: Path.t(),
          root: Path.t(),
          source: Path.t(),
          version: String.t(),
          target: Target.t() | nil,
          say: (String.t() -> term)
        }

  @spec priv(t) :: Path.t()
  def priv(place), do: Path.join(place.app, "priv")

  @spec program(t) :: Path.t()
  def program(place), do: Path.join(place.app, "priv/portpool")

  @spec stamp(t) :: Path.t()
  def stamp(place), do: Path.join(place.app, ".mix/compile.portpool")

  @doc "Returns the directory of archives that were downloaded: one for all environments of the project."
  @spec store(t) :: Path.t()
  def store(place) do
    build = Path.expand("../..", place.app)
    around = if System.get_env("MIX_BUILD_PATH") in [nil, ""], do: Path.dirname(build), else: build
    Path.join(around, "portpool")
  end
end
