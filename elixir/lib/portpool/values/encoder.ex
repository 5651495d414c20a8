defprotocol Portpool.Encoder do
  @moduledoc """
  Says what your structs become before they go to Python.

  Without an implementation Python gets a dict, with `Atom("__struct__")` among its keys. (`Portpool.Bytes` becomes
  `bytes`, `Portpool.Tensor` an array, and Elixir's dates and times become those of Python.) With an implementation, the
  struct is replaced wherever it is among the arguments of a call: at any depth, in positional and keyword arguments, as
  the key of a map, inside another struct.

      defimpl Portpool.Encoder, for: MyApp.Money do
        def encode(money), do: [money.amount, Atom.to_string(money.currency)]
      end

  `@derive` makes a plain map of the fields, with atoms as keys and without `__struct__`:

      defmodule MyApp.Order do
        @derive {Portpool.Encoder, only: [:id, :stops]}
        defstruct [:id, :stops, :customer]
      end

  `only:` and `except:` choose the fields. Without them all fields are taken. To derive it for a struct of another
  library, use `Protocol.derive/3`:

      Protocol.derive(Portpool.Encoder, Decimal, only: [:sign, :coef, :exp])

  ## Rules

    * Structs inside the result are encoded too, and so is the result itself, once for each type. An implementation may
      therefore change some fields of a struct and return it.
    * Only structs are encoded. An implementation for a built-in type, such as `Tuple` or `PID`, has no effect.
    * If an implementation raises, throws or exits, the call fails with `:unencodable`. The message says where the struct
      is: `argument 2, key "stops", element 17`. `detail` has that as `path`, the name of the struct as `type`, and what
      was raised as `traceback`.
    * If two keys of a map become equal, the call fails with `:unencodable` too. Nothing is lost silently.
    * Only arguments are encoded. Results are what Python returned.

  ## Cost

  If nothing implements the protocol, arguments are not searched. (Protocols must be consolidated, which `mix` does by
  default.) Otherwise each call searches its arguments for structs, which takes less time than sending them. Terms are
  rebuilt only if a struct with an implementation is found.
  """

  @fallback_to_any true

  @doc "Returns what to send to Python in place of the struct."
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
