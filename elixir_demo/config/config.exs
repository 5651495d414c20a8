import Config

# The options of the pool. Its paths are directories of this application, so they are right in a release, too, wherever
# that is installed.
config :portpool_demo, :pool,
  venv: {:portpool_demo, "priv/venv"},
  python_path: [{:portpool_demo, "priv/python"}],
  # Each job takes seconds, so the last one may wait long for a worker.
  checkout_timeout: :infinity

config :logger, level: :warning
