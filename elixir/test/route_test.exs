defmodule Portpool.RouteTest do
  use ExUnit.Case, async: true

  alias Portpool.{Calls, Options, Route}

  test "a caller is as patient as the server may take" do
    for {pool, call, limit} <- [
          {[], [], 65_000},
          {[grace: 10], [], 65_010},
          {[timeout: 100, checkout_timeout: 10], [], 110},
          {[timeout: :infinity], [], :infinity},
          {[checkout_timeout: :infinity], [timeout: 5], :infinity},
          {[timeout: :infinity, deadline: 70], [], 70},
          {[deadline: 70], [deadline: :infinity], 65_000},
          {[deadline: 70, grace: 7], [], 77},
          {[deadline: 70_000], [], 65_000},
          # Three runs, and the pauses between them: 100 and 200 ms.
          {[], [timeout: 10, checkout_timeout: 0, retry: [max: 2]], 330},
          {[], [timeout: 10, checkout_timeout: 0, retry: [max: 0]], 10},
          {[], [timeout: :infinity, retry: [max: 2]], :infinity}
        ] do
      {:ok, options} = Options.request(:call, call)
      assert {pool, call, Route.limit(route(pool), :call, options)} == {pool, call, limit}
    end
  end

  test "a checkout takes its wait, within the deadline" do
    assert Route.limit(route([]), :checkout, %{}) == 5_000
    assert Route.limit(route([]), :checkout, %{checkout_timeout: :infinity}) == :infinity
    assert Route.limit(route([]), :checkout, %{deadline: 70}) == 70
    assert Route.limit(route(deadline: 70), :checkout, %{checkout_timeout: :infinity}) == 70
  end

  test "a reload takes the start of a worker" do
    assert Route.limit(route(start_timeout: 100), :reload) == 5_100
  end

  test "beyond the limit there is a margin, up to what a timer can run" do
    assert Route.patience(route([]), 100) == 5_100
    assert Route.patience(route([]), :infinity) == :infinity
    assert Route.patience(route([]), 0xFFFFFFFF) == 0xFFFFFFFF
  end

  defp route(options) do
    {:ok, config} = Options.pool([binary: "/bin/sh"] ++ options)
    Route.new(config, Calls.new(1, 1), hd(Port.list()))
  end
end
