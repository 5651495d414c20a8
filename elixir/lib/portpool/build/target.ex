defmodule Portpool.Build.Target do
  @moduledoc false

  # The machine that the program is for, as Rust names it: `x86_64-unknown-linux-gnu`. It is this one, unless the
  # project says that it builds for another.

  @type t :: String.t()

  @doc "Returns the target of this build."
  @spec wanted() :: {:ok, t} | {:error, String.t()}
  def wanted do
    case System.get_env("PORTPOOL_TARGET") do
      unset when unset in [nil, ""] -> configured(Application.get_env(:portpool, :target))
      triple -> {:ok, triple}
    end
  end

  defp configured(nil), do: {:ok, crossed() || host()}
  defp configured(triple) when is_binary(triple) and triple != "", do: {:ok, triple}

  defp configured(other) do
    {:error,
     "config :portpool, target: must be a target of Rust, such as \"aarch64-unknown-linux-gnu\", not #{inspect(other)}"}
  end

  # As Nerves and its relatives name the target, in the environment.
  defp crossed do
    case Enum.map(~w(TARGET_ARCH TARGET_OS TARGET_ABI), &System.get_env/1) do
      [arch, os, abi] when arch not in [nil, ""] and os not in [nil, ""] and abi not in [nil, ""] ->
        "#{cpu(arch)}-unknown-#{os}-#{abi}"

      _not_all ->
        nil
    end
  end

  defp cpu("arm"), do: if(System.get_env("TARGET_CPU", "") =~ ~r/^arm1176/, do: "arm", else: "armv7")
  defp cpu(arch), do: arch

  @doc "Returns the target that this VM runs on."
  @spec host() :: t
  def host do
    :erlang.system_info(:system_architecture) |> List.to_string() |> named()
  end

  @doc "Turns what configure scripts call a machine into what Rust does."
  @spec named(String.t()) :: t
  def named(architecture) do
    [cpu | rest] = String.split(architecture, "-")
    system = Enum.join(rest, "-")
    cpu = Map.get(%{"arm64" => "aarch64", "amd64" => "x86_64", "armv7l" => "armv7"}, cpu, cpu)

    if system =~ "darwin", do: "#{cpu}-apple-darwin", else: "#{cpu}-unknown-linux-#{abi(system)}"
  end

  defp abi(system) do
    case Regex.run(~r/linux-(\w+)/, system) do
      [_, abi] -> abi
      nil -> "gnu"
    end
  end

  @doc "Returns the processor of a target, as `Portpool.Program.built_for/1` names it."
  @spec processor(t) :: String.t()
  def processor(target) do
    case target |> String.split("-") |> hd() do
      "armv" <> _version -> "arm"
      "riscv64" <> _extensions -> "riscv"
      cpu when cpu in ~w(i386 i486 i586 i686) -> "x86"
      cpu -> cpu
    end
  end
end
