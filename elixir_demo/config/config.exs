import Config

# The options of the pool. Planning keeps a processor busy, so there is one worker per processor, but at least two, to show
# them working in parallel.
config :portpool_demo, :pool,
  size: System.schedulers_online() |> max(2) |> min(6),
  python: Path.expand("../.venv/bin/python", __DIR__),
  python_path: [{:portpool_demo, "priv/python"}],
  # Each job takes seconds, so the last one may wait long for a worker.
  checkout_timeout: :infinity

config :logger, level: :warning
