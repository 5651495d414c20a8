#!/usr/bin/env escript
%% Makes the vectors of the codec tests with a real BEAM: run it here on OTP 25, commit what it writes.
%%
%% terms.txt     name, packet, echo. `packet` is the term as some term_to_binary/2 or an old node writes it, `echo` what
%%               must come back from Python, by an encoder of its own below (docs/protocol.md 11.2).
%% verdicts.txt  name, packet, `ok` or `error`: what binary_to_term/1 says to hand-made bytes.
%%
%% Bytes are hexadecimal, or `z` and base64 of their zlib stream where they are many. Columns are parted by tabs.
-mode(compile).

main(_) ->
    write("terms.txt", [[Name, "\t", show(Packet), "\t", show(Echo), "\n"] || {Name, Packet, Echo} <- vectors()]),
    write("verdicts.txt", [[Name, "\t", show(Bytes), "\t", verdict(Bytes), "\n"] || {Name, Bytes} <- edges()]).

write(File, Lines) ->
    Path = filename:join(filename:dirname(escript:script_name()), File),
    ok = file:write_file(Path, unicode:characters_to_binary(Lines)),
    io:format("~ts: ~b lines~n", [File, length(Lines)]).

show(Bytes) when byte_size(Bytes) < 400 -> string:lowercase(binary:encode_hex(Bytes));
show(Bytes) -> ["z", base64:encode(zlib:compress(Bytes))].

verdict(Bytes) ->
    try binary_to_term(Bytes) of _ -> "ok" catch error:badarg -> "error" end.

%% -- Vectors ----------------------------------------------------------------------------------------------------------

vectors() ->
    lists:append([variants(Name, Term) || {Name, Term} <- terms()]) ++ [checked(Vector, []) || Vector <- handmade()].

%% Each way in which term_to_binary writes a term; ways that give the same bytes count once.
variants(Name, Term) ->
    Ways = [{"", []}, {" minor_version 0", [{minor_version, 0}]}, {" minor_version 1", [{minor_version, 1}]},
            {" minor_version 2", [{minor_version, 2}]}, {" deterministic", [deterministic]}, {" compressed", [{compressed, 9}]}],
    Packets = [{term_to_binary(Term, Options), Name ++ Way, Options} || {Way, Options} <- Ways],
    {_, Unique} = lists:foldl(fun keep_new/2, {[], []}, Packets),
    [checked({Title, Packet, Term}, Options) || {Packet, Title, Options} <- lists:reverse(Unique)].

keep_new({Packet, Title, Options}, {Seen, Kept}) ->
    case lists:member(Packet, Seen) of
        true -> {Seen, Kept};
        false -> {[Packet | Seen], [{Packet, Title, Options} | Kept]}
    end.

%% The echo is the same term in the same bytes once a BEAM writes it again.
checked({Name, Packet, {bytes, Bytes}}, _) ->
    _ = binary_to_term(Packet),
    {Name, Packet, <<131, Bytes/binary>>};
checked({Name, Packet, {ordered, Pairs}}, Options) ->
    true = maps:from_list(Pairs) =:= binary_to_term(Packet),
    {Name, Packet, iolist_to_binary([<<131, 116, (length(Pairs)):32>>, [encode(Part, Options) || {Key, Value} <- Pairs, Part <- [Key, Value]]])};
checked({Name, Packet, Term}, Options) ->
    Echo = iolist_to_binary([131, encode(Term, Options)]),
    Same = term_to_binary(Term),
    Same = term_to_binary(binary_to_term(Packet)),
    Same = term_to_binary(binary_to_term(Echo)),
    {Name, Packet, Echo}.

%% `deterministic` sorts the keys of large maps, which have an order of their own otherwise.
pairs(Map, [deterministic]) -> lists:sort(fun ordered/2, maps:to_list(Map));
pairs(Map, _) -> maps:to_list(Map).

%% The order of terms as keys: integers before floats.
ordered({Left, _}, {Right, _}) when is_integer(Left), is_float(Right) -> true;
ordered({Left, _}, {Right, _}) when is_float(Left), is_integer(Right) -> false;
ordered({Left, _}, {Right, _}) -> Left =< Right.

%% docs/protocol.md 11.2
encode(Atom, _) when is_atom(Atom) ->
    case atom_to_binary(Atom, utf8) of
        Text when byte_size(Text) < 256 -> [119, byte_size(Text), Text];
        Text -> [<<118, (byte_size(Text)):16>>, Text]
    end;
encode(Byte, _) when is_integer(Byte), Byte >= 0, Byte < 256 -> [97, Byte];
encode(Word, _) when is_integer(Word), Word >= -(1 bsl 31), Word < 1 bsl 31 -> <<98, Word:32/signed>>;
encode(Big, _) when is_integer(Big) ->
    Magnitude = list_to_binary(lists:reverse(binary_to_list(binary:encode_unsigned(abs(Big))))),
    Sign = if Big < 0 -> 1; true -> 0 end,
    case byte_size(Magnitude) of
        Length when Length < 256 -> [110, Length, Sign, Magnitude];
        Length -> [<<111, Length:32, Sign>>, Magnitude]
    end;
encode(Float, _) when is_float(Float) -> <<70, Float/float>>;
encode(Binary, _) when is_binary(Binary) -> [<<109, (byte_size(Binary)):32>>, Binary];
encode([], _) -> <<106>>;
encode(List, Options) when is_list(List) ->
    {Elements, Tail} = elements(List, []),
    [<<108, (length(Elements)):32>>, [encode(Element, Options) || Element <- Elements], encode(Tail, Options)];
encode(Tuple, Options) when tuple_size(Tuple) < 256, is_tuple(Tuple) ->
    [104, tuple_size(Tuple), [encode(Element, Options) || Element <- tuple_to_list(Tuple)]];
encode(Tuple, Options) when is_tuple(Tuple) ->
    [<<105, (tuple_size(Tuple)):32>>, [encode(Element, Options) || Element <- tuple_to_list(Tuple)]];
encode(Map, Options) when is_map(Map) ->
    [<<116, (map_size(Map)):32>>, [[encode(Key, Options), encode(Value, Options)] || {Key, Value} <- pairs(Map, Options)]];
encode(Opaque, Options) ->
    <<131, Bytes/binary>> = term_to_binary(Opaque, Options -- [{compressed, 9}]),
    Bytes.

elements([Head | Tail], Elements) -> elements(Tail, [Head | Elements]);
elements(Tail, Elements) -> {lists:reverse(Elements), Tail}.

terms() ->
    integers() ++ floats() ++ atoms() ++ binaries() ++ lists() ++ tuples() ++ maps() ++ dates() ++ tensors() ++ opaques() ++ mixed().

integers() ->
    Edges = lists:usort([Sign * ((1 bsl Bits) + Near) || Bits <- [0, 7, 8, 15, 16, 27, 31, 32, 59, 60, 62, 63, 64, 127, 128, 2039, 2040, 8192],
                                                   Near <- [-1, 0, 1], Sign <- [-1, 1]]),
    [{"integers " ++ integer_to_list(Part), Chunk} || {Part, Chunk} <- number(Edges)]
        ++ [{"2^8192", 1 bsl 8192}, {"-2^8192", -(1 bsl 8192)}, {"zero", 0}, {"minus one", -1}].

number(Edges) -> lists:zip(lists:seq(1, length(Edges)), Edges).

floats() ->
    Floats = [0.0, -0.0, 1.0, -1.0, 0.1, 1.5, 5.0e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7e308, 3.0e15, 1.0e16, 123456789.125],
    [{io_lib:format("float ~p", [Float]), Float} || Float <- Floats] ++ [{"floats", Floats}].

atoms() ->
    Many = [list_to_atom("atom_" ++ integer_to_list(N)) || N <- lists:seq(1, 300)],
    [{"true", true}, {"false", false}, {"nil", nil}, {"undefined", undefined}, {"atom", ok}, {"empty atom", ''},
     {"None as an atom", 'None'}, {"Elixir module", 'Elixir.Portpool'}, {"Latin-1 atom", 'h\x{e9}llo'},
     {"Unicode atom", '\x{3b4}\x{1f600}'}, {"NUL atom", '\0'}, {"atom of 255", list_to_atom(lists:duplicate(255, $a))},
     {"Latin-1 atom of 255", list_to_atom(lists:duplicate(255, 16#e9))},
     {"Unicode atom of 255", list_to_atom(lists:duplicate(255, 16#1f600))},
     {"the same atoms again", [a, b, a, b, 'h\x{e9}llo', 'h\x{e9}llo', '\x{e9}', '\x{3b4}', '\x{3b4}']},
     {"300 atoms twice", Many ++ Many}, {"the same names as atoms and as keys", [#{atom_to_binary(Name) => Name} || Name <- Many]}].

binaries() ->
    [{"empty binary", <<>>}, {"text", <<"text">>}, {"UTF-8", <<"h\x{e9}llo \x{3b4} \x{1f600}"/utf8>>}, {"NUL", <<0>>},
     {"255 bytes", binary:copy(<<"x">>, 255)}, {"256 bytes", binary:copy(<<"x">>, 256)}, {"70000 bytes", binary:copy(<<"x">>, 70000)}].

lists() ->
    [{"empty list", []}, {"small integers", [1, 2, 3]}, {"charlist", "charlist"}, {"negative integers", [-1, -2, -3]},
     {"integers up to 256", [254, 255, 256]}, {"65535 small integers", [N rem 256 || N <- lists:seq(1, 65535)]},
     {"70000 small integers", [N rem 200 || N <- lists:seq(1, 70000)]}, {"booleans", [true, false, true]},
     {"list of empties", [[], {}, <<>>, #{}, '', [[]], {{}}]}, {"nested", [[[[[[1]]]], 2], "three", [4.0]]},
     {"improper", [1 | 2]}, {"improper with text", [<<"a">>, <<"b">> | <<"c">>]}, {"improper tail map", [a | #{b => c}]},
     {"improper in improper", [[1 | 2], {x, [3, 4 | 5]} | {[6 | 7]}]}, {"300 lists", [[N] || N <- lists:seq(1000, 1300)]},
     {"deep list", lists:foldl(fun(_, List) -> [List] end, [], lists:seq(1, 300))}].

tuples() ->
    [{"empty tuple", {}}] ++ [{io_lib:format("tuple of ~b", [Size]), list_to_tuple([N rem 300 || N <- lists:seq(1, Size)])} || Size <- [1, 2, 3, 4, 255, 256, 70000]]
        ++ [{"tuples in tuples", {{}, {1, {2, {3, {4, 5, 6, 7}}}}}}, {"deep tuple", lists:foldl(fun(_, Tuple) -> {Tuple} end, {}, lists:seq(1, 300))}].

maps() ->
    Record = fun(N) -> #{<<"id">> => N, <<"name">> => <<"n">>, x => N * 1.5, y => N * 2.5, ok => true} end,
    [{"empty map", #{}}, {"binary keys", #{<<"a">> => 1, <<"b">> => 2}}, {"atom keys", #{a => 1, b => 2, 'h\x{e9}llo' => 3}},
     {"integer keys", #{1 => a, 2 => b, -1 => c, 256 => d, 1 bsl 70 => e}}, {"float keys", #{1.5 => a, 2.5 => b, 3 => c}},
     {"nil and text keys", #{nil => 1, true => 2, <<"nil">> => 3, 0 => 4, <<>> => 5}}, {"tuple keys", #{{a, 1} => 1, {a, 2} => 2, {} => 3, {{{<<"x">>}}} => 4}},
     {"records", [Record(N) || N <- lists:seq(1, 50)]}, {"32 keys", maps:from_list([{N, N} || N <- lists:seq(1, 32)])},
     {"33 keys", maps:from_list([{N, N} || N <- lists:seq(1, 33)])}, {"1000 keys", maps:from_list([{integer_to_binary(N), N} || N <- lists:seq(1, 1000)])},
     {"1000 atoms as keys", maps:from_list([{list_to_atom("k" ++ integer_to_list(N)), N} || N <- lists:seq(1, 1000)])},
     {"keys 64 deep", #{lists:foldl(fun(_, Tuple) -> {Tuple} end, {}, lists:seq(1, 63)) => 1}},
     {"maps in maps", #{a => #{b => #{c => #{<<"d">> => [#{}]}}}}}, {"struct", #{'__struct__' => 'Elixir.URI', host => <<"h">>, port => nil}}].

%% The structs of Elixir's calendar, and maps that are nearly such: docs/types.md 1.7.
dates() ->
    Date = #{'__struct__' => 'Elixir.Date', calendar => 'Elixir.Calendar.ISO', year => 2024, month => 2, day => 29},
    Time = #{'__struct__' => 'Elixir.Time', calendar => 'Elixir.Calendar.ISO', hour => 23, minute => 59, second => 58, microsecond => {120000, 2}},
    Naive = maps:merge(Time, Date#{'__struct__' := 'Elixir.NaiveDateTime'}),
    Zoned = Naive#{'__struct__' := 'Elixir.DateTime', time_zone => <<"Europe/Paris">>, zone_abbr => <<"CEST">>, utc_offset => 3600, std_offset => 3600},
    Moved = Zoned#{hour := 22, time_zone := <<"Europe/London">>, zone_abbr := <<"BST">>, utc_offset := 0},
    [{"date", Date}, {"first date", Date#{year := 1, month := 1, day := 1}}, {"last date", Date#{year := 9999, month := 12, day := 31}},
     {"date of year 0", Date#{year := 0}}, {"date of year 10000", Date#{year := 10000}}, {"29 February of 2023", Date#{year := 2023}},
     {"29 February of 1900", Date#{year := 1900}}, {"29 February of 2000", Date#{year := 2000}}, {"date of another calendar", Date#{calendar := 'Elixir.Calendar.Holocene'}},
     {"date with more", Date#{more => 1}}, {"date with less", maps:remove(day, Date)}, {"date with text", Date#{day := <<"29">>}},
     {"time", Time}, {"times", [Time#{microsecond := {Micro, Precision}} || {Micro, Precision} <- [{0, 0}, {0, 6}, {999999, 6}, {999999, 0}, {123456, 3}]]},
     {"leap second", Time#{second := 60}}, {"time of precision 7", Time#{microsecond := {0, 7}}}, {"naive date and time", Naive}, {"date and time", Zoned},
     {"date and time west", Zoned#{utc_offset := -18000, std_offset := 0, zone_abbr := <<>>, time_zone := <<"h\x{e9}"/utf8>>}},
     {"offsets of nearly a day", [Zoned#{utc_offset := 86399, std_offset := 0}, Zoned#{utc_offset := -86399, std_offset := 0}, Zoned#{utc_offset := 172798, std_offset := -86399}]},
     {"offset of a day", Zoned#{utc_offset := 86400, std_offset := 0}}, {"summer time of a day", Zoned#{utc_offset := 0, std_offset := -86400}},
     {"zone of a bitstring", Zoned#{time_zone := <<1:1>>}}, {"zone of no UTF-8", [Zoned#{time_zone := nil}]},
     {"dates as keys", #{Date => 1, {Date#{day := 28}, Time} => 2, Naive => 3, Zoned => 4, Moved#{hour := 21} => 5, {Zoned} => 6}},
     {"dates in dates", [Date, #{Date => Naive}, {Time, [Zoned, Zoned]}]}].

%% Tensors, and maps that are nearly such: docs/types.md 1.8.
tensors() ->
    Tensor = #{'__struct__' => 'Elixir.Portpool.Tensor', type => {f, 32}, shape => {2, 3}, data => <<0:192>>},
    [{"tensor", Tensor}, {"tensor of no dimension", Tensor#{shape := {}, data := <<0:32>>}}, {"tensor of nothing", Tensor#{shape := {0, 3}, data := <<>>}},
     {"tensor of 32 dimensions", Tensor#{shape := list_to_tuple(lists:duplicate(32, 1)), data := <<0:32>>}},
     {"tensor of 33 dimensions", Tensor#{shape := list_to_tuple(lists:duplicate(33, 1)), data := <<0:32>>}},
     {"tensors of other types, Latin-1 too", [Tensor#{type := {Kind, Bits}, shape := {192 div Bits}} || {Kind, Bits} <- [{u, 8}, {s, 64}, {bf, 16}, {f, 8}, {s, 4}, {c, 64}, {nil, 32}, {'h\x{e9}', 8}]]},
     {"tensors of other sizes", [Tensor#{data := <<>>}, Tensor#{shape := {2, 4}}, Tensor#{shape := {-2, -3}}, Tensor#{shape := {1 bsl 62, 1 bsl 62, 0}, data := <<>>},
                                 Tensor#{type := {f, 0}}, Tensor#{type := {f, -32}}, Tensor#{type := {f, 1 bsl 70}}]},
     {"almost tensors", [Tensor#{data := <<0:191>>}, Tensor#{shape := [2, 3]}, Tensor#{type := f32}, Tensor#{type := {<<"f">>, 32}}, Tensor#{shape := {2.0, 3}},
                         maps:remove(type, Tensor), Tensor#{more => 1}, (maps:remove(type, Tensor))#{typ => {f, 32}}]}].

opaques() ->
    Port = hd(erlang:ports()),
    [{"bitstring", <<1:1>>}, {"long bitstring", <<"some text", 5:3>>}, {"pid", self()}, {"port", Port}, {"reference", make_ref()},
     {"export", fun lists:map/2}, {"fun", fun() -> ok end}, {"closure", (fun(X) -> fun(Y) -> {X, Y} end end)([<<"kept">>, self()])},
     {"opaque keys", #{self() => 1, <<2:3>> => 2}}, {"opaque in a tuple key", #{{self(), a} => Port}}].

mixed() ->
    [{"everything", #{<<"list">> => [1, 2.0, three, <<"four">>, {5, [6 | 7]}, #{8 => nil}], self() => <<1:7>>, {tag, 1} => [true, false]}},
     {"reply", {ok, [#{<<"id">> => 1}, #{<<"id">> => 2}]}}].

%% Forms that this BEAM reads but does not write.
handmade() ->
    Node = <<119, 4, "a@bc">>,
    Opaques = [{"V4 port", <<120, Node/binary, 1:64, 5:32>>}, {"largest V4 port", <<120, Node/binary, -1:64, 5:32>>},
               {"port of 23", <<89, Node/binary, 1:32, 5:32>>}, {"old port", <<102, Node/binary, 1:32, 1>>}, {"old pid", <<103, Node/binary, 1:32, 2:32, 3>>},
               {"new pid", <<88, Node/binary, 1:32, 2:32, 5:32>>}, {"old reference", <<101, Node/binary, 1:32, 0>>},
               {"reference of two", <<114, 2:16, Node/binary, 1, 1:32, 2:32>>}, {"newer reference", <<90, 3:16, Node/binary, 5:32, 1:32, 2:32, 3:32>>},
               {"reference of five", <<90, 5:16, Node/binary, 5:32, 1:32, 2:32, 3:32, 4:32, 5:32>>},
               {"export of 27", <<113, 119, 1, "m", 119, 1, "f", 97, 3>>}, {"bits with garbage", <<77, 1:32, 3, 255>>}],
    [{Name, <<131, Bytes/binary>>, {bytes, Bytes}} || {Name, Bytes} <- Opaques] ++
    [{"SMALL_ATOM_EXT", <<131, 115, 5, "h", 233, "llo">>, 'h\x{e9}llo'}, {"ATOM_UTF8_EXT", <<131, 118, 6:16, "h\x{e9}llo"/utf8>>, 'h\x{e9}llo'},
     {"SMALL_ATOM_UTF8_EXT", <<131, 119, 6, "h\x{e9}llo"/utf8>>, 'h\x{e9}llo'},      {"one spelling in UTF-8 and in Latin-1", <<131, 104, 2, 119, 2, 195, 169, 100, 2:16, 195, 169>>, {'\x{e9}', '\x{c3}\x{a9}'}},
     {"true by tag 118", <<131, 118, 4:16, "true">>, true},
     {"zero of no bytes", <<131, 110, 0, 0>>, 0}, {"sign 2", <<131, 110, 1, 2, 5>>, -5}, {"padded big", <<131, 110, 9, 0, 5, 0:64>>, 5},
     {"padded large big", <<131, 111, 3:32, 1, 0, 1, 0>>, -256}, {"small number in five bytes", <<131, 98, 5:32>>, 5},
     {"id as bignum", <<131, 110, 8, 0, 1:64/little>>, 1}, {"largest id", <<131, 110, 8, 0, -1:64>>, (1 bsl 64) - 1},
     {"float with plus and comma", <<131, 99, "+1,5", 0:216>>, 1.5}, {"float underflow", <<131, 99, "1.0e-400", 0:184>>, 0.0},
     {"list of no elements", <<131, 108, 0:32, 97, 7>>, 7}, {"list of no elements again", <<131, 108, 0:32, 108, 0:32, 106>>, []},
     {"list that goes on", <<131, 108, 1:32, 97, 1, 108, 2:32, 97, 2, 97, 3, 106>>, [1, 2, 3]}, {"list that ends as a string", <<131, 108, 1:32, 97, 1, 107, 2:16, 2, 3>>, [1, 2, 3]},
     {"improper list that goes on", <<131, 108, 1:32, 97, 1, 108, 1:32, 97, 2, 97, 3>>, [1, 2 | 3]}, {"empty string", <<131, 107, 0:16>>, []},
     {"large tuple of none", <<131, 105, 0:32>>, {}}, {"large tuple of one", <<131, 105, 1:32, 97, 1>>, {1}},
     {"whole bits", <<131, 77, 1:32, 8, "A">>, <<"A">>}, {"no bits", <<131, 77, 0:32, 0>>, <<>>},
     {"unordered map", <<131, 116, 2:32, 97, 2, 97, 1, 97, 1, 97, 2>>, {ordered, [{2, 1}, {1, 2}]}},
     {"map of old atoms", <<131, 116, 2:32, 100, 1:16, "b", 97, 1, 115, 1, "a", 97, 2>>, {ordered, [{b, 1}, {a, 2}]}}].

%% -- Verdicts ---------------------------------------------------------------------------------------------------------

edges() ->
    [{Name, <<131, Bytes/binary>>} || {Name, Bytes} <- bare_edges()] ++ compressed_edges() ++
    [{"no version", <<97, 1>>}, {"version 130", <<130, 97, 1>>}, {"nothing", <<>>}, {"version alone", <<131>>}, {"version twice", <<131, 131, 97, 1>>}].

bare_edges() ->
    scalar_edges() ++ atom_edges() ++ container_edges() ++ identifier_edges() ++
    [{"tag " ++ integer_to_list(Tag), <<Tag, 0:64>>} || Tag <- [0, 1, 67, 68, 69, 71, 76, 78, 79, 81, 82, 87, 91, 96, 121, 122, 130, 131, 255]].

scalar_edges() ->
    Text = fun(Number) -> <<99, Number/binary, 0:((31 - byte_size(Number)) * 8)>> end,
    Floats = [<<"1.5">>, <<"-1.5">>, <<"+1.5">>, <<"1,5">>, <<"1.0E5">>, <<"1.0e+5">>, <<"4.94065645841246544177e-324">>, <<"1.0e-400">>, <<"1.0e999">>, <<"1">>,
              <<"1e5">>, <<".5">>, <<"1.">>, <<"1.5e">>, <<"1.5e+">>, <<"1.5abc">>, <<" 1.5">>, <<"1.5 ">>, <<"nan">>, <<"inf">>, <<"0x1.8p0">>, <<"hello">>, <<>>, <<"1.5", 0, "9">>, <<"--1.5">>, <<"1.5.5">>],
    [{"text float " ++ binary_to_list(binary:replace(Float, <<0>>, <<"NUL">>)), Text(Float)} || Float <- Floats] ++
    [{"NaN", <<70, 16#7ff8:16, 0:48>>}, {"infinity", <<70, 16#7ff0:16, 0:48>>},
     {"minus infinity", <<70, 16#fff0:16, 0:48>>}, {"signalling NaN", <<70, 16#7ff0:16, 1:48>>}, {"minus zero", <<70, 16#80, 0:56>>}, {"short float", <<70, 0>>},
     {"big of no bytes", <<110, 0, 0>>}, {"large big of no bytes", <<111, 0:32, 0>>}, {"big sign 255", <<110, 9, 255, 1:72/little>>}, {"minus zero big", <<110, 1, 1, 0>>},
     {"big cut off", <<110, 9, 0, 1>>}, {"large big without end", <<111, -1:32, 0, 1>>}, {"binary without end", <<109, -1:32, 1>>}, {"string without end", <<107, -1:16, 1>>},
     {"bits 0 of 0", <<77, 0:32, 0>>}, {"bits 0 of 1", <<77, 1:32, 0, 1>>}, {"bits 1", <<77, 1:32, 1, 128>>}, {"bits 8", <<77, 1:32, 8, 65>>}, {"bits 9", <<77, 1:32, 9, 65>>}, {"bits 3 of 0", <<77, 0:32, 3>>},
     {"bits 8 of 0", <<77, 0:32, 8>>}].

atom_edges() ->
    A = fun(Count) -> binary:copy(<<"a">>, Count) end,
    [{"atom of 255", <<118, 255:16, (A(255))/binary>>}, {"atom of 256", <<118, 256:16, (A(256))/binary>>}, {"Latin-1 atom of 256", <<100, 256:16, (A(256))/binary>>},
     {"atom of 255 wide", <<118, 1020:16, (binary:copy(<<16#1f600/utf8>>, 255))/binary>>}, {"atom of 256 wide", <<118, 512:16, (binary:copy(<<233/utf8>>, 256))/binary>>},
     {"atom not UTF-8", <<119, 1, 233>>}, {"surrogate atom", <<119, 3, 16#ed, 16#a0, 16#80>>}, {"overlong atom", <<119, 2, 16#c0, 16#80>>}, {"atom too high", <<119, 4, 16#f4, 16#90, 16#80, 16#80>>},
     {"noncharacter atom", <<119, 3, 16#ef, 16#bf, 16#be>>}, {"atom cut off", <<119, 5, "abc">>}, {"empty atoms", <<104, 4, 100, 0:16, 115, 0, 118, 0:16, 119, 0>>}, {"atom cut in a character", <<119, 1, 16#c3, 16#a9>>}].

container_edges() ->
    [{"same key twice", <<116, 2:32, 97, 1, 97, 1, 97, 1, 97, 2>>}, {"same key in two forms", <<116, 2:32, 97, 1, 97, 1, 98, 1:32, 97, 2>>}, {"same key as bignum", <<116, 2:32, 97, 1, 97, 1, 110, 1, 0, 1, 97, 2>>},
     {"same atom in two forms", <<116, 2:32, 119, 1, "a", 97, 1, 100, 1:16, "a", 97, 2>>}, {"same Latin-1 atom in two forms", <<116, 2:32, 119, 2, "\x{e9}"/utf8, 97, 1, 100, 1:16, 233, 97, 2>>},
     {"same float twice", <<116, 2:32, 70, 1.5/float, 97, 1, 99, "1.5", 0:224, 97, 2>>}, {"same tuple twice", <<116, 2:32, 104, 1, 97, 1, 97, 1, 105, 1:32, 98, 1:32, 97, 2>>},
     {"same binary as bits", <<116, 2:32, 109, 1:32, "A", 97, 1, 77, 1:32, 8, "A", 97, 2>>}, {"same key among ten", <<116, 10:32, << <<97, N, 97, 1>> || N <- [1, 2, 3, 4, 5, 6, 7, 8, 9, 1] >>/binary>>},
     {"same binary among ten", <<116, 10:32, << <<109, 1:32, N, 97, 1>> || N <- "badcfehgij" >>/binary>>}, {"same binary twice among ten", <<116, 10:32, << <<109, 1:32, N, 97, 1>> || N <- "badcfehgbj" >>/binary>>},
     {"map without values", <<116, 1:32, 97, 1>>}, {"map without end", <<116, -1:32, 97, 1, 97, 1>>}, {"list without end", <<108, -1:32, 97, 1, 106>>}, {"list without tail", <<108, 1:32, 97, 1>>},
     {"large tuple without end", <<105, -1:32, 97, 1>>}, {"tuple without end", <<104, 2, 97, 1>>}, {"tuple of 0", <<104, 0>>}, {"large tuple of 0", <<105, 0:32>>}, {"list of 0 and tail", <<108, 0:32, 97, 1>>}, {"list of 0 without tail", <<108, 0:32>>}].

%% Not here: NEW_REFERENCE_EXT of no words and FLOAT_EXT without a NUL, where OTP 25 reads behind the end of the bytes, and a fun whose pid is
%% no pid, which crashes it.
identifier_edges() ->
    Node = <<119, 4, "a@bc">>,
    Fun = fun(Size, Free, Module, Index, Unique, Pid, Rest) -> <<112, Size:32, 1, 0:128, 1:32, Free:32, Module/binary, Index/binary, Unique/binary, Pid/binary, Rest/binary>> end,
    Pid = <<88, Node/binary, 1:32, 0:32, 5:32>>,
    M = <<119, 1, "m">>,
    [{"pid", Pid}, {"pid without node", <<88, 97, 1, 1:32, 0:32, 5:32>>}, {"pid of a Latin-1 node", <<88, 100, 4:16, "a@bc", 1:32, 0:32, 5:32>>}, {"pid cut off", <<88, Node/binary, 1:32, 0:32>>},
     {"old pid", <<103, Node/binary, 1:32, 0:32, 3>>}, {"old pid creation 4", <<103, Node/binary, 1:32, 0:32, 4>>}, {"old port", <<102, Node/binary, 1:32, 0>>}, {"old port creation 4", <<102, Node/binary, 1:32, 4>>},
     {"new port", <<89, Node/binary, 1:32, 5:32>>}, {"largest new port", <<89, Node/binary, -1:32, 5:32>>}, {"V4 port", <<120, Node/binary, -1:64, 5:32>>},
     {"old reference", <<101, Node/binary, 1:32, 0>>}, {"old reference of 19 bits", <<101, Node/binary, (1 bsl 18):32, 0>>}, {"old reference of 18 bits", <<101, Node/binary, ((1 bsl 18) - 1):32, 0>>}, {"old reference creation 4", <<101, Node/binary, 1:32, 4>>},
     {"reference of 1", <<114, 1:16, Node/binary, 0, 1:32>>}, {"reference of 19 bits", <<114, 1:16, Node/binary, 0, (1 bsl 18):32>>}, {"reference creation 4", <<114, 1:16, Node/binary, 4, 1:32>>},
     {"reference of 5", <<114, 5:16, Node/binary, 0, 1:32, -1:128>>}, {"reference of 6", <<114, 6:16, Node/binary, 0, 1:32, -1:160>>},
     {"newer reference of 0", <<90, 0:16, Node/binary, 0:32>>}, {"newer reference of 5", <<90, 5:16, Node/binary, 0:32, -1:160>>}, {"newer reference of 6", <<90, 6:16, Node/binary, 0:32, -1:192>>}, {"newer reference without end", <<90, -1:16, Node/binary, 0:32, 1:32>>},
     {"export", <<113, M/binary, M/binary, 97, 255>>}, {"export of 256", <<113, M/binary, M/binary, 98, 256:32>>}, {"export of -1", <<113, M/binary, M/binary, 98, -1:32>>}, {"export of an atom", <<113, M/binary, M/binary, M/binary>>},
     {"export of a big", <<113, M/binary, M/binary, 110, 1, 0, 1>>}, {"export of an integer", <<113, 97, 1, M/binary, 97, 1>>},
     {"fun", Fun(0, 0, M, <<97, 1>>, <<98, -2:32>>, Pid, <<>>)}, {"fun of largest size", Fun(16#ffffffff, 1, M, <<97, 1>>, <<97, 2>>, Pid, <<97, 7>>)}, {"fun of a missing variable", Fun(0, 2, M, <<97, 1>>, <<97, 2>>, Pid, <<97, 7>>)},
     {"fun of 255", Fun(0, 255, M, <<97, 1>>, <<97, 2>>, Pid, binary:copy(<<106>>, 255))}, {"fun of 256", Fun(0, 256, M, <<97, 1>>, <<97, 2>>, Pid, binary:copy(<<106>>, 256))}, {"fun of no end", Fun(0, 16#ffffffff, M, <<97, 1>>, <<97, 2>>, Pid, <<106>>)},
     {"fun of a binary", Fun(0, 0, <<109, 1:32, "m">>, <<97, 1>>, <<97, 2>>, Pid, <<>>)}, {"fun with an atom for its index", Fun(0, 0, M, M, <<97, 2>>, Pid, <<>>)}, {"fun with a big", Fun(0, 0, M, <<97, 1>>, <<110, 1, 0, 2>>, Pid, <<>>)},
     {"fun with too big a big", Fun(0, 0, M, <<97, 1>>, <<110, 9, 0, 1:72>>, Pid, <<>>)}, {"old fun", <<117, 0:32, Pid/binary, M/binary, 97, 1, 97, 1>>}].

compressed_edges() ->
    Zip = fun(Size, Bytes) -> <<131, 80, Size:32, Bytes/binary>> end,
    One = zlib:compress(<<97, 1>>),
    Cut = binary:part(One, 0, byte_size(One) - 4),
    Wrong = <<(binary:part(One, 0, byte_size(One) - 1))/binary, 0>>,
    [{"compressed", Zip(2, One)}, {"compressed, too small a size", Zip(1, One)}, {"compressed, too large a size", Zip(3, One)}, {"compressed, size 0", Zip(0, zlib:compress(<<>>))},
     {"compressed, with a version", Zip(3, zlib:compress(<<131, 97, 1>>))}, {"compressed, wrong checksum", Zip(2, Wrong)}, {"compressed, cut off", Zip(2, Cut)}, {"compressed, gzip", Zip(2, zlib:gzip(<<97, 1>>))},
     {"compressed twice", Zip(5 + byte_size(One), zlib:compress(<<80, 2:32, One/binary>>))}, {"compressed, no stream", Zip(2, <<>>)}, {"compressed, size without end", Zip(-1, One)}].
