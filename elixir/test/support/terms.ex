defmodule Portpool.Test.Terms do
  @moduledoc "Terms of every kind that docs/types.md says come back from Python as they were: `{kind, [term]}`."

  defmodule Point do
    @moduledoc false
    defstruct x: 0, y: nil
  end

  # Python has the years from 1 to 9999.
  @years [-9999, -1, 0, 1, 1970, 9999, 10_000]

  @doc "Each kind with its terms. `seed` decides on the random ones."
  @spec all(integer) :: [{atom, [term]}]
  def all(seed) do
    :rand.seed(:exsss, seed)

    [
      integers: integers(),
      floats: floats(),
      atoms: atoms(),
      texts: texts(),
      bitstrings: bitstrings(),
      opaque: opaque(),
      lists: lists(),
      tuples: tuples(),
      maps: maps(),
      structs: structs(),
      dates: dates(),
      times: times(),
      naive_datetimes: naive_datetimes(),
      datetimes: datetimes(),
      almost_dates: almost_dates(),
      random: for(_ <- 1..1_000, do: random(5))
    ]
  end

  defp integers do
    edges = for bits <- [7, 8, 15, 16, 27, 31, 32, 59, 60, 63, 64, 2040, 2048, 8191, 8192], do: 2 ** bits
    near = for edge <- edges, delta <- -1..1, do: edge + delta
    Enum.to_list(-300..300) ++ near ++ Enum.map(near, &(-&1))
  end

  defp floats do
    edges = [0.0, 1.5, 0.1, 5.0e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1.0e22, 1.0e23]

    random = for _ <- 1..200, <<float::float>> <- [<<:rand.uniform(2 ** 63 - 2 ** 52)::64>>], do: float

    Enum.flat_map(edges ++ random, &[&1, -&1]) ++ [-0.0]
  end

  defp atoms do
    [true, false, nil, :undefined, :ok, :"", :"with space", :héllo, :ÿ, :Привет, :日本, :"😀", :None, :True] ++
      [String, Date, :__struct__, :"a\0b"] ++
      for(
        letter <- ["a", "é", "ё", "日", "😀"],
        count <- [1, 127, 255],
        do: String.to_atom(String.duplicate(letter, count))
      )
  end

  defp texts do
    sizes = [0, 1, 63, 64, 65, 255, 256, 65_535, 65_536, 1_000_000]

    ["Привет!", "日本", "😀", "\0", "a\0b", "\uFEFFbom", "\uFFFF", "e\u0301", "\r\n", "__struct__"] ++
      for(
        letter <- ["x", "é"],
        size <- sizes,
        do: String.duplicate(letter, size)
      )
  end

  defp bitstrings, do: for(bits <- 1..7, bytes <- [0, 1, 100], do: <<0::bytes*8, 1::size(bits)>>)

  defp opaque do
    captured = {self(), "captured", 2 ** 70}

    [self(), make_ref(), Process.whereis(:init), hd(Port.list()), List.last(Port.list())] ++
      [:erlang.monitor(:process, self(), alias: :demonitor)] ++
      [&String.length/1, &:lists.map/2, fn -> captured end, fn x -> x end, fn x, y -> {x, y, captured} end] ++
      Enum.map(elsewhere(), &:erlang.binary_to_term/1)
  end

  # Pids, ports and references of another node, also the ports of eight bytes that newer nodes have.
  defp elsewhere do
    node = <<119, 10, "other@host">>

    [
      <<131, 88, node::binary, 77::32, 5::32, 3::32>>,
      <<131, 89, node::binary, 77::32, 3::32>>,
      <<131, 120, node::binary, 2 ** 40::64, 3::32>>,
      <<131, 90, 3::16, node::binary, 3::32, 1::32, 2::32, 3::32>>,
      <<131, 90, 5::16, node::binary, 3::32, 1::32, 2::32, 3::32, 4::32, 5::32>>
    ]
  end

  defp lists do
    [[], [[]], [1, 2, 3], [-1, -2, -3], ~c"charlist", ~c"héllo", [255, 256], [true, false], [nil], [:a, "a"]] ++
      [[1 | 2], [1, 2 | :tail], [[1 | "x"] | {2}], [1 | %{}], [[] | 1], [1 | 2.5]] ++
      [Enum.map(1..70_000, &rem(&1, 256)), Enum.to_list(1..70_000), List.duplicate([], 300)] ++
      [List.duplicate(true, 1_000), List.duplicate(:ok, 300), List.duplicate("same", 300), nested(390)] ++
      [[a: 1, b: 2, a: 3], Enum.to_list(0..255), List.duplicate(0, 65_535), List.duplicate(0, 65_536)]
  end

  defp nested(depth), do: Enum.reduce(1..depth, [], fn _, term -> [term] end)

  defp tuples do
    [{}, {1}, {{}}, {:ok, "x"}, {1, {2, {3}}}, {[]}, {nil, true}] ++
      for(size <- [2, 3, 4, 255, 256, 70_000], do: List.to_tuple(Enum.to_list(1..size)))
  end

  defp maps do
    [
      %{},
      %{a: 1},
      %{"a" => 1},
      %{1 => 2},
      %{1.5 => 2},
      %{{1, "a"} => %{{} => []}},
      %{nil => 1},
      %{true => 1, 2 => 3}
    ] ++
      [%{:a => 1, "b" => 2, 3 => 4, {5} => 6, 7.5 => 8, nil => 9}, %{self() => 1, make_ref() => 2}] ++
      [%{"" => ""}, %{:"" => 1}, %{<<1::1>> => 1}, %{{:a, {1.0, {nil}}} => 1}, %{-1 => 1, -2 => 2}] ++
      for(size <- [31, 32, 33, 1_000], do: Map.new(1..size, &{"key #{&1}", &1})) ++
      for(size <- [32, 33, 1_000], do: Map.new(1..size, &{{&1, :k}, [&1]}))
  end

  defp structs do
    [
      %Point{},
      %Point{x: %Point{y: %Point{}}},
      [%Point{}, {%Point{}}],
      %{point: %Point{}},
      %{{%Point{}.x} => 1}
    ] ++
      [
        MapSet.new(),
        MapSet.new(1..100),
        1..10//3,
        %URI{host: "h"},
        %Version{major: 1, minor: 2, patch: 3}
      ] ++
      [%ArgumentError{message: "m"}, %{__struct__: 1}, %{__struct__: nil}, %{__struct__: "Elixir.Date"}] ++
      [%{__struct__: :no_such_module, a: 1}, %{"__struct__" => "Date"}, %{__struct__: Point}] ++
      [%{__struct__: Portpool.Bytes}, %{__struct__: Portpool.Bytes, binary: 1}] ++
      [%{__struct__: Portpool.Bytes, binary: "b", more: 1}, %{__struct__: Portpool.Bytes, binary: <<1::1>>}]
  end

  defp dates do
    for(
      year <- @years,
      {month, day} <- [{1, 1}, {2, 28}, {12, 31}],
      do: %Date{year: year, month: month, day: day}
    ) ++
      [~D[2024-02-29], [~D[2024-02-29], ~D[2024-02-29]], {~D[2024-02-29]}]
  end

  defp times do
    for(
      precision <- 0..6,
      micro <- [0, 100_000, 120_000, 999_999],
      do: %Time{hour: 23, minute: 59, second: 58, microsecond: {micro, precision}}
    ) ++ [~T[00:00:00], ~T[23:59:59.999999]]
  end

  defp naive_datetimes do
    for date <- dates(),
        is_struct(date),
        time <- times(),
        is_struct(time),
        do: struct!(NaiveDateTime, Map.merge(Map.from_struct(date), Map.from_struct(time)))
  end

  defp datetimes do
    for naive <- naive_datetimes() |> Enum.take_every(7),
        {zone, abbreviation, utc, std} <- [
          {"Etc/UTC", "UTC", 0, 0},
          {"Europe/Paris", "CEST", 3_600, 3_600},
          {"America/New_York", "EST", -18_000, 0},
          {"Africa/Monrovia", "MMT", -2_670, 0},
          {"Far/Away", "", 200_000, -200_000},
          {"Äther/Zürich", "Ä", 86_399, 0},
          {"Etc/UTC", "Z", 0, 0}
        ] do
      naive
      |> Map.from_struct()
      |> Map.merge(%{time_zone: zone, zone_abbr: abbreviation, utc_offset: utc, std_offset: std})
      |> then(&struct!(DateTime, &1))
    end
  end

  # What has the name of a date and is none that Python can have: it must not be mended on the way.
  defp almost_dates do
    for term <- [~D[2024-02-29], ~T[10:00:00.10], ~N[2024-02-29 10:00:00.10], ~U[2024-02-29 10:00:00.10Z]],
        change <-
          [
            &Map.put(&1, :more, 1),
            &Map.put(&1, :calendar, Calendar.Other),
            &Map.put(&1, :calendar, nil),
            &Map.delete(&1, :calendar),
            &Map.put(&1, "calendar2", 1)
          ] ++
            for(
              {key, values} <- [
                year: ["2024", 2024.0, nil, 2 ** 70],
                month: [0, 13, true],
                day: [30, 32, -1, :a],
                hour: [24, -1, true, 1.0],
                minute: [60, {}],
                second: [60, 61],
                microsecond:
                  [{0, 7}, {1_000_000, 6}, {-1, 6}, {123_456, 3}, {1, 0}, {0, 0}, {1}, {1, 2, 3}] ++ [0, nil],
                time_zone: ["", nil, :utc, ~c"Etc/UTC"],
                zone_abbr: [nil, :UTC],
                utc_offset: [1, -1, 86_400, -86_400, 2 ** 70, nil, 1.5],
                std_offset: [1, -86_400, 2 ** 70, "0", true]
              ],
              value <- values,
              do: fn term ->
                if is_map_key(term, key), do: Map.put(term, key, value), else: Map.delete(term, :day)
              end
            ),
        do: change.(term)
  end

  defp random(0), do: leaf()

  defp random(depth) do
    case :rand.uniform(8) do
      1 -> for _ <- some(), do: random(depth - 1)
      2 -> List.to_tuple(for _ <- some(), do: random(depth - 1))
      3 -> for _ <- some(), into: %{}, do: {key(), random(depth - 1)}
      4 -> for _ <- some(), into: %{}, do: {{key(), key()}, random(depth - 1)}
      5 -> Enum.reduce(some(), {:tail}, fn _, tail -> [random(depth - 1) | tail] end)
      6 -> %Point{x: random(depth - 1), y: random(depth - 1)}
      _leaf -> leaf()
    end
  end

  defp some, do: Enum.take(1..5, :rand.uniform(6) - 1)

  # Keys of texts, atoms and integers that are not equal in Python.
  defp key, do: Enum.random([:rand.uniform(100) + 1, "t#{:rand.uniform(100)}", :"a#{:rand.uniform(100)}"])

  defp leaf do
    case :rand.uniform(9) do
      1 ->
        :rand.uniform(2 ** 80) - 2 ** 79

      2 ->
        :rand.uniform(300) - 150

      3 ->
        :rand.normal() * 1.0e10

      4 ->
        Enum.random([true, false, nil, :undefined, :ok, :é])

      5 ->
        String.duplicate("é", :rand.uniform(100))

      6 ->
        <<:rand.uniform(7)::3>>

      7 ->
        Enum.random([~D[2024-02-29], ~T[10:00:00.1], ~N[2024-02-29 10:00:00], ~U[2024-02-29 10:00:00.000Z]])

      8 ->
        Enum.random([[], {}, %{}, ""])

      9 ->
        Enum.to_list(1..:rand.uniform(20))
    end
  end
end
