defmodule Portpool.Test.Encoded do
  @moduledoc "Structs whose implementations of `Portpool.Encoder` do all that implementations may do."

  defmodule All do
    @moduledoc false
    @derive Portpool.Encoder
    defstruct a: 1, b: 2
  end

  defmodule Except do
    @moduledoc false
    @derive {Portpool.Encoder, except: [:secret]}
    defstruct a: 1, secret: "s"
  end

  defmodule Plain do
    @moduledoc "Has no implementation."
    defstruct [:inside]
  end

  defmodule Same do
    @moduledoc "Becomes itself, changed."
    defstruct [:value]

    defimpl Portpool.Encoder do
      def encode(same), do: %{same | value: {:changed, same.value}}
    end
  end

  defmodule Ping do
    @moduledoc "Becomes a Pong, which becomes a Ping."
    defstruct [:value]

    defimpl Portpool.Encoder do
      # The module does not exist yet.
      def encode(ping), do: struct!(Portpool.Test.Encoded.Pong, value: ping.value)
    end
  end

  defmodule Pong do
    @moduledoc false
    defstruct [:value]

    defimpl Portpool.Encoder do
      def encode(pong), do: %Portpool.Test.Encoded.Ping{value: pong.value}
    end
  end

  defmodule Becomes do
    @moduledoc "Becomes what it holds."
    defstruct [:term]

    defimpl Portpool.Encoder do
      def encode(becomes), do: becomes.term
    end
  end

  defmodule Fails do
    @moduledoc "Does what its function does."
    defstruct [:how]

    defimpl Portpool.Encoder do
      def encode(fails), do: fails.how.()
    end
  end
end
