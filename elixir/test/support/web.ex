defmodule Portpool.Test.Web do
  @moduledoc "A web server on the loopback interface, for as long as the test runs."

  @doc """
  Serves these paths, and returns the address of the root. The value of a path is its content, `{:moved, path}`, or
  `{:cut, content}` for an answer that ends early. Each request is sent to the calling process as `{:asked, path}`.
  """
  @spec serve!(%{String.t() => binary | {:moved, String.t()} | {:cut, binary}}) :: String.t()
  def serve!(pages) do
    test = self()
    {:ok, listener} = :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, packet: :http_bin, active: false])
    {:ok, port} = :inet.port(listener)
    server = spawn_link(fn -> accept(listener, pages, test) end)
    :ok = :gen_tcp.controlling_process(listener, server)
    "http://127.0.0.1:#{port}"
  end

  @doc "Returns an address where nobody answers."
  @spec nowhere!() :: String.t()
  def nowhere! do
    {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(listener)
    :ok = :gen_tcp.close(listener)
    "http://127.0.0.1:#{port}"
  end

  defp accept(listener, pages, test) do
    {:ok, socket} = :gen_tcp.accept(listener)
    {:ok, {:http_request, :GET, {:abs_path, path}, _version}} = :gen_tcp.recv(socket, 0)
    :ok = headers(socket)
    send(test, {:asked, path})
    :ok = :gen_tcp.send(socket, answer(Map.get(pages, path)))
    :ok = :gen_tcp.close(socket)
    accept(listener, pages, test)
  end

  defp headers(socket) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, :http_eoh} -> :ok
      {:ok, {:http_header, _, _, _, _}} -> headers(socket)
    end
  end

  defp answer(nil), do: head("404 Not Found", 0, "")
  defp answer({:moved, path}), do: head("302 Found", 0, "location: #{path}\r\n")
  defp answer({:cut, content}), do: [head("200 OK", byte_size(content) + 1, ""), content]
  defp answer(content), do: [head("200 OK", byte_size(content), ""), content]

  defp head(status, size, more),
    do: "HTTP/1.1 #{status}\r\ncontent-length: #{size}\r\nconnection: close\r\n#{more}\r\n"
end
