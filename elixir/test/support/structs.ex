defmodule Decimal do
  @moduledoc "The struct of the package of that name, which the tests do without."
  defstruct sign: 1, coef: 0, exp: 0
end

defmodule Portpool.Test.Money do
  @moduledoc "Has a type in test/python/types_of_users.py."
  defstruct [:amount, :currency]
end

defmodule Portpool.Test.Undecodable do
  @moduledoc "Has a decoder that raises."
  defstruct [:x]
end
