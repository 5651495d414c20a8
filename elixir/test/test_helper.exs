# Every process that a pool of this run starts inherits this, and so can be found in /proc.
System.put_env("PORTPOOL_TEST_RUN", "#{System.pid()}.#{System.os_time()}")

# What the tests of this run write is in a directory of its own, beside other runs, and goes with it.
directory = Path.join(System.tmp_dir!(), "portpool-tests-#{System.pid()}-#{System.os_time()}")
File.mkdir_p!(directory)
System.put_env("TMPDIR", directory)
# So do the packages of the tests, which are nobody else's.
for name <- ["UV_CACHE_DIR", "PIP_CACHE_DIR"], do: System.put_env(name, Path.join(directory, "packages"))
ExUnit.after_suite(fn _result -> File.rm_rf!(directory) end)

# Tests of arrays want an interpreter that has numpy: `make test-venv` makes one.
python = System.get_env("PORTPOOL_TEST_PYTHON", "python3")
{_output, status} = System.cmd(python, ["-c", "import numpy"], stderr_to_stdout: true)

if status != 0,
  do:
    IO.puts(
      :stderr,
      "#{python} HAS NO NUMPY: the tests of arrays are excluded. `make test-venv` installs it."
    )

# A message that is asserted may take a second on a busy machine.
exclude = if status == 0, do: [], else: [:numpy]
ExUnit.start(capture_log: true, assert_receive_timeout: 1_000, exclude: exclude)
