%% @doc A pool of Python workers, for Erlang: the module `Portpool' in Erlang's words.
%%
%% ```
%% {ok, _} = portpool:start_link(#{name => python, size => 4, python_path => ["priv/python"]}),
%% {ok, 4.0} = portpool:call(python, math, sqrt, [16]),
%% {error, #{reason := undef}} = portpool:call(python, math, sqroot, [16]).
%% '''
%%
%% It differs from `Portpool' in three things: options are a map or a property list; an error is
%% `{error, Map}', and `format_error/1' makes text of it; and `None' is `undefined', unless the option `none' says `nil'.
-module(portpool).

-export([child_spec/1, start_link/1, stop/1, stop/2]).
-export([call/4, call/5, cast/4, cast/5, async/4, async/5, await/1, cancel/1, broadcast/4, broadcast/5]).
-export([checkout/1, checkout/2, checkin/1, checkin/2, transaction/2, transaction/3]).
-export([status/1, status/2, resize/2, reload/1, bytes/1, format_error/1]).
-export_type([pool/0, worker/0, name/0, options/0, error/0, outcome/0]).

-define(PORTPOOL, 'Elixir.Portpool').
-define(ERROR, 'Elixir.Portpool.Error').

%% The name under which a pool is registered, or its pid.
-type pool() :: atom() | pid() | {global, term()} | {via, module(), term()}.
%% A worker that is checked out; it stands in place of a pool in calls.
-opaque worker() :: map().
%% A module or function of Python, also a dotted one.
-type name() :: atom() | unicode:unicode_binary() | string().
-type options() :: #{atom() => term()} | [{atom(), term()}].
%% docs/protocol.md 9.1, with the Python stack as `frames'.
-type error() :: #{reason := atom(), message := binary(), phase := checkout | start | call | reply,
                   blame := caller | worker | server, retryable := boolean(), detail := map(), frames := [map()]}.
%% `{ok, Value, Meta}' with the option `meta' only.
-type outcome() :: {ok, term()} | {ok, term(), map()} | {error, error()}.

%% @doc A child specification, for a supervisor. Its `shutdown' lets running calls end.
-spec child_spec(options()) -> supervisor:child_spec().
child_spec(Options) ->
    (?PORTPOOL:child_spec(pool_options(Options)))#{start => {?MODULE, start_link, [Options]}}.

%% @doc Starts a pool, and returns when it can be called. The options are those of `Portpool'; a name may be `{local, Atom}' too.
-spec start_link(options()) -> {ok, pid()} | {error, error() | {already_started, pid()}}.
start_link(Options) ->
    plain(?PORTPOOL:start_link(pool_options(Options))).

%% @doc Stops a pool: what waits gets `shutdown', what runs has `drain_timeout' to end.
-spec stop(pool()) -> ok.
stop(Pool) -> stop(Pool, []).

-spec stop(pool(), options()) -> ok.
stop(Pool, Options) -> ?PORTPOOL:stop(Pool, list(Options)).

%% @doc Calls a function of Python and waits for its outcome.
-spec call(pool() | worker(), name(), name(), [term()]) -> outcome().
call(Pool, Module, Function, Args) -> call(Pool, Module, Function, Args, []).

-spec call(pool() | worker(), name(), name(), [term()], options()) -> outcome().
call(Pool, Module, Function, Args, Options) ->
    plain(?PORTPOOL:call(Pool, Module, Function, Args, list(Options))).

%% @doc Calls a function of Python for what it does: nobody hears what it returns, and a failure is logged.
-spec cast(pool() | worker(), name(), name(), [term()]) -> ok | {error, error()}.
cast(Pool, Module, Function, Args) -> cast(Pool, Module, Function, Args, []).

-spec cast(pool() | worker(), name(), name(), [term()], options()) -> ok | {error, error()}.
cast(Pool, Module, Function, Args, Options) ->
    plain(?PORTPOOL:cast(Pool, Module, Function, Args, list(Options))).

%% @doc Calls a function of Python and returns at once: the outcome is that of `await/1' or `cancel/1'.
-spec async(pool() | worker(), name(), name(), [term()]) -> 'Elixir.Portpool.Async':t().
async(Pool, Module, Function, Args) -> async(Pool, Module, Function, Args, []).

-spec async(pool() | worker(), name(), name(), [term()], options()) -> 'Elixir.Portpool.Async':t().
async(Pool, Module, Function, Args, Options) ->
    ?PORTPOOL:async(Pool, Module, Function, Args, list(Options)).

%% @doc Waits for the outcome of a call, in the process that made it.
-spec await('Elixir.Portpool.Async':t()) -> outcome().
await(Async) -> plain(?PORTPOOL:await(Async)).

%% @doc Ends a call. Its outcome is `cancelled', or what came first.
-spec cancel('Elixir.Portpool.Async':t()) -> outcome().
cancel(Async) -> plain(?PORTPOOL:cancel(Async)).

%% @doc Calls a function on every worker that is ready.
-spec broadcast(pool(), name(), name(), [term()]) -> [outcome()] | {error, error()}.
broadcast(Pool, Module, Function, Args) -> broadcast(Pool, Module, Function, Args, []).

-spec broadcast(pool(), name(), name(), [term()], options()) -> [outcome()] | {error, error()}.
broadcast(Pool, Module, Function, Args, Options) ->
    case ?PORTPOOL:broadcast(Pool, Module, Function, Args, list(Options)) of
        Outcomes when is_list(Outcomes) -> [plain(Outcome) || Outcome <- Outcomes];
        Error -> plain(Error)
    end.

%% @doc Takes a worker out of the pool, until `checkin/1'.
-spec checkout(pool()) -> {ok, worker()} | {error, error()}.
checkout(Pool) -> checkout(Pool, []).

-spec checkout(pool(), options()) -> {ok, worker()} | {error, error()}.
checkout(Pool, Options) -> plain(?PORTPOOL:checkout(Pool, list(Options))).

%% @doc Gives a worker back; with `broken' it is replaced.
-spec checkin(worker()) -> ok | {error, error()}.
checkin(Worker) -> checkin(Worker, []).

-spec checkin(worker(), options()) -> ok | {error, error()}.
checkin(Worker, Options) -> plain(?PORTPOOL:checkin(Worker, list(Options))).

%% @doc Runs a function with a worker of its own. If it fails the worker is replaced, and the exception goes on.
-spec transaction(pool(), fun((worker()) -> Result)) -> {ok, Result} | {error, error()}.
transaction(Pool, Fun) -> transaction(Pool, Fun, []).

-spec transaction(pool(), fun((worker()) -> Result), options()) -> {ok, Result} | {error, error()}.
transaction(Pool, Fun, Options) -> plain(?PORTPOOL:transaction(Pool, Fun, list(Options))).

%% @doc The state of a pool, docs/protocol.md 10.
-spec status(pool()) -> {ok, map()} | {error, error()}.
status(Pool) -> plain(?PORTPOOL:status(Pool)).

%% @doc The state of a pool as Poolboy has it.
-spec status(pool(), poolboy) ->
    {ready | overflow | full, non_neg_integer(), non_neg_integer(), non_neg_integer()} | {error, error()}.
status(Pool, poolboy) -> plain(?PORTPOOL:status(Pool, poolboy)).

%% @doc Gives a running pool another size.
-spec resize(pool(), pos_integer()) -> ok | {error, error()}.
resize(Pool, Size) -> plain(?PORTPOOL:resize(Pool, Size)).

%% @doc Replaces all workers by new ones, with the code as it now is.
-spec reload(pool()) -> ok | {error, error()}.
reload(Pool) -> plain(?PORTPOOL:reload(Pool)).

%% @doc Marks a binary as one that is `bytes' in Python.
-spec bytes(binary()) -> map().
bytes(Binary) -> ?PORTPOOL:bytes(Binary).

%% @doc The message of an error and, where there is one, the traceback that Python would print.
-spec format_error(error()) -> unicode:unicode_binary().
format_error(Error) -> ?ERROR:message(Error#{'__struct__' => ?ERROR, '__exception__' => true}).

%% What is neither a map nor a list is for Portpool to refuse.
pool_options(Options) ->
    case list(Options) of
        List when is_list(List) -> [name(Option) || Option <- List] ++ none(List);
        Other -> Other
    end.

none(Options) ->
    case lists:keymember(none, 1, Options) of
        true -> [];
        false -> [{none, undefined}]
    end.

name({name, {local, Name}}) -> {name, Name};
name(Option) -> Option.

list(Options) when is_map(Options) -> maps:to_list(Options);
list(Options) when is_list(Options) -> proplists:unfold(Options);
list(Options) -> Options.

plain({error, #{'__struct__' := ?ERROR} = Error}) ->
    {error, maps:without(['__struct__', '__exception__'], Error)};
plain(Outcome) ->
    Outcome.
