defmodule Portpool.Test.Own do
  @moduledoc "A pool that is a module, as `use Portpool` makes it."

  use Portpool,
    otp_app: :portpool,
    size: 1,
    drain_timeout: 100,
    python_path: [Path.expand("../python", __DIR__)],
    env: [WHO: "use"]
end

defmodule Portpool.Test.Second do
  @moduledoc "Another one, without an application."

  use Portpool, size: 1
end
