defmodule Portpool.CgroupTest do
  # The watch knows where the cgroup of its server is. Where this user may make none, there is nothing to be shown.
  use Portpool.Test.Case

  for {name, option} <- [{"that the server has found", :auto}, {"that was named", :named}] do
    test "a process that hides goes with a server that is killed, from a cgroup #{name}" do
      with home when is_binary(home) <- home() do
        cgroup = with :named <- unquote(option), do: home
        pool = start_pool!(cgroup: cgroup)
        assert {:ok, {hidden, path}} = Portpool.call(pool, :jobs, :hide, [])
        group = Path.join(home, Path.basename(path))
        assert Path.basename(path) =~ ~r"^portpool-\d+-#{server_pid(pool)}$" and File.dir?(group)

        signal(server_pid(pool), "KILL")
        eventually(fn -> not alive?(hidden) end, 5_000)
        eventually(fn -> not File.dir?(group) end, 5_000)
      end
    end
  end

  # The cgroup in which a server of this VM makes its own by itself: that of the root of a namespace, here.
  defp home do
    with {:ok, cgroups} <- File.read("/proc/self/cgroup"),
         true <- "0::/" in String.split(cgroups, "\n"),
         {:ok, mounts} <- File.read("/proc/self/mounts"),
         [path] <- Regex.run(~r"^cgroup2? (\S+) cgroup2 "m, mounts, capture: :all_but_first),
         {:ok, %{access: access}} when access in [:read_write, :write] <- File.stat(path),
         :ok <- File.mkdir(Path.join(path, "portpool-test")),
         :ok <- File.rmdir(Path.join(path, "portpool-test")) do
      path
    else
      _none -> IO.puts("SKIPPED: there is no cgroup v2 here in which a pool has its own by itself")
    end
  end
end
