defmodule Portpool.Encoding do
  @moduledoc false

  # Applies `Portpool.Encoder` to the arguments of a call.
  #
  # Most applications implement nothing, and the consolidated protocol says so in a constant: then no argument is
  # looked at. Else a search, which builds nothing, and only where it finds something a second walk, which does.

  alias Portpool.{Encoder, Error}

  # As the server writes addresses: the most steps that are shown, and the longest text of a key.
  @most_steps 24
  @longest_key 40

  @doc "Returns the arguments and the options of a call with every struct encoded that has an implementation."
  @spec run(term, map) :: {:ok, term, map} | {:error, Error.t()}
  def run(args, options) do
    if idle?(), do: {:ok, args, options}, else: search(args, options)
  end

  # Before consolidation, which is what Dialyzer reads, the answer is always another one.
  @dialyzer {:no_match, idle?: 0}
  @doc "Tells whether nothing implements the protocol."
  @spec idle?() :: boolean
  def idle?, do: Encoder.__protocol__(:impls) == {:consolidated, [Any]}

  defp search(args, options) do
    if encodable?(args) or encodable?(Map.get(options, :kwargs)),
      do: encode(args, options),
      else: {:ok, args, options}
  end

  @doc "Tells whether a term has a struct with an implementation, at any depth."
  @spec encodable?(term) :: boolean
  # The most frequent elements of long lists.
  def encodable?([leaf | rest]) when is_number(leaf) or is_binary(leaf) or is_atom(leaf), do: encodable?(rest)
  def encodable?([first | rest]), do: encodable?(first) or encodable?(rest)

  def encodable?(%{__struct__: module} = struct) when is_atom(module) and module != nil,
    do: implemented?(struct) or fields?(struct)

  def encodable?(map) when is_map(map), do: fields?(map)
  def encodable?(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> encodable?()
  def encodable?(_leaf), do: false

  defp fields?(map), do: encodable?(:maps.values(map)) or encodable?(:maps.keys(map))

  defp implemented?(struct), do: Encoder.impl_for(struct) != Encoder.Any

  # The server refuses arguments that are not a list.
  defp encode(args, options) do
    args = elements(args, 1, :argument, [])

    options =
      if is_map_key(options, :kwargs),
        do: Map.update!(options, :kwargs, &pairs(&1, :keyword, [])),
        else: options

    {:ok, args, options}
  catch
    {__MODULE__, error} -> {:error, error}
  end

  # A path has the innermost step first.
  defp walk([_ | _] = list, path), do: elements(list, 1, :element, path)
  defp walk(tuple, path) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> walk(path) |> List.to_tuple()

  defp walk(%{__struct__: module} = struct, path) when is_atom(module) and module != nil,
    do: struct(struct, path, [])

  defp walk(map, path) when is_map(map), do: pairs(map, :key, path)
  defp walk(leaf, _path), do: leaf

  # The tail of an improper list counts as its last element.
  defp elements([first | rest], nth, word, path),
    do: [walk(first, [{word, nth} | path]) | elements(rest, nth + 1, word, path)]

  defp elements([], _nth, _word, _path), do: []
  defp elements(tail, nth, word, path), do: walk(tail, [{word, nth} | path])

  # `done` are the types that this very place has had.
  defp struct(%{__struct__: module} = struct, path, done) do
    if module in done or not implemented?(struct),
      do: pairs(struct, :key, path),
      else: struct |> ask(path) |> again(path, [module | done])
  end

  defp again(%{__struct__: module} = struct, path, done) when is_atom(module) and module != nil,
    do: struct(struct, path, done)

  defp again(term, path, _done), do: walk(term, path)

  defp pairs(map, word, path) do
    encoded =
      for {key, value} <- :maps.to_list(map), into: %{} do
        path = [{word, key} | path]
        {walk(key, path), walk(value, path)}
      end

    if map_size(encoded) == map_size(map), do: encoded, else: throw({__MODULE__, collision(path)})
  end

  defp ask(struct, path) do
    Encoder.encode(struct)
  catch
    kind, reason -> throw({__MODULE__, failed(struct, path, kind, reason, __STACKTRACE__)})
  end

  defp failed(%{__struct__: module}, path, kind, reason, stacktrace) do
    reason = if kind == :error, do: Exception.normalize(:error, reason, stacktrace), else: reason
    message = "Portpool.Encoder of #{inspect(module)} " <> happened(kind, reason)
    traceback = Exception.format(kind, reason, stacktrace)
    unencodable(message, path, %{type: inspect(module), traceback: traceback})
  end

  defp happened(:error, %kind{} = error), do: "raised #{inspect(kind)}: #{Exception.message(error)}"
  defp happened(:throw, term), do: "threw #{inspect(term)}"
  defp happened(:exit, reason), do: "exited: #{Exception.format_exit(reason)}"

  defp collision(path),
    do: unencodable("key collision: two keys of a map become the same by Portpool.Encoder", path, %{})

  defp unencodable(message, path, detail) do
    address = address(path)
    Error.new(:unencodable, Enum.join(address ++ [message], ": "), Map.put(detail, :path, Enum.join(address)))
  end

  defp address([]), do: []

  defp address(path) do
    steps = path |> Enum.reverse() |> Enum.map(&step/1)
    hidden = length(steps) - @most_steps
    [Enum.join(if(hidden > 0, do: shorten(steps, hidden), else: steps), ", ")]
  end

  defp shorten(steps, hidden) do
    half = div(@most_steps, 2)
    Enum.take(steps, half) ++ [".. #{hidden} more .."] ++ Enum.take(steps, -half)
  end

  defp step({word, nth}) when word in [:argument, :element], do: "#{word} #{nth}"
  defp step({word, key}), do: "#{word} #{key |> inspect(limit: 5) |> short()}"

  defp short(text) do
    if String.length(text) > @longest_key, do: String.slice(text, 0, @longest_key) <> "..", else: text
  end
end
