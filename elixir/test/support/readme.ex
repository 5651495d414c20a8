defmodule MyApp.Order do
  @derive {Portpool.Encoder, only: [:id, :weight]}
  defstruct [:id, :weight, :customer]
end

defmodule MyApp.Money do
  defstruct [:amount, :currency]

  defimpl Portpool.Encoder do
    def encode(money), do: "#{money.amount} #{money.currency}"
  end
end

defmodule MyApp.Geometry do
  use Portpool, otp_app: :my_app, size: 1
end
