defprotocol Portpool.Encoder do
  @moduledoc """
  What a struct of yours becomes before it is sent to Python.

  Without an implementation a struct crosses as it is: Python gets a dict that has `Atom("__struct__")` among its keys
  (and `bytes` for `Portpool.Bytes`, an array for `Portpool.Tensor`, a date or time for those of Elixir). An
  implementation makes something else of it, wherever it stands in the arguments of a call: at any depth, in positional
  and keyword arguments, also as the key of a map or inside another struct.

      defimpl Portpool.Encoder, for: MyApp.Money do
        def encode(money), do: [money.amount, Atom.to_string(money.currency)]
      end

  `@derive` makes a plain map of the fields, with their atoms as keys and without `__struct__`:

      defmodule MyApp.Order do
        @derive {Portpool.Encoder, only: [:id, :stops]}
        defstruct [:id, :stops, :customer]
      end

  `only:` and `except:` choose the fields; without them all are taken. For a struct that is not yours there is
  `Protocol.derive/3`:

      Protocol.derive(Portpool.Encoder, Decimal, only: [:sign, :coef, :exp])

  ## Rules

    * Structs inside the result are encoded in their turn. The result itself is too, if it is a struct, but for each
      type once: an implementation may change some fields of a struct and return it.
    * Only structs are asked: an implementation for a built-in type like `Tuple` or `PID` has no effect.
    * An implementation that raises, throws or exits makes the call end with reason `:unencodable` and blame `:caller`.
      The message says where the struct stands: `argument 2, key "stops", element 17`. `detail` has that as `path`,
      the name of the struct as `type`, and as `traceback` what was raised and where.
    * If two keys of a map become the same, that is `:unencodable` too: nothing is lost in silence.
    * It is for arguments only. What comes back is what Python returned.

  ## Cost

  As long as nothing implements it no argument is looked at (once protocols are consolidated, as they are in every
  build of `mix` unless turned off). With an implementation each call looks for structs in its arguments, which takes
  somewhat less than encoding them does; terms are built anew only if one is found that has an implementation.
  """

  @fallback_to_any true

  @doc "Returns what is sent to Python in place of the struct."
  @spec encode(t) :: term
  def encode(struct)
end

defimpl Portpool.Encoder, for: Any do
  defmacro __deriving__(module, struct, options) do
    fields = fields(module, Map.keys(struct) -- [:__struct__], options)
    pairs = Enum.map(fields, &{&1, Macro.var(&1, __MODULE__)})

    quote do
      defimpl Portpool.Encoder, for: unquote(module) do
        def encode(%{unquote_splicing(pairs)}), do: %{unquote_splicing(pairs)}
      end
    end
  end

  def encode(struct), do: struct

  defp fields(_module, all, []), do: all
  defp fields(module, all, only: only) when is_list(only), do: known(module, all, only)
  defp fields(module, all, except: except) when is_list(except), do: all -- known(module, all, except)

  defp fields(module, _all, options) do
    raise ArgumentError,
          "Portpool.Encoder of #{inspect(module)} is derived with only: or except: and a list of fields, " <>
            "not with #{inspect(options)}"
  end

  defp known(module, all, fields) do
    case Enum.reject(fields, &(&1 in all)) do
      [] -> fields
      unknown -> raise ArgumentError, "#{inspect(module)} has no #{inspect(unknown)}, only #{inspect(all)}"
    end
  end
end
