defmodule Portpool.Options.Type do
  @moduledoc false

  # Which values each type allows, and the form in which the server gets them.

  # docs/protocol.md 7.2. Python's numbers for limits have a sign.
  @rlimits ~w(as core cpu fsize memlock msgqueue nice nofile nproc rtprio rttime sigpending stack)a
  @largest_limit 0x7FFFFFFFFFFFFFFF

  # docs/protocol.md 7.3
  @most_retries 10

  # The longest time that a timer of the VM can run.
  @longest 0xFFFFFFFF

  alias Portpool.Options.Paths

  @type t ::
          :name
          | {:integer, Range.t(), [atom]}
          | :ms
          | :ms_or_infinity
          | {:one_of, [atom]}
          | :program
          | :binary
          | :path
          | :paths
          | :names
          | :mfa
          | :env
          | :rlimits
          | :cgroup
          | :kwargs
          | :retry
          | :term
          | :shutdown

  @doc "Returns the value as the server gets it, or what is wrong with it."
  @spec check(t, term) :: {:ok, term} | {:error, String.t()}
  def check(type, value) do
    case cast(type, value) do
      {:ok, cast} -> {:ok, cast}
      {:error, message} -> {:error, message}
      # These may hold secrets.
      :error when type in [:env, :mfa] -> {:error, "must be #{expected(type)}"}
      :error -> {:error, "must be #{expected(type)}, not #{inspect(value)}"}
    end
  end

  defp cast(:name, name) when is_atom(name), do: ok_if(name not in [true, false, :undefined], name)
  defp cast(:name, {:global, _term} = name), do: {:ok, name}
  defp cast(:name, {:via, module, _term} = name) when is_atom(module), do: {:ok, name}

  defp cast({:integer, range, words}, value),
    do: ok_if((is_integer(value) and value in range) or value in words, value)

  defp cast({:one_of, words}, value), do: ok_if(value in words, value)
  defp cast(:ms, value), do: ok_if(is_integer(value) and value in 0..@longest, value)
  defp cast(:ms_or_infinity, :infinity), do: {:ok, :infinity}
  defp cast(:ms_or_infinity, value), do: cast(:ms, value)
  defp cast(:shutdown, :brutal_kill), do: {:ok, :brutal_kill}
  defp cast(:shutdown, value), do: cast(:ms_or_infinity, value)
  defp cast(:term, value), do: {:ok, value}

  defp cast(:path, {app, path}), do: of_app(app, path)
  defp cast(:path, value), do: with({:ok, path} <- path(value), do: Paths.expand(path))
  defp cast(:paths, values), do: all(values, &cast(:path, &1))
  defp cast(:names, values), do: all(values, &name/1)

  # Every worker that starts would refuse arguments that are not a list.
  defp cast(:mfa, {module, function, args}) when is_list(args) and length(args) >= 0,
    do:
      with(
        {:ok, module} <- name(module),
        {:ok, function} <- name(function),
        do: {:ok, {module, function, args}}
      )

  defp cast(:program, {app, path}), do: of_app(app, path)

  # A name without a slash is looked up in PATH.
  defp cast(:program, value) do
    with {:ok, path} <- path(value), do: if(path =~ "/", do: Paths.expand(path), else: {:ok, path})
  end

  defp cast(:binary, :venv), do: {:ok, :venv}
  defp cast(:binary, value), do: cast(:path, value)

  defp cast(:env, pairs) when is_map(pairs), do: cast(:env, Map.to_list(pairs))
  defp cast(:env, pairs), do: with({:ok, pairs} <- all(pairs, &variable/1), do: {:ok, Map.new(pairs)})

  defp cast(:cgroup, word) when word in [:auto, :none], do: {:ok, word}

  defp cast(:cgroup, value),
    do: with({:ok, path} <- name(value), do: ok_if(Path.type(path) == :absolute, path))

  defp cast(:rlimits, limits) when is_map(limits), do: cast(:rlimits, Map.to_list(limits))

  defp cast(:rlimits, limits),
    do: with({:ok, limits} <- all(limits, &rlimit/1), do: {:ok, Map.new(limits)})

  defp cast(:kwargs, kwargs) when is_map(kwargs), do: {:ok, kwargs}
  defp cast(:kwargs, kwargs), do: if(Keyword.keyword?(kwargs), do: {:ok, Map.new(kwargs)}, else: :error)

  defp cast(:retry, %{max: max} = retry) when map_size(retry) == 1 and max in 0..@most_retries, do: {:ok, max}
  defp cast(:retry, [{:max, max}]) when max in 0..@most_retries, do: {:ok, max}

  defp cast(_type, _value), do: :error

  defp of_app(app, path) when is_atom(app), do: with({:ok, path} <- path(path), do: Paths.of_app(app, path))
  defp of_app(_app, _path), do: :error

  defp rlimit({name, most} = limit) when name in @rlimits and most in 0..@largest_limit, do: {:ok, limit}
  defp rlimit(_other), do: :error

  # System calls accept no NUL, and no `=` in a name.
  defp variable({key, value}) do
    with {:ok, key} <- name(key),
         {:ok, key} <- ok_if(not String.contains?(key, ["=", <<0>>]), key),
         {:ok, value} <- setting(value),
         do: {:ok, {key, value}}
  end

  defp variable(_other), do: :error

  defp setting(false), do: {:ok, false}

  defp setting(value),
    do: with({:ok, text} <- text(value), do: ok_if(not String.contains?(text, <<0>>), text))

  # The paths of the system are bytes, and need not be UTF-8.
  defp path(<<_, _rest::binary>> = bytes), do: {:ok, bytes}
  defp path(value), do: name(value)

  defp name(name) when is_atom(name) and name not in [nil, true, false], do: {:ok, Atom.to_string(name)}
  defp name(""), do: :error
  defp name(value), do: text(value)

  defp text(value) when is_binary(value), do: ok_if(String.valid?(value), value)

  defp text([_ | _] = charlist) do
    {:ok, List.to_string(charlist)}
  rescue
    _error in [ArgumentError, UnicodeConversionError] -> :error
  end

  defp text(_value), do: :error

  defp all([], _cast), do: {:ok, []}

  defp all([value | values], cast) do
    with {:ok, value} <- cast.(value), {:ok, values} <- all(values, cast), do: {:ok, [value | values]}
  end

  defp all(_no_list, _cast), do: :error

  defp ok_if(true, value), do: {:ok, value}
  defp ok_if(false, _value), do: :error

  defp expected(:name), do: "an atom, {:global, term} or {:via, module, term}"
  defp expected({:integer, %Range{first: first, last: last}, []}), do: "an integer from #{first} to #{last}"

  defp expected({:integer, _range, words} = type),
    do: expected(put_elem(type, 2, [])) <> " or " <> words(words)

  defp expected({:one_of, words}), do: words(words)
  defp expected(:ms), do: "milliseconds, an integer from 0 to #{@longest}"
  defp expected(:ms_or_infinity), do: expected(:ms) <> " or :infinity"
  defp expected(:shutdown), do: expected(:ms) <> ", :infinity or :brutal_kill"
  defp expected(:program), do: "the name or path of a program, or {app, path}"
  defp expected(:binary), do: "a path, {app, path} or :venv"
  defp expected(:path), do: "a path or {app, path}"
  defp expected(:names), do: "a list of names"
  defp expected(:mfa), do: "a module, a function and a list of arguments, as in {:models, :load, []}"
  defp expected(:paths), do: "a list of paths or {app, path}"

  defp expected(:env),
    do:
      "a map or list of pairs that gives each name a string or false. No name has a `=`, and nothing has a NUL byte"

  defp expected(:cgroup), do: ":auto, :none or the absolute path of a cgroup"

  defp expected(:rlimits),
    do: "a map or keyword list from #{Enum.map_join(@rlimits, ", ", &inspect/1)} to a number"

  defp expected(:kwargs), do: "a map or keyword list"
  defp expected(:retry), do: "[max: n] with n from 0 to #{@most_retries}, as in `retry: [max: 2]`"

  defp words(words), do: Enum.map_join(words, " or ", &inspect/1)
end
