defmodule Portpool.Definition do
  @moduledoc false

  # What `use Portpool` puts into a module: the functions of `Portpool`, those that take a pool without that argument,
  # and the options from three places.

  alias Portpool.{Error, Options, Pool}
  alias Portpool.Options.Secret

  @doc "Returns the code of a module that is its own pool."
  @spec functions(Macro.t()) :: Macro.t()
  def functions(options) do
    quote location: :keep do
      @portpool_options unquote(options)

      @doc "Returns a child specification to run the pool under a supervisor."
      @spec child_spec(keyword) :: Supervisor.child_spec()
      def child_spec(options \\ []),
        do: unquote(__MODULE__).child_spec(__MODULE__, @portpool_options, options)

      @doc "Starts the pool, as `Portpool.start_link/1` does."
      @spec start_link(keyword) :: {:ok, pid} | {:error, Portpool.Error.t() | {:already_started, pid}}
      def start_link(options \\ []),
        do: unquote(__MODULE__).start_link(__MODULE__, @portpool_options, options)

      # An old name, which says the new one.
      @doc false
      @spec status(term) :: {:error, Portpool.Error.t()}
      def status(form), do: Portpool.status(__MODULE__, form)

      unquote(delegates())
      defoverridable child_spec: 1, start_link: 1
    end
  end

  @call [module: quote(do: Portpool.text()), function: quote(do: Portpool.text()), args: quote(do: [term])]
  @options [options: {quote(do: keyword), []}]
  @async quote(do: Portpool.Async.t())
  @worker quote(do: Portpool.Worker.t())
  @outcome quote(do: Portpool.outcome())
  @error quote(do: {:error, Portpool.Error.t()})
  @ok_or_error quote(do: :ok | {:error, Portpool.Error.t()})

  # Functions whose first argument is the pool: `{name, the other arguments, result}`. An argument is
  # `{name, type}`, or `{name, {type, default}}`.
  @of_the_pool [
    {:call, @call ++ @options, @outcome},
    {:call!, @call ++ @options, quote(do: term)},
    {:call_with_meta, @call ++ @options, quote(do: {:ok, term, Portpool.meta()} | unquote(@error))},
    {:cast, @call ++ @options, @ok_or_error},
    {:async, @call ++ @options, @async},
    {:broadcast, @call ++ @options, quote(do: {:ok, [unquote(@outcome)]} | unquote(@error))},
    {:transaction, [fun: quote(do: (unquote(@worker) -> term))] ++ @options,
     quote(do: {:ok, term} | unquote(@error))},
    {:checkout, @options, quote(do: {:ok, unquote(@worker)} | unquote(@error))},
    {:stop, @options, quote(do: :ok)},
    {:resize, [size: quote(do: pos_integer)], @ok_or_error},
    {:reload, [], @ok_or_error},
    {:flush_logs, [], @ok_or_error},
    {:status, [], quote(do: {:ok, map} | unquote(@error))}
  ]

  # All others, as they are.
  @others [
    {:await, [async: @async, timeout: {quote(do: timeout), :infinity}], @outcome},
    {:yield, [async: @async, timeout: {quote(do: timeout), 5_000}], quote(do: unquote(@outcome) | nil)},
    {:await_many, [asyncs: quote(do: [unquote(@async)]), timeout: {quote(do: timeout), :infinity}],
     quote(do: [unquote(@outcome)] | unquote(@error))},
    {:async_result, [async: @async, message: quote(do: term)], quote(do: unquote(@outcome) | :unknown)},
    {:cancel, [async: @async], @outcome},
    {:checkin, [worker: @worker] ++ @options, @ok_or_error},
    {:bytes, [binary: quote(do: binary)], quote(do: Portpool.Bytes.t())}
  ]

  defp delegates do
    Enum.map(@of_the_pool, &delegate(&1, [quote(do: __MODULE__)])) ++ Enum.map(@others, &delegate(&1, []))
  end

  defp delegate({name, arguments, result}, pool) do
    arity = length(pool) + length(arguments)
    given = pool ++ for {argument, _type} <- arguments, do: Macro.var(argument, __MODULE__)

    quote do
      @doc unquote("See `Portpool.#{name}/#{arity}`.")
      unquote_splicing(specs(name, arguments, result))

      def unquote(name)(unquote_splicing(Enum.map(arguments, &head/1))),
        do: Portpool.unquote(name)(unquote_splicing(given))
    end
  end

  defp head({argument, {_type, default}}),
    do: quote(do: unquote(Macro.var(argument, __MODULE__)) \\ unquote(default))

  defp head({argument, _type}), do: Macro.var(argument, __MODULE__)

  # One with, and one without the argument that has a default.
  defp specs(name, arguments, result) do
    required = for {_argument, type} <- arguments, not match?({_type, _default}, type), do: type

    for types <- Enum.uniq([required, Enum.map(arguments, &type/1)]) do
      quote do: @spec(unquote(name)(unquote_splicing(types)) :: unquote(result))
    end
  end

  defp type({_argument, {type, _default}}), do: type
  defp type({_argument, type}), do: type

  @spec child_spec(module, term, term) :: Supervisor.child_spec()
  def child_spec(module, used, given) do
    %{
      id: module,
      start: {Pool, :start_child, [module, :start_link, [Secret.hide(given)]]},
      type: :supervisor,
      shutdown: shutdown(module, used, given)
    }
  end

  # Wrong options are refused when the pool starts.
  defp shutdown(module, used, given) do
    case options(module, used, given) do
      {:ok, options} -> Options.child_shutdown(options)
      {:error, _error} -> Options.child_shutdown([])
    end
  end

  @spec start_link(module, term, term) :: {:ok, pid} | {:error, Error.t() | {:already_started, pid}}
  def start_link(module, used, given) do
    with {:ok, options} <- options(module, used, given),
         :ok <- unnamed(module, options),
         do: Portpool.start_link([name: module] ++ options)
  end

  defp unnamed(module, options) do
    if Keyword.has_key?(options, :name),
      do:
        {:error,
         Options.refused(:name, "cannot be set: the pool has the name of its module, #{inspect(module)}")},
      else: :ok
  end

  # Each place overrides those before it, option by option.
  defp options(module, used, given) do
    with {:ok, used} <- keywords(used, "the options of `use Portpool` in #{inspect(module)}"),
         {otp_app, used} = Keyword.pop(used, :otp_app),
         {:ok, configured} <- configured(otp_app, module),
         {:ok, given} <- keywords(given, "the options of #{inspect(module)}"),
         do: {:ok, used |> Keyword.merge(configured) |> Keyword.merge(given)}
  end

  defp configured(nil, _module), do: {:ok, []}

  defp configured(app, module) when is_atom(app) do
    app
    |> Application.get_env(module, [])
    |> keywords("the configuration of #{inspect(module)} in the application #{inspect(app)}")
  end

  defp configured(app, module),
    do:
      {:error,
       Options.refused(
         :otp_app,
         "of #{inspect(module)} must be the name of an application, not #{inspect(app)}"
       )}

  # The value is not shown: an environment may hold secrets.
  defp keywords(options, where) do
    if Keyword.keyword?(options),
      do: {:ok, options},
      else: {:error, Error.new(:bad_request, where <> " must be a keyword list")}
  end
end
