defmodule Portpool.Build.Download do
  @moduledoc false

  # Reads a file by its address or path. The proxies are those of the environment, as for Mix itself.

  @connect_ms 15_000
  @ms 300_000

  @doc "Returns the content of an address (http or https) or of an absolute path."
  @spec read(String.t()) :: {:ok, binary} | {:error, String.t()}
  def read("http://" <> _rest = url), do: fetch(url)
  def read("https://" <> _rest = url), do: fetch(url)

  def read(path) do
    with {:error, reason} <- File.read(path),
         do: {:error, "#{path} cannot be read: #{:file.format_error(reason)}"}
  end

  @doc "Makes a path absolute, from `root`, and an address of a file a path."
  @spec expand(String.t(), Path.t()) :: String.t()
  def expand("file://" <> path, _root), do: URI.decode(path)

  def expand(location, root),
    do: if(location =~ ~r"^https?://", do: location, else: Path.expand(location, root))

  defp fetch(url) do
    profile = :portpool_download
    for app <- [:inets, :ssl], do: {:ok, _started} = Application.ensure_all_started(app)
    {:ok, _pid} = start(profile)

    try do
      proxies(profile)
      request = {url |> URI.encode(&(&1 in ?!..?~)) |> String.to_charlist(), [{~c"user-agent", ~c"portpool"}]}
      options = [connect_timeout: @connect_ms, timeout: @ms] ++ tls(url)

      :get
      |> :httpc.request(request, options, [body_format: :binary], profile)
      |> answer(url)
    after
      :inets.stop(:httpc, profile)
    end
  end

  # From Elixir 1.15 on, Mix makes the applications of OTP available and starts none.
  defp start(profile) do
    for app <- [:inets, :ssl], do: {:ok, _started} = Application.ensure_all_started(app)
    with {:error, {:already_started, pid}} <- :inets.start(:httpc, profile: profile), do: {:ok, pid}
  end

  defp answer({:ok, {{_http, 200, _ok}, _headers, body}}, _url), do: {:ok, body}

  defp answer({:ok, {{_http, status, reason}, _headers, _body}}, url),
    do: {:error, "#{url} cannot be downloaded: the server answers #{status} #{reason}"}

  defp answer({:error, reason}, url),
    do: {:error, "#{url} cannot be downloaded: #{why(reason)}. Is this machine offline, or behind a proxy?"}

  defp why({:failed_connect, reasons}) do
    case List.keyfind(reasons, :inet, 0) || List.keyfind(reasons, :inet6, 0) do
      {_inet, _options, :nxdomain} ->
        "there is no host of that name"

      {_inet, _options, {:tls_alert, {_alert, text}}} ->
        "TLS failed: #{text}"

      {_inet, _options, {:options, _certificates}} ->
        "this system has no certificates to trust (ca-certificates)"

      {_inet, _options, reason} when is_atom(reason) ->
        "#{:inet.format_error(reason)}"

      _unknown ->
        inspect(reasons)
    end
  end

  defp why(:timeout), do: "it took longer than #{div(@ms, 1000)} s"

  defp why(closed) when closed in [:socket_closed_remotely, {:shutdown, :server_closed}],
    do: "the server closed the connection before the end"

  defp why(reason), do: inspect(reason)

  defp tls("http://" <> _rest), do: []

  defp tls("https://" <> _rest) do
    matching = [match_fun: :public_key.pkix_verify_hostname_match_fun(:https)]

    [
      ssl: [
        verify: :verify_peer,
        cacerts: certificates(),
        depth: 10,
        customize_hostname_check: matching
      ]
    ]
  end

  # Without any, no server can be trusted: that is what TLS says then.
  defp certificates do
    :public_key.cacerts_get()
  rescue
    ErlangError -> []
  end

  defp proxies(profile) do
    for {option, names} <- [proxy: ~w(HTTP_PROXY http_proxy), https_proxy: ~w(HTTPS_PROXY https_proxy)],
        url = Enum.find_value(names, &System.get_env/1),
        %URI{host: host, port: port} when host not in [nil, ""] <- [URI.parse(url)],
        do: :httpc.set_options([{option, {{String.to_charlist(host), port || 80}, direct()}}], profile)
  end

  defp direct do
    (System.get_env("NO_PROXY") || System.get_env("no_proxy") || "")
    |> String.split(",", trim: true)
    |> Enum.map(&(&1 |> String.trim() |> String.replace(~r/^\./, "*.") |> String.to_charlist()))
  end
end
