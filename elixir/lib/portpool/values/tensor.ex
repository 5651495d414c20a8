defmodule Portpool.Tensor do
  @moduledoc """
  An array of numbers, with any number of dimensions. In Python it is a numpy array.

      Portpool.Tensor.new(<<1.0::float-64-little, 2.0::float-64-little>>, {:f, 64}, {2})

  Arrays that Python returns become this struct. Types and shapes are those of [Nx](https://hexdocs.pm/nx), and so is the
  layout of the data, row by row and little-endian. Nothing is converted:

      tensor = Nx.iota({2, 3}, type: {:f, 64})
      {:ok, back} = Portpool.call(pool, :numpy, :sqrt, [
        Portpool.Tensor.new(Nx.to_binary(tensor), Nx.type(tensor), Nx.shape(tensor))
      ])
      back.data |> Nx.from_binary(back.type) |> Nx.reshape(back.shape)

  | type | in Python |
  |---|---|
  | `{:s, 8}`, `{:s, 16}`, `{:s, 32}`, `{:s, 64}` | `int8` to `int64` |
  | `{:u, 8}`, `{:u, 16}`, `{:u, 32}`, `{:u, 64}` | `uint8` to `uint64` |
  | `{:f, 16}`, `{:f, 32}`, `{:f, 64}` | `float16` to `float64` |
  | `{:c, 64}`, `{:c, 128}` | `complex64`, `complex128` |
  | any other, like `{:bf, 16}` | `portpool.Tensor`, with `type`, `shape` and `data` |

  The array is read-only; use `array.copy()` to write. Without numpy, every tensor is a `portpool.Tensor` in Python. Arrays
  of `bool` come back as `{:u, 8}`. If the data do not have the size that type and shape require, the struct becomes a dict,
  like other structs.
  """

  @enforce_keys [:data, :shape, :type]
  defstruct @enforce_keys

  @typedoc "The kind of the elements, and the number of bits of one element."
  @type element :: {kind :: atom, bits :: pos_integer}

  @type t :: %__MODULE__{data: binary, shape: tuple, type: element}

  @doc """
  Returns a tensor. The data must have the size that `type` and `shape` require.

  Raises `ArgumentError` if an argument is wrong.

      iex> Portpool.Tensor.new(<<1, 2, 3, 4, 5, 6>>, {:u, 8}, {2, 3}).shape
      {2, 3}
  """
  @spec new(binary, element, tuple) :: t
  def new(data, type, shape) when is_binary(data) do
    wanted = Enum.reduce(sizes(shape), bits(type), &(&1 * &2))

    if bit_size(data) != wanted do
      raise ArgumentError,
            "a tensor of type #{inspect(type)} and shape #{inspect(shape)} has #{wanted} bits, " <>
              "not #{bit_size(data)} (#{byte_size(data)} bytes)"
    end

    %__MODULE__{data: data, shape: shape, type: type}
  end

  def new(data, _type, _shape),
    do: raise(ArgumentError, "the data of a tensor are a binary, not #{inspect(data, limit: 5)}")

  defp bits({kind, bits}) when is_atom(kind) and is_integer(bits) and bits > 0, do: bits

  defp bits(type),
    do: raise(ArgumentError, "the type of a tensor is a tuple like {:f, 64}, not #{inspect(type)}")

  defp sizes(shape) do
    sizes = if is_tuple(shape), do: Tuple.to_list(shape), else: [shape]

    if is_tuple(shape) and Enum.all?(sizes, &(is_integer(&1) and &1 >= 0)),
      do: sizes,
      else: raise(ArgumentError, "the shape of a tensor is a tuple of sizes, not #{inspect(shape)}")
  end
end
