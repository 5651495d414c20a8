defmodule Portpool.Atoms do
  @moduledoc false

  # Finds the atom that made `binary_to_term(packet, [:safe])` fail, for the message of the error.
  #
  # In the external term format the elements of a list, tuple or map simply follow its header, so the tags can be read
  # one after the other without a stack. The tags are those that the server writes (docs/protocol.md 11.2) and those
  # of the values that it only carries: pids, references, ports and functions.

  @doc "Returns the first atom of an encoded term that does not exist in this VM."
  @spec unknown(binary) :: {:ok, String.t()} | :error
  def unknown(<<131, terms::binary>>), do: scan(terms)

  # SMALL_ATOM_UTF8_EXT, ATOM_UTF8_EXT
  defp scan(<<119, size, name::binary-size(size), rest::binary>>), do: check(name, rest)
  defp scan(<<118, size::16, name::binary-size(size), rest::binary>>), do: check(name, rest)
  # SMALL_INTEGER, INTEGER, NEW_FLOAT, NIL
  defp scan(<<97, _value, rest::binary>>), do: scan(rest)
  defp scan(<<98, _value::32, rest::binary>>), do: scan(rest)
  defp scan(<<70, _value::64, rest::binary>>), do: scan(rest)
  defp scan(<<106, rest::binary>>), do: scan(rest)
  # SMALL_BIG, LARGE_BIG
  defp scan(<<110, size, _sign, _value::binary-size(size), rest::binary>>), do: scan(rest)
  defp scan(<<111, size::32, _sign, _value::binary-size(size), rest::binary>>), do: scan(rest)
  # BINARY, BIT_BINARY, STRING
  defp scan(<<109, size::32, _value::binary-size(size), rest::binary>>), do: scan(rest)
  defp scan(<<77, size::32, _bits, _value::binary-size(size), rest::binary>>), do: scan(rest)
  defp scan(<<107, size::16, _value::binary-size(size), rest::binary>>), do: scan(rest)
  # SMALL_TUPLE, LARGE_TUPLE, LIST, MAP: the header only
  defp scan(<<104, _arity, rest::binary>>), do: scan(rest)
  defp scan(<<tag, _arity::32, rest::binary>>) when tag in [105, 108, 116], do: scan(rest)
  # NEW_FUN: carries its size
  defp scan(<<112, size::32, _fun::binary-size(size - 4), rest::binary>>), do: scan(rest)
  # The end, or a tag that holds a node name or a module: none of these is worth a parser.
  defp scan(_rest), do: :error

  defp check(name, rest), do: if(exists?(name), do: scan(rest), else: {:ok, name})

  defp exists?(name) do
    is_atom(String.to_existing_atom(name))
  rescue
    ArgumentError -> false
  end
end
