defmodule Portpool.Definition do
  @moduledoc false

  # What `use Portpool` puts into a module: the functions of `Portpool` without their first argument, and the options
  # from three places.

  alias Portpool.{Error, Options}

  @doc "Returns the code of a module that is its own pool."
  @spec functions(Macro.t()) :: Macro.t()
  def functions(options) do
    quote location: :keep do
      @portpool_options unquote(options)

      @doc "Returns a specification to run the pool under a supervisor."
      @spec child_spec(keyword) :: Supervisor.child_spec()
      def child_spec(options \\ []),
        do: unquote(__MODULE__).child_spec(__MODULE__, @portpool_options, options)

      @doc "Starts the pool, as `Portpool.start_link/1` does."
      @spec start_link(keyword) :: {:ok, pid} | {:error, Portpool.Error.t() | {:already_started, pid}}
      def start_link(options \\ []),
        do: unquote(__MODULE__).start_link(__MODULE__, @portpool_options, options)

      unquote(delegates())
      defoverridable child_spec: 1, start_link: 1
    end
  end

  # Functions whose first argument is the pool: their other arguments, and whether options follow.
  @functions [
    call: {[:module, :function, :args], true},
    call!: {[:module, :function, :args], true},
    cast: {[:module, :function, :args], true},
    async: {[:module, :function, :args], true},
    broadcast: {[:module, :function, :args], true},
    transaction: {[:fun], true},
    checkout: {[], true},
    stop: {[], true},
    resize: {[:size], false},
    reload: {[], false},
    status: {[], false},
    status: {[:form], false}
  ]

  defp delegates do
    for {name, {arguments, options?}} <- @functions do
      variables = Enum.map(arguments, &Macro.var(&1, __MODULE__))
      given = if options?, do: [Macro.var(:options, __MODULE__)], else: []
      heads = variables ++ Enum.map(given, &quote(do: unquote(&1) \\ []))

      quote do
        @doc unquote("See `Portpool.#{name}/#{1 + length(variables ++ given)}`.")
        def unquote(name)(unquote_splicing(heads)),
          do: Portpool.unquote(name)(__MODULE__, unquote_splicing(variables ++ given))
      end
    end
  end

  @spec child_spec(module, keyword, keyword) :: Supervisor.child_spec()
  def child_spec(module, used, given) do
    %{
      id: module,
      start: {module, :start_link, [given]},
      type: :supervisor,
      shutdown: module |> options(used, given) |> Options.child_shutdown()
    }
  end

  @spec start_link(module, keyword, keyword) :: {:ok, pid} | {:error, Error.t() | {:already_started, pid}}
  def start_link(module, used, given) do
    options = options(module, used, given)

    if Keyword.has_key?(options, :name),
      do: {:error, Options.refused(:name, "is that of the module, #{inspect(module)}")},
      else: Portpool.start_link([name: module] ++ options)
  end

  # Each place overrides those before it, option by option.
  defp options(module, used, given) do
    {otp_app, used} = Keyword.pop(used, :otp_app)
    configured = if otp_app, do: Application.get_env(otp_app, module, []), else: []
    used |> Keyword.merge(configured) |> Keyword.merge(given)
  end
end
