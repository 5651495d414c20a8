import Config

# What depends on the machine it runs on. Planning keeps a processor busy, so there is one worker per processor, but at
# least two, to show them working in parallel.
config :portpool_demo, :pool, size: System.schedulers_online() |> max(2) |> min(6)
