import Config

# The options of the pool. Planning keeps a processor busy, so there are as many workers as processors, but two at the
# least, for that is what the demo is to show.
config :portpool_demo, :pool,
  size: System.schedulers_online() |> max(2) |> min(6),
  python: Path.expand("../.venv/bin/python", __DIR__),
  python_path: [Path.expand("../priv/python", __DIR__)],
  # Each job takes its time, so one that waits for a worker may wait for long.
  checkout_timeout: :infinity

config :logger, level: :warning
