defmodule Portpool.Wire do
  @moduledoc false

  # Bytes from and to the server: docs/protocol.md, the numbers in the comments are its sections.

  alias Portpool.{Atoms, Bytes, Error, Tensor}

  @version 1

  # 3.2: every reply begins with the id, at a fixed place.
  @reply <<131, 104, 3, 119, 5, "reply", 110, 8, 0>>

  # A binary of this size among the arguments goes to the port as it is, uncopied. Below it the copy is cheaper.
  @large 65_536

  # A reply is decoded with `:safe`, which knows only the atoms of loaded modules: here are those of 4, 5, 9 and 10.
  @atoms ~w(
    reply ok error pong nil true false
    reason message phase blame retryable detail
    checkout_timeout timeout queue_full cancelled undef denied exception worker_exit worker_start crash_loop
    quarantined lease_lost worker_gone bad_request too_large unencodable shutdown internal
    checkout start call caller worker server
    waited_ms last_start_error waiting status signal stderr traceback elapsed_ms pid module function hint type
    frames path bytes limit option id file line code attempt stacks kills retry_after_ms oom
    resized reloaded drained flushed
    state ready overflow full size max_overflow idle busy starting stopping leased ahead waiting_bytes inflight_bytes max_waiting max_busy
    refused generation reloading draining calls restarts last_exit how workers age_ms memory running_ms
    queue_us run_us grace init
  )a

  # And those in the structs that Python makes: docs/types.md 1.7 and 1.8.
  @structs [Date, Time, NaiveDateTime, DateTime, Tensor]
  @fields for module <- @structs, do: module.__struct__() |> Map.from_struct() |> Map.keys()
  @made_by_python Enum.uniq([Calendar.ISO, :s, :u, :f, :bf, :c | @structs] ++ List.flatten(@fields))

  @type id :: 0..0xFFFFFFFFFFFFFFFF
  @type text :: atom | String.t() | charlist
  @type request ::
          {:call, module :: text, function :: text, args :: [term], options :: map}
          | {:checkout, options :: map}
          | {:checkin, lease :: id, options :: map}
          | {:resize, pos_integer}
          | {:drain, options :: map}
          | :reload
          | :flush
          | :status
          | :ping
  @type packet :: iodata

  @doc "Returns every atom that the server may write in a reply of its own."
  @spec atoms() :: [atom]
  def atoms, do: @atoms

  @doc "Returns every atom in the structs that Python may make."
  @spec made_by_python() :: [atom]
  def made_by_python, do: @made_by_python

  # 2.1
  @spec hello(map) :: packet
  def hello(options), do: :erlang.term_to_binary({:hello, @version, options})

  # 4
  @spec request(id, request) :: packet
  def request(id, {:call, module, function, args, options}) do
    term = {:call, id, module, function, args, options}
    if large?(args), do: :erlang.term_to_iovec(term), else: :erlang.term_to_binary(term)
  end

  def request(id, {:checkout, options}), do: :erlang.term_to_binary({:checkout, id, options})
  def request(id, {:checkin, lease, options}), do: :erlang.term_to_binary({:checkin, id, lease, options})
  def request(id, {:resize, size}), do: :erlang.term_to_binary({:resize, id, size})
  def request(id, {:drain, options}), do: :erlang.term_to_binary({:drain, id, options})
  def request(id, name) when name in [:reload, :flush, :status, :ping], do: :erlang.term_to_binary({name, id})

  # Whatever `args` is, a list or not: the server judges it.
  defp large?([arg | _rest]) when is_binary(arg) and byte_size(arg) >= @large, do: true
  defp large?([%Bytes{binary: binary} | rest]), do: large?([binary | rest])
  defp large?([%Tensor{data: data} | rest]), do: large?([data | rest])
  defp large?([_arg | rest]), do: large?(rest)
  defp large?(_end), do: false

  # 4
  @spec cancel(id) :: packet
  def cancel(id), do: :erlang.term_to_binary({:cancel, id})

  @doc "Returns the id of a reply without decoding the rest."
  @spec reply_id(binary) :: id | nil
  def reply_id(<<@reply, id::64-little, _result::binary>>), do: id
  def reply_id(_packet), do: nil

  # 14
  @doc "Tells whether a packet is a line that a worker has printed or logged."
  @spec line?(binary) :: boolean
  def line?(<<131, 104, 2, 119, 3, "log", _line::binary>>), do: true
  def line?(_packet), do: false

  @doc "Decodes such a line. What it says is binaries, and its few atoms are known here."
  @spec line(binary) :: map
  def line(packet) do
    {:log, %{worker: _, call: _, stream: _, level: _, logger: _, text: _} = line} =
      :erlang.binary_to_term(packet)

    line
  end

  @doc "Tells whether a reply is an error, without decoding it."
  @spec failed?(binary) :: boolean
  def failed?(<<@reply, _id::64, 104, 2, 119, 5, "error", _error::binary>>), do: true
  def failed?(_packet), do: false

  # 5.1, 5.3
  @spec result(binary) :: {:ok, term} | {:ok, term, map} | {:error, Error.t()}
  def result(packet) do
    case :erlang.binary_to_term(packet, [:safe]) do
      {:reply, _id, {:ok, value}} -> {:ok, value}
      {:reply, _id, {:ok, value, meta}} -> {:ok, value, meta}
      {:reply, _id, {:error, error}} -> {:error, Error.from_wire(error)}
    end
  rescue
    ArgumentError -> {:error, unsafe(packet)}
  end

  defp unsafe(packet) do
    case Atoms.unknown(packet) do
      {:ok, name} ->
        hint = "load the module that owns it (Code.ensure_loaded/1), or return a str from Python"

        Error.new(
          :unsafe_term,
          "the reply has the atom #{inspect(name)}, which does not exist in this VM: #{hint}"
        )

      :error ->
        Error.new(
          :unsafe_term,
          "the reply has a term that this VM does not know, such as a function of a module that is not loaded"
        )
    end
  end

  @doc """
  Decodes a packet that answers no request: docs/protocol.md 2.2, 2.3 and 6.1.

  Nothing in it comes from Python, and a newer server may name features that this client has never heard of, so
  here atoms are made.
  """
  @spec announcement(binary) :: {:ready, map} | {:error, Error.t()}
  def announcement(packet) do
    case :erlang.binary_to_term(packet) do
      {:ready, @version, info} when is_map(info) -> {:ready, info}
      {:error, %{reason: _} = error} -> {:error, Error.from_wire(error)}
      _other -> {:error, incompatible()}
    end
  rescue
    ArgumentError -> {:error, incompatible()}
  end

  defp incompatible do
    Error.new(
      :incompatible,
      "the program's answer is not of version #{@version} of the port protocol: is it a portpool program of this version?"
    )
  end
end
