%% @doc A pool of Python workers: the module `Portpool' for Erlang.
%%
%% ```
%% {ok, _} = portpool:start_link(#{name => python, size => 4, python_path => ["priv/python"]}),
%% {ok, 4.0} = portpool:call(python, math, sqrt, [16]),
%% {error, #{reason := undef}} = portpool:call(python, math, sqroot, [16]).
%% '''
%%
%% It differs from `Portpool' in three ways: options are a map or a property list; an error is `{error, Map}', and
%% `format_error/1' makes text of it; and `None' is `undefined', unless the option `none_as' says `nil'.
-module(portpool).

-export([child_spec/1, start_link/1, stop/1, stop/2]).
-export([call/4, call/5, call_with_meta/4, call_with_meta/5, cast/4, cast/5, broadcast/4, broadcast/5]).
-export([async/4, async/5, await/1, await/2, yield/1, yield/2, await_many/1, await_many/2, async_result/2, cancel/1]).
-export([checkout/1, checkout/2, checkin/1, checkin/2, transaction/2, transaction/3]).
-export([status/1, status/2, resize/2, reload/1, flush_logs/1, bytes/1, format_error/1]).
-export_type([pool/0, worker/0, async/0, name/0, options/0, error/0, outcome/0, meta/0]).

-define(PORTPOOL, 'Elixir.Portpool').
-define(ERROR, 'Elixir.Portpool.Error').
-define(SECRET, 'Elixir.Portpool.Options.Secret').

%% The name under which a pool is registered, or its pid.
-type pool() :: atom() | pid() | {global, term()} | {via, module(), term()}.
%% A worker that is checked out; it stands in place of a pool in calls.
-opaque worker() :: map().
%% A call in flight. `ref' is the reference in its one message.
-type async() :: #{ref := reference(), caller := pid(), atom() => term()}.
%% A Python module or function; it may be dotted.
-type name() :: atom() | unicode:unicode_binary() | string().
-type options() :: #{atom() => term()} | [{atom(), term()}].
%% docs/protocol.md 9.1, with the Python stack as `frames'.
-type error() :: #{reason := atom(), message := binary(), phase := checkout | start | call | reply,
                   blame := caller | worker | server, retryable := boolean(), detail := map(), frames := [map()]}.
-type outcome() :: {ok, term()} | {error, error()}.
%% How a call ran: docs/protocol.md 5.3.
-type meta() :: map().

%% @doc A child specification, for a supervisor. Its `shutdown' lets running calls end.
-spec child_spec(options()) -> supervisor:child_spec().
child_spec(Options) ->
    (?PORTPOOL:child_spec(pool_options(Options)))#{start => {?MODULE, start_link, [?SECRET:hide(Options)]}}.

%% @doc Starts a pool, and returns when it can be called. The options are those of `Portpool'; a name may be `{local, Atom}' too.
-spec start_link(options()) -> {ok, pid()} | {error, error() | {already_started, pid()}}.
start_link(Options) ->
    plain(?PORTPOOL:start_link(pool_options(Options))).

%% @doc Stops a pool: what waits gets `shutdown', what runs has `drain_timeout' to end.
-spec stop(pool()) -> ok.
stop(Pool) -> stop(Pool, []).

-spec stop(pool(), options()) -> ok.
stop(Pool, Options) -> ?PORTPOOL:stop(Pool, list(Options)).

%% @doc Calls a Python function and waits for its outcome.
-spec call(pool() | worker(), name(), name(), [term()]) -> outcome().
call(Pool, Module, Function, Args) -> call(Pool, Module, Function, Args, []).

-spec call(pool() | worker(), name(), name(), [term()], options()) -> outcome().
call(Pool, Module, Function, Args, Options) ->
    plain(?PORTPOOL:call(Pool, Module, Function, Args, list(Options))).

%% @doc Like `call/5', but also returns how the call ran.
-spec call_with_meta(pool() | worker(), name(), name(), [term()]) -> {ok, term(), meta()} | {error, error()}.
call_with_meta(Pool, Module, Function, Args) -> call_with_meta(Pool, Module, Function, Args, []).

-spec call_with_meta(pool() | worker(), name(), name(), [term()], options()) ->
    {ok, term(), meta()} | {error, error()}.
call_with_meta(Pool, Module, Function, Args, Options) ->
    plain(?PORTPOOL:call_with_meta(Pool, Module, Function, Args, list(Options))).

%% @doc Calls a Python function and does not wait. Its result is dropped; a failure is logged.
-spec cast(pool() | worker(), name(), name(), [term()]) -> ok | {error, error()}.
cast(Pool, Module, Function, Args) -> cast(Pool, Module, Function, Args, []).

-spec cast(pool() | worker(), name(), name(), [term()], options()) -> ok | {error, error()}.
cast(Pool, Module, Function, Args, Options) ->
    plain(?PORTPOOL:cast(Pool, Module, Function, Args, list(Options))).

%% @doc Calls a Python function and returns at once. The call sends one message: `{Ref, Packet}', or a `DOWN' with that
%% reference. `await/2' and the others receive it; `async_result/2' is for your own `receive' or `handle_info/2'.
-spec async(pool() | worker(), name(), name(), [term()]) -> async().
async(Pool, Module, Function, Args) -> async(Pool, Module, Function, Args, []).

-spec async(pool() | worker(), name(), name(), [term()], options()) -> async().
async(Pool, Module, Function, Args, Options) ->
    ?PORTPOOL:async(Pool, Module, Function, Args, list(Options)).

%% @doc Waits for the outcome of a call, in the process that made it.
-spec await(async()) -> outcome().
await(Async) -> await(Async, infinity).

%% @doc Waits for the outcome of a call. After `Timeout' ms the call is cancelled.
-spec await(async(), timeout()) -> outcome().
await(Async, Timeout) -> plain(?PORTPOOL:await(Async, Timeout)).

%% @doc Waits for the outcome of a call for 5000 ms.
-spec yield(async()) -> outcome() | undefined.
yield(Async) -> yield(Async, 5000).

%% @doc Waits for the outcome of a call. After `Timeout' ms it returns `undefined', and the call goes on.
-spec yield(async(), timeout()) -> outcome() | undefined.
yield(Async, Timeout) ->
    case ?PORTPOOL:yield(Async, Timeout) of
        nil -> undefined;
        Outcome -> plain(Outcome)
    end.

%% @doc Waits for the outcomes of several calls.
-spec await_many([async()]) -> [outcome()] | {error, error()}.
await_many(Asyncs) -> await_many(Asyncs, infinity).

%% @doc Waits for the outcomes of several calls. After `Timeout' ms those that have not ended are cancelled.
-spec await_many([async()], timeout()) -> [outcome()] | {error, error()}.
await_many(Asyncs, Timeout) -> plain(?PORTPOOL:await_many(Asyncs, Timeout)).

%% @doc The outcome that a message has for a call, or `unknown' if it is not the message of this call.
-spec async_result(async(), term()) -> outcome() | unknown.
async_result(Async, Message) -> plain(?PORTPOOL:async_result(Async, Message)).

%% @doc Ends a call. Its outcome is `cancelled', or what came first.
-spec cancel(async()) -> outcome().
cancel(Async) -> plain(?PORTPOOL:cancel(Async)).

%% @doc Calls a function once on every worker that is ready.
-spec broadcast(pool(), name(), name(), [term()]) -> {ok, [outcome()]} | {error, error()}.
broadcast(Pool, Module, Function, Args) -> broadcast(Pool, Module, Function, Args, []).

-spec broadcast(pool(), name(), name(), [term()], options()) -> {ok, [outcome()]} | {error, error()}.
broadcast(Pool, Module, Function, Args, Options) ->
    case ?PORTPOOL:broadcast(Pool, Module, Function, Args, list(Options)) of
        {ok, Outcomes} -> {ok, plain(Outcomes)};
        Error -> plain(Error)
    end.

%% @doc Checks a worker out, until `checkin/1'.
-spec checkout(pool()) -> {ok, worker()} | {error, error()}.
checkout(Pool) -> checkout(Pool, []).

-spec checkout(pool(), options()) -> {ok, worker()} | {error, error()}.
checkout(Pool, Options) -> plain(?PORTPOOL:checkout(Pool, list(Options))).

%% @doc Gives a worker back; with `broken' it is replaced.
-spec checkin(worker()) -> ok | {error, error()}.
checkin(Worker) -> checkin(Worker, []).

-spec checkin(worker(), options()) -> ok | {error, error()}.
checkin(Worker, Options) -> plain(?PORTPOOL:checkin(Worker, list(Options))).

%% @doc Runs a function with a worker of its own. If it fails, the worker is replaced and the exception goes on.
-spec transaction(pool(), fun((worker()) -> Result)) -> {ok, Result} | {error, error()}.
transaction(Pool, Fun) -> transaction(Pool, Fun, []).

-spec transaction(pool(), fun((worker()) -> Result), options()) -> {ok, Result} | {error, error()}.
transaction(Pool, Fun, Options) -> plain(?PORTPOOL:transaction(Pool, Fun, list(Options))).

%% @doc The state of a pool, docs/protocol.md 10.
-spec status(pool()) -> {ok, map()} | {error, error()}.
status(Pool) -> plain(?PORTPOOL:status(Pool)).

%% @private The old name of `portpool_poolboy:status/1'.
-spec status(pool(), term()) -> {error, error()}.
status(Pool, Form) ->
    {error, Error} = plain(?PORTPOOL:status(Pool, Form)),
    {error, Error#{message := <<"status(Pool, poolboy) is now portpool_poolboy:status(Pool)">>}}.

%% @doc Changes the size of a running pool.
-spec resize(pool(), pos_integer()) -> ok | {error, error()}.
resize(Pool, Size) -> plain(?PORTPOOL:resize(Pool, Size)).

%% @doc Replaces all workers with new ones, which load the current code.
-spec reload(pool()) -> ok | {error, error()}.
reload(Pool) -> plain(?PORTPOOL:reload(Pool)).

%% @doc Waits until everything that Python has printed so far is in `logger'.
-spec flush_logs(pool()) -> ok | {error, error()}.
flush_logs(Pool) -> plain(?PORTPOOL:flush_logs(Pool)).

%% @doc Marks a binary that should arrive in Python as `bytes'.
-spec bytes(binary()) -> map().
bytes(Binary) -> ?PORTPOOL:bytes(Binary).

%% @doc The message of an error and, where there is one, the traceback that Python would print.
-spec format_error(error()) -> unicode:unicode_binary().
format_error(Error) -> ?ERROR:message(Error#{'__struct__' => ?ERROR, '__exception__' => true}).

%% `Portpool' refuses options that are neither a map nor a list.
pool_options(Options) ->
    case list(Options) of
        List when is_list(List) -> none_as([name(Option) || Option <- List]);
        Other -> Other
    end.

%% It refuses the old name, too.
none_as(Options) ->
    case lists:any(fun(Key) -> lists:keymember(Key, 1, Options) end, [none, none_as]) of
        true -> Options;
        false -> Options ++ [{none_as, undefined}]
    end.

name({name, {local, Name}}) -> {name, Name};
name(Option) -> Option.

list(Options) when is_map(Options) -> maps:to_list(Options);
list(Options) when is_list(Options) -> proplists:unfold(Options);
list(Options) -> Options.

plain({error, #{'__struct__' := ?ERROR} = Error}) ->
    {error, maps:without(['__struct__', '__exception__'], Error)};
plain(Outcomes) when is_list(Outcomes) ->
    [plain(Outcome) || Outcome <- Outcomes];
plain(Outcome) ->
    Outcome.
