defmodule Portpool.Test.Files do
  @moduledoc "Files that are nearly programs."

  @doc "As much of a program for a machine as it takes to be one: with a loader, a segment that names it."
  @spec elf(non_neg_integer, String.t()) :: binary
  def elf(machine, loader) do
    ident = <<0x7F, "ELF", 2, 1, 1, 0, 0::64>>
    size = byte_size(loader) + 1
    segments = if loader == "", do: 0, else: 1

    header =
      <<2::16-little, machine::16-little, 1::32-little, 0::64, 64::64-little, 0::64, 0::32, 64::16-little,
        56::16-little, segments::16-little, 64::16-little, 0::16, 0::16>>

    interpreter =
      <<3::32-little, 4::32-little, 120::64-little, 0::64, 0::64, size::64-little, size::64-little,
        1::64-little>>

    ident <> header <> interpreter <> loader <> <<0>>
  end

  @doc "The number of this machine."
  @spec own_machine() :: non_neg_integer
  def own_machine do
    <<_::binary-size(18), machine::16-little, _::binary>> = File.read!("/proc/self/exe")
    machine
  end

  @doc "The number of another machine."
  @spec other_machine() :: non_neg_integer
  def other_machine, do: if(own_machine() == 0x3E, do: 0xB7, else: 0x3E)
end
