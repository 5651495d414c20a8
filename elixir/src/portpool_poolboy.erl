%% @doc What code that comes from Poolboy expects: the module `Portpool.Poolboy' for Erlang.
-module(portpool_poolboy).

-export([status/1]).

%% @doc The state of a pool in the form of `poolboy:status/1'.
-spec status(portpool:pool()) ->
    {ready | overflow | full, non_neg_integer(), non_neg_integer(), non_neg_integer()} | {error, portpool:error()}.
status(Pool) ->
    case 'Elixir.Portpool.Poolboy':status(Pool) of
        {error, Error} -> {error, maps:without(['__struct__', '__exception__'], Error)};
        Status -> Status
    end.
