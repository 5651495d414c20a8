defmodule Portpool.PulseTest do
  # Whether a server is well is told by counters of its port, so it matters when they are read.
  use Portpool.Test.Case

  alias Portpool.Pulse

  # What an owner does to its port at a beat, in order.
  defp traced_beat(owner) do
    await_reply(owner)
    patterns = [{:erlang, :port_info, 2}, {:erlang, :port_command, 2}, {:erlang, :port_command, 3}]
    for pattern <- patterns, do: 1 = :erlang.trace_pattern(pattern, true, [:local])
    1 = :erlang.trace(owner, true, [:call])
    send(owner, :beat)
    # It is answered after the beat.
    %{pulse: pulse} = :sys.get_state(owner)
    1 = :erlang.trace(owner, false, [:call])
    for pattern <- patterns, do: 1 = :erlang.trace_pattern(pattern, false, [:local])
    delivered = :erlang.trace_delivered(owner)
    assert_receive {:trace_delivered, ^owner, ^delivered}
    {pulse, calls(owner)}
  end

  # Until something has come since the last beat.
  defp await_reply(owner) do
    %{pulse: %Pulse{port: port, moved: {came, _left, _queued}}} = :sys.get_state(owner)
    eventually(fn -> elem(Port.info(port, :input), 1) > came end)
  end

  defp calls(owner) do
    receive do
      {:trace, ^owner, :call, {:erlang, :port_info, [_port, item]}} -> [item | calls(owner)]
      {:trace, ^owner, :call, {:erlang, :port_command, _args}} -> [:ping | calls(owner)]
    after
      0 -> []
    end
  end

  test "what came is read before the ping is written, and what has left after it" do
    pool = start_pool!()
    owner = route(pool).owner
    {%Pulse{missed: 0}, read} = traced_beat(owner)
    assert :ping in read
    {before, [:ping | rest]} = Enum.split_while(read, &(&1 != :ping))
    # A reply may be there at once. What came after the ping has to count.
    assert :input in before and :input not in rest
    # A queue that the ping waits behind has to count too.
    assert [:output, :queue_size] = rest
  end

  test "the reply to each ping counts at the beat after it" do
    pool = start_pool!()
    owner = route(pool).owner

    for _ <- 1..100 do
      await_reply(owner)
      send(owner, :beat)
      assert %{pulse: %Pulse{missed: 0}} = :sys.get_state(owner)
    end
  end

  test "a server that reads nothing and says nothing is stuck after the last of its beats" do
    port = silent!()
    calls = Portpool.Calls.new(1, 1)
    pulse = Pulse.start(port, calls)
    assert Enum.reduce_while(1..100, pulse, &missed/2) == 8
  end

  test "one that takes what waits in a full pipe is well, though it answers nothing" do
    port = silent!()
    calls = Portpool.Calls.new(1, 1)
    # More than a pipe takes.
    Port.command(port, :binary.copy("x", 1_000_000))
    pulse = Pulse.start(port, calls)
    assert {:ok, %Pulse{missed: 1} = pulse} = Pulse.beat(pulse)
    {:os_pid, pid} = Port.info(port, :os_pid)
    {:queue_size, queued} = Port.info(port, :queue_size)
    signal(pid, "CONT")
    eventually(fn -> elem(Port.info(port, :queue_size), 1) < queued end)
    assert {:ok, %Pulse{missed: 0}} = Pulse.beat(pulse)
  end

  defp missed(beats, pulse) do
    case Pulse.beat(pulse) do
      {:ok, pulse} -> {:cont, pulse}
      :stuck -> {:halt, beats}
    end
  end

  # A program that would read everything, but is stopped.
  defp silent! do
    limits = [busy_limits_port: :disabled, busy_limits_msgq: :disabled]
    cat = ["-c", "exec cat > /dev/null"]
    port = Port.open({:spawn_executable, "/bin/sh"}, [:binary, :exit_status, args: cat] ++ limits)
    {:os_pid, pid} = Port.info(port, :os_pid)
    eventually(fn -> File.read("/proc/#{pid}/comm") == {:ok, "cat\n"} end)
    signal(pid, "STOP")
    on_exit(fn -> System.cmd("kill", ["-KILL", "#{pid}"], stderr_to_stdout: true) end)
    port
  end
end
