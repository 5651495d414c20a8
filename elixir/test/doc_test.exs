defmodule Portpool.DocTest do
  # The examples in the documentation, with a real pool.
  use Portpool.Test.Case

  setup do
    start_pool!(name: MyApp.Python)
    :ok
  end

  doctest Portpool, import: false

  test "each main function has an example" do
    {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(Portpool)

    for name <-
          ~w(start_link call call! call_with_meta cast async await yield transaction checkout broadcast bytes status)a ++
            ~w(resize reload)a do
      assert {{_, _, _}, _, _, %{"en" => text}, _} =
               Enum.find(docs, &match?({{:function, ^name, _}, _, _, %{}, _}, &1))

      assert {name, text =~ "iex>"} == {name, true}
    end
  end
end
