defmodule Portpool.Error do
  @moduledoc """
  What went wrong with a call or with the start of a pool.

  | field | value |
  |---|---|
  | `reason` | one of `t:reason/0`; the list is closed |
  | `message` | what happened, why, and what to do about it |
  | `phase` | `:checkout`, `:start`, `:call` or `:reply`: where it happened |
  | `blame` | `:caller`, `:worker` or `:server`: whose fault it was |
  | `retryable` | whether the same call can succeed if it is made again; it says nothing of what the first run has done already |
  | `detail` | a map that depends on the reason: `:traceback`, `:signal`, `:stderr`, `:elapsed_ms`, `:stacks` and so on |
  | `frames` | the Python stack, outermost call first: maps of `:file`, `:line`, `:function`, `:code` |

  `docs/protocol.md` has the table of reasons and the keys of `detail`. These reasons are made on this side and
  never come from the server:

  | reason | when |
  |---|---|
  | `:noproc` | there is no such pool, or it is being restarted; the call did not run |
  | `:unsafe_term` | the reply has an atom that does not exist in this VM |
  | `:incompatible` | the program is not a portpool server that speaks this version of the protocol |

  Both sides make some: `:queue_full` and `:too_large` of what would not be taken anyway, `:bad_request` of wrong options,
  `:lease_lost` of a worker whose server is gone, `:shutdown` and `:internal` when the pool ends with calls in flight.

  Atoms exist once a module that has them is loaded, and modules load lazily in development: for
  `:unsafe_term`, `Code.ensure_loaded/1` on the module that owns the atom is the cure.
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

  # Errors that are made on this side, with the same phase, blame and retryable as the server gives them
  # (docs/protocol.md 9.2).
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
  Returns the message and, where Python has one, the traceback in the form that Python prints.
  """
  @impl true
  @spec message(t) :: String.t()
  def message(%__MODULE__{message: message, detail: detail}), do: describe(message, detail)

  defp describe(message, %{last_start_error: %{message: cause} = error}) do
    message <> "\n\nThe last start failed: " <> describe(cause, Map.get(error, :detail, %{}))
  end

  defp describe(message, %{traceback: traceback}) when is_binary(traceback) and traceback != "" do
    message <> "\n\n" <> String.trim_trailing(traceback)
  end

  defp describe(message, %{stderr: [_ | _] = lines}) do
    message <> "\n\nThe last lines on its stderr:\n" <> Enum.map_join(lines, "\n", &("  " <> &1))
  end

  defp describe(message, _detail), do: message

  @doc """
  Returns the Python stack as an Elixir one, innermost call first, for tools that take stack traces.

  The entries of a stack trace need atoms and this function creates none: a module or function whose name is
  not an atom of this VM yet shows as `:python` and `:call`. The file and the line are always there.
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
