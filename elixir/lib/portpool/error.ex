defmodule Portpool.Error do
  @moduledoc """
  Why a call failed, or a pool could not start.

  | field | value |
  |---|---|
  | `reason` | an atom from the closed list `t:reason/0` |
  | `message` | what happened, why, and what to do |
  | `phase` | where it happened: `:checkout`, `:start`, `:call` or `:reply` |
  | `blame` | whose fault it was: `:caller`, `:worker` or `:server` |
  | `retryable` | whether the same call can succeed the next time. The first run may still have had effects |
  | `detail` | a map whose keys depend on the reason: `:traceback`, `:signal`, `:stderr`, `:elapsed_ms`, `:stacks` and others |
  | `frames` | the Python stack, outermost call first: maps of `:file`, `:line`, `:function`, `:code` |

  [docs/protocol.md](https://github.com/portpool/portpool/blob/main/docs/protocol.md) 9.2 has the table of reasons,
  with the keys of `detail`. Three reasons never come from the server:

  | reason | when |
  |---|---|
  | `:noproc` | the pool does not exist or is being restarted; the call did not run |
  | `:unsafe_term` | the reply has an atom that does not exist in this VM |
  | `:incompatible` | the program does not speak this version of the protocol |

  Some come from either side. The library itself refuses wrong options (`:bad_request`) and calls that the server would
  refuse (`:too_large`, `:queue_full`). When a pool ends, it fails the calls in flight (`:shutdown`, `:internal`) and
  later calls on its workers (`:lease_lost`).

  An atom exists once a module that has it is loaded, and modules load lazily in development. If you get
  `:unsafe_term`, call `Code.ensure_loaded/1` with the module that owns the atom.
  """

  @typedoc "Why a call failed."
  @type reason ::
          :checkout_timeout
          | :timeout
          | :queue_full
          | :cancelled
          | :undef
          | :denied
          | :exception
          | :worker_exit
          | :worker_start
          | :crash_loop
          | :quarantined
          | :lease_lost
          | :worker_gone
          | :bad_request
          | :too_large
          | :unencodable
          | :unsafe_term
          | :incompatible
          | :shutdown
          | :noproc
          | :internal

  @typedoc "Where a call failed."
  @type phase :: :checkout | :start | :call | :reply

  @typedoc "Whose fault it was."
  @type blame :: :caller | :worker | :server

  @typedoc "One entry of the Python stack."
  @type frame :: %{file: binary, line: integer, function: binary, code: binary}

  @type t :: %__MODULE__{
          reason: reason,
          message: String.t(),
          phase: phase,
          blame: blame,
          retryable: boolean,
          detail: map,
          frames: [frame]
        }

  @enforce_keys [:reason, :message, :phase, :blame, :retryable]
  defexception [:reason, :message, :phase, :blame, :retryable, detail: %{}, frames: []]

  # Errors made on this side have the phase, blame and retryable that the server gives them (docs/protocol.md 9.2).
  @local %{
    queue_full: {:checkout, :server, true},
    too_large: {:call, :caller, false},
    unencodable: {:call, :caller, false},
    bad_request: {:call, :caller, false},
    shutdown: {:call, :server, true},
    internal: {:call, :server, true},
    lease_lost: {:checkout, :caller, false},
    noproc: {:checkout, :server, true},
    unsafe_term: {:reply, :worker, false},
    incompatible: {:start, :server, false}
  }

  @doc false
  @spec new(reason, String.t(), map) :: t
  def new(reason, message, detail \\ %{}) do
    {phase, blame, retryable} = Map.fetch!(@local, reason)

    %__MODULE__{
      reason: reason,
      message: message,
      phase: phase,
      blame: blame,
      retryable: retryable,
      detail: detail
    }
  end

  @doc false
  @spec local() :: %{reason => {phase, blame, boolean}}
  def local, do: @local

  # docs/protocol.md 9.1
  @doc false
  @spec from_wire(map) :: t
  def from_wire(%{reason: reason, message: message, phase: phase, blame: blame, retryable: retryable} = error) do
    {frames, detail} = error |> Map.get(:detail, %{}) |> Map.pop(:frames, [])

    %__MODULE__{
      reason: reason,
      message: message,
      phase: phase,
      blame: blame,
      retryable: retryable,
      detail: detail,
      frames: frames
    }
  end

  @doc """
  Returns the message, and the traceback as Python prints it if there is one.
  """
  @impl true
  @spec message(t) :: String.t()
  def message(%__MODULE__{message: message, detail: detail}), do: describe(message, detail)

  defp describe(message, %{last_start_error: %{message: cause} = error}) do
    message <> "\n\nThe last start failed: " <> describe(cause, Map.get(error, :detail, %{}))
  end

  defp describe(message, %{traceback: traceback}) when is_binary(traceback) and traceback != "" do
    traceback = String.trim_trailing(traceback)
    if repeats?(traceback, message), do: message, else: message <> "\n\n" <> traceback
  end

  # Where a worker was that did not become ready. A call that ran too long has them too, in `detail` alone: it is one of
  # many, and they are long.
  defp describe(message, %{stacks: stacks} = detail)
       when is_binary(stacks) and not is_map_key(detail, :elapsed_ms) do
    message <> "\n\n" <> String.trim_trailing(stacks)
  end

  defp describe(message, %{stderr: [_ | _] = lines}) do
    message <> "\n\nThe last lines on its stderr:\n" <> Enum.map_join(lines, "\n", &("  " <> &1))
  end

  defp describe(message, _detail), do: message

  # A traceback without frames only repeats the message, with the full name of the exception's class: where a function
  # written in C was called, no line of Python had called it.
  defp repeats?(traceback, message) do
    [name | _rest] = String.split(traceback, ":", parts: 2)
    class = name |> String.split(".") |> List.last()
    short = String.replace_prefix(traceback, name, class)
    not String.match?(name, ~r/\s/) and String.ends_with?(message, short)
  end

  @doc """
  Returns the Python stack as an Elixir stack trace, innermost call first, for tools that take one.

  This function creates no atoms. If the name of a module or function is not an atom of this VM yet, it shows as
  `:python` or `:call`. The file and the line are always there.
  """
  @spec stacktrace(t) :: Exception.stacktrace()
  def stacktrace(%__MODULE__{frames: frames}), do: frames |> Enum.reverse() |> Enum.map(&entry/1)

  defp entry(%{file: file, line: line, function: function}) do
    module = file |> Path.basename() |> Path.rootname()
    {existing(module, :python), existing(function, :call), [], [file: charlist(file), line: line]}
  end

  defp charlist(text) do
    if String.valid?(text), do: String.to_charlist(text), else: :binary.bin_to_list(text)
  end

  defp existing(name, otherwise) do
    String.to_existing_atom(name)
  rescue
    # Unknown here, or longer than an atom may be.
    _error in [ArgumentError, SystemLimitError] -> otherwise
  end
end
