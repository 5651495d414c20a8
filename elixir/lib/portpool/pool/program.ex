defmodule Portpool.Program do
  @moduledoc false

  # Why the server program cannot be started. The operating system says no more than `enoent`, and does not say of what.

  alias Portpool.Options.Paths

  # The statuses with which a child of the VM ends that could not become the program: ENOENT, ENOEXEC, EACCES.
  @not_run [2, 8, 13]

  # Header fields of ELF.
  @machines %{0x03 => "x86", 0x28 => "arm", 0x3E => "x86_64", 0xB7 => "aarch64", 0xF3 => "riscv"}

  # How programs of macOS begin.
  @macos [0xCFFAEDFE, 0xFEEDFACF, 0xCAFEBABE]

  # The program itself is far larger. The name of its loader is at the beginning.
  @head 4_096

  @doc "Says why a program could not be started, from what `Port.open/2` has raised."
  @spec not_started(Path.t(), Exception.t()) :: String.t()
  def not_started(path, error) do
    case File.cwd() do
      {:ok, _directory} -> "#{Paths.shown(path)} could not be started: #{cause(path, error)}"
      {:error, reason} -> no_directory(reason)
    end
  end

  # Every program is started in some directory, and this VM has none to give.
  defp no_directory(:enoent) do
    "the current directory of this VM has been deleted, so it cannot start any program: " <>
      "restart the VM in a directory that exists, or change to one with File.cd!/1"
  end

  defp no_directory(reason) do
    "the current directory of this VM cannot be used (#{:file.format_error(reason)}), so it cannot start any program"
  end

  defp cause(_path, %SystemLimitError{}),
    do: "this VM has as many open ports as it may have; the flag +Q of erl raises the limit"

  defp cause(path, %ErlangError{original: :enoent}),
    do: if(File.exists?(path), do: posix(:enoent), else: "it does not exist any more")

  defp cause(_path, %ErlangError{original: reason}) when is_atom(reason), do: posix(reason)
  defp cause(_path, error), do: Exception.message(error)

  @doc "Describes an error of the operating system that keeps a program from starting."
  @spec posix(atom) :: String.t()
  def posix(:emfile), do: "this VM has as many open files as it may have; `ulimit -n` raises the limit"
  def posix(:enfile), do: "this machine has as many open files as it may have"

  def posix(:eagain),
    do: "this user has as many processes as it may have (`ulimit -u`), or the cgroup has (`pids.max`)"

  def posix(:enomem), do: "this machine is out of memory"
  def posix(:eacces), do: "this user may not execute it"
  def posix(reason), do: "#{:file.format_error(reason)}"

  @doc """
  Says why a program was not run, if its exit status and its file tell. The status is `nil` where it is unknown: a program
  that has ended before it could be written to.
  """
  @spec not_run(Path.t(), non_neg_integer | nil) :: String.t() | nil
  def not_run(path, status) when status in [nil | @not_run] do
    case head(path) do
      {:ok, head} ->
        with what when what != nil <- examined(head, status),
             do: "#{Paths.shown(path)} cannot be run: #{what}"

      {:error, reason} ->
        "#{Paths.shown(path)} cannot be run: #{posix(reason)}"
    end
  end

  def not_run(_path, _status), do: nil

  @doc "Says what a file is: `:script`, the machine that the program was built for, or `nil` if it is neither."
  @spec built_for(Path.t()) :: {:ok, :script | String.t() | nil} | {:error, File.posix()}
  def built_for(path) do
    with {:ok, head} <- head(path), do: {:ok, machine_of(head)}
  end

  defp machine_of("#!" <> _line), do: :script

  defp machine_of(<<0x7F, "ELF", _class, order, _::binary-size(12), machine::binary-size(2), _::binary>>),
    do: Map.get(@machines, machine(order, machine), "another processor")

  defp machine_of(<<magic::32, _::binary>>) when magic in @macos, do: "macOS"
  defp machine_of("MZ" <> _), do: "Windows"
  defp machine_of(_head), do: nil

  defp head(path) do
    with {:ok, head} <- File.open(path, [:read, :binary], &IO.binread(&1, @head)),
         do: if(is_binary(head), do: {:ok, head}, else: {:ok, ""})
  end

  defp examined("#!" <> line, _status) do
    with [interpreter | _arguments] <- line |> String.split("\n") |> hd() |> String.split(),
         false <- executable?(interpreter) do
      "it is a script, and its interpreter #{interpreter} #{lack(interpreter)}"
    else
      _it_is_there -> nil
    end
  end

  defp examined(
         <<0x7F, "ELF", class, order, _ident::binary-size(10), _type::16, machine::binary-size(2), _::binary>> =
           head,
         status
       ) do
    machine = machine(order, machine)

    case own() do
      {^class, ^machine} ->
        if(status in [nil, 2], do: no_loader(head))

      _another ->
        "it was built for #{Map.get(@machines, machine, "another processor")}, and this machine is #{architecture()}"
    end
  end

  defp examined(<<magic::32, _::binary>>, status)
       when magic in @macos and status in [nil, 8],
       do: "it was built for macOS"

  defp examined("MZ" <> _, status) when status in [nil, 8], do: "it was built for Windows"

  defp examined(_head, status) when status in [nil, 8],
    do: "it is neither a program nor a script that begins with #!"

  defp examined(_head, _status), do: nil

  defp executable?(path),
    do: match?({:ok, %File.Stat{type: :regular}}, File.stat(path)) and System.find_executable(path) != nil

  defp lack(path), do: if(File.exists?(path), do: "is not an executable file", else: "does not exist")

  # Class and machine of the program that runs this VM, where the system shows it.
  defp own do
    case head("/proc/self/exe") do
      {:ok, <<0x7F, "ELF", class, order, _::binary-size(12), machine::binary-size(2), _::binary>>} ->
        {class, machine(order, machine)}

      _unknown ->
        nil
    end
  end

  defp machine(2, <<machine::16-big>>), do: machine
  defp machine(_little, <<machine::16-little>>), do: machine

  defp architecture, do: :erlang.system_info(:system_architecture) |> to_string() |> String.split("-") |> hd()

  defp no_loader(head) do
    case Regex.run(~r"/[\w./+-]*/ld[\w.+-]*", head) do
      [loader] ->
        unless(File.exists?(loader),
          do: "it was built for another system: its loader #{loader} does not exist"
        )

      nil ->
        nil
    end
  end
end
