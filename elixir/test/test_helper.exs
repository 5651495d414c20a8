# Every process that a pool of this run starts inherits this, and so can be found in /proc.
System.put_env("PORTPOOL_TEST_RUN", "#{System.pid()}.#{System.os_time()}")

ExUnit.start(capture_log: true)
