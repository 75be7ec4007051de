"""HTTP to registries, by urllib3: TLS as this host configures it, proxies as the environment names them, answers bounded.

Nothing that is said of a failure holds a URL, a header or a body: these may carry secrets.
"""

import os
import re
import time
from collections.abc import Mapping

from cerrotorre import deadline, owned
from cerrotorre.errors import Fail
from cerrotorre.reference import split_port
from cerrotorre.typed import Any

CHUNK = 64 << 10
MAX_PEM = 1 << 20
TRIES = 3
MAX_WAIT = 10.0
# Codes of the distribution specification ("Error Codes"): of what a registry says only these are repeated, since it may repeat what it
# was told.
CODES = frozenset(
    {
        "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED",
        "UNSUPPORTED", "TOOMANYREQUESTS",
    }
)  # fmt: skip
_CODE = re.compile(rb'"code"\s*:\s*"([A-Z_]{1,40})"')
_URL = re.compile(r"[\x21-\x7e]{1,8192}")
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[::1\]")

# {"status": int, "headers": {lower-case name: value}, "body": bytes, "code": str}
Answer = dict[str, Any]


class TooLarge(Fail):
    """An answer is over its limit: of what somebody pushed that is not the registry's failure."""


class Transport:
    """Connections to any host, kept open. `timeout` is for one silence, `deadline` for one whole answer; both in seconds. A busy
    server is asked `tries` times in all."""

    def __init__(
        self, env: Mapping[str, str] | None = None, timeout: float = 20, deadline: float = 120, tries: int = TRIES
    ) -> None:
        self._env = os.environ if env is None else env
        self._timeout, self._deadline, self._tries = timeout, deadline, tries
        self._pools: dict[tuple[str, bool], Any] = {}

    def send(
        self,
        url: str,
        headers: dict[str, str],
        limit: int,
        *,
        method: str = "GET",
        form: dict[str, str] | None = None,
        verified: bool = True,
    ) -> Answer:
        """Ask for a URL, or POST a form to it; redirects are the caller's. A busy server is asked again, a few times.

        Raises Fail network for no answer, one that is over `limit` bytes, cut short, or too slow.
        """
        for attempt in range(self._tries):
            answer = self._once(method if form is None else "POST", url, headers, limit, form, verified)
            if answer["status"] not in (429, 503) or attempt == self._tries - 1:
                break
            asked = answer["headers"].get("retry-after", "")
            seconds = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 2**attempt
            if seconds > MAX_WAIT:
                break
            time.sleep(seconds)
        return answer

    def _once(
        self, method: str, url: str, headers: dict[str, str], limit: int, form: dict[str, str] | None, verified: bool
    ) -> Answer:
        import urllib3
        from urllib3 import exceptions

        host = split(url)[1]
        clock = deadline.Clock(self._deadline)
        try:
            # Identity: a compressed answer could unpack to anything.
            response = self._pool(url, verified, clock).request(
                method,
                url,
                headers={"User-Agent": "cerro-torre", "Accept-Encoding": "identity", **headers},
                **({} if form is None else {"fields": form, "encode_multipart": False}),
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout),
            )
            try:
                body = self._body(response, limit if response.status == 200 else CHUNK, host, response.status == 200)
            finally:
                # What was not read to its end is not waited for.
                if not response.isclosed():
                    response.close()
                response.release_conn()
        except exceptions.HTTPError as error:
            if not clock.late:
                raise Fail("network", f"{host}: {self._reason(error)}", Registry=host) from None
        finally:
            clock.stop()
        # A connection that was shut down can look like a complete answer.
        if clock.late:
            raise Fail("network", f"{host}: the answer takes over {self._deadline:g} s", Registry=host)
        code = _CODE.search(body) if response.status >= 400 else None
        said = code[1].decode() if code and code[1].decode() in CODES else ""
        found = {name.lower(): value for name, value in response.headers.items()}
        return {"status": response.status, "headers": found, "body": body, "code": said}

    def _body(self, response: Any, limit: int, host: str, whole: bool) -> bytes:
        parts, size = [], 0
        # urllib3 before 2 has no read1.
        read = getattr(response, "read1", response.read)
        while part := read(CHUNK):
            parts.append(part)
            size += len(part)
            if size > limit:
                if not whole:
                    break
                raise TooLarge("network", f"{host}: the answer is over {limit} bytes", Registry=host)
        return b"".join(parts)

    def _reason(self, error: Exception) -> str:
        from urllib3 import exceptions

        for kind, words in (
            (getattr(exceptions, "NameResolutionError", ()), "its name is not known"),
            # It is a timeout by its class only.
            (exceptions.NewConnectionError, "no connection"),
            (exceptions.ConnectTimeoutError, f"no connection within {self._timeout:g} s"),
            (exceptions.ReadTimeoutError, f"no answer within {self._timeout:g} s"),
            (exceptions.ProxyError, "the proxy refuses"),
            (exceptions.ProtocolError, "the connection broke"),
        ):
            if isinstance(error, kind):
                return words
        if isinstance(error, exceptions.SSLError):
            return f"TLS: {error.args[0] if error.args else error}"[:300]
        return type(error).__name__

    def _pool(self, url: str, verified: bool, clock: deadline.Clock) -> Any:
        scheme, host = split(url)
        key = (f"{scheme}://{host}", verified)
        if key not in self._pools:
            self._pools[key] = self._connect(scheme, host, verified)
            # A manager is for one host, and so has one pool.
            pool = self._pools[key].connection_from_url(url)
            pool.ConnectionCls = deadline.watched(pool.ConnectionCls)
        clock.start(self._pools[key].connection_from_url(url).ConnectionCls.held)
        return self._pools[key]

    def _connect(self, scheme: str, host: str, verified: bool) -> Any:
        import urllib3
        from urllib3.util import make_headers, parse_url

        options = {"ssl_context": _context(host, verified, self._env)} if scheme == "https" else {}
        proxy = proxy_for(scheme, host, self._env)
        if not proxy:
            return urllib3.PoolManager(**options)
        try:
            parsed = parse_url(proxy)
            return urllib3.ProxyManager(
                parsed._replace(auth=None).url,
                proxy_headers=make_headers(proxy_basic_auth=parsed.auth) if parsed.auth else None,
                **options,
            )
        except urllib3.exceptions.HTTPError:
            raise Fail("network", f"{scheme.upper()}_PROXY is no proxy's URL", Registry=host) from None


def split(url: str) -> tuple[str, str]:
    """(scheme, host with any port) of an absolute URL, its host as references spell it. Raises Fail network."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parsed = parse_url(url)
    except (LocationParseError, UnicodeError):
        raise Fail("network", "what was given as a URL is none") from None
    # RFC 3986 §3.2.1: `user@` misleads readers, and would be sent as credentials.
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.auth or not _URL.fullmatch(url):
        raise Fail("network", "what was given as a URL is not plain http or https")
    usual = {"http": 80, "https": 443}[parsed.scheme]
    return parsed.scheme, parsed.host if parsed.port in (None, usual) else f"{parsed.host}:{parsed.port}"


def resolve(base: str, location: str) -> str:
    """The absolute URL of a Location or Link beside the URL that gave it."""
    scheme, host = split(base)
    if location.startswith("//"):
        return f"{scheme}:{location}"
    if location.startswith("/"):
        return f"{scheme}://{host}{location}"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", location):
        return location
    path = base.split("://", 1)[1].partition("?")[0]
    return f"{scheme}://{path}{location}" if location.startswith("?") else f"{scheme}://{path.rpartition('/')[0]}/{location}"


def _context(host: str, verified: bool, env: Mapping[str, str]) -> Any:
    """TLS for one host: the system's roots, and the certificates that certs.d gives for it (containers-certs.d(5))."""
    from _ssl import get_default_verify_paths

    import urllib3
    from urllib3.util.ssl_ import create_urllib3_context

    if not verified:
        # A host that [registries] insecure names: who wrote that need not be told again.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return create_urllib3_context(cert_reqs=0)
    context = create_urllib3_context()
    # Where OpenSSL was built to look, and not where the environment says: it does not choose whom to trust (decision 0017).
    _, file, _, hashed = get_default_verify_paths()
    context.load_verify_locations(file if os.path.exists(file) else None, hashed)
    path = directory = certs_directory(host, env)
    try:
        for name in sorted(os.listdir(directory)) if directory else ():
            path = os.path.join(str(directory), name)
            if name.endswith(".crt"):
                context.load_verify_locations(cadata=(owned.read(path, MAX_PEM, guarded=False) or b"").decode("ascii"))
            elif name.endswith(".cert"):
                context.load_cert_chain(path, path.removesuffix(".cert") + ".key", _no_passphrase)
    # ssl.SSLError is an OSError.
    except (OSError, ValueError) as error:
        raise Fail("network", f"'{path}' cannot be used: {error}", Registry=host, File=path) from None
    return context


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted")


def certs_directory(host: str, env: Mapping[str, str]) -> str | None:
    """The first directory of certificates for this host that exists: the user's, then the system's, as skopeo looks."""
    places = [os.path.join(env["HOME"], ".config/containers/certs.d")] if os.path.isabs(env.get("HOME", "")) else []
    for place in (*places, "/etc/containers/certs.d", "/etc/docker/certs.d"):
        if os.path.isdir(os.path.join(place, host)):
            return os.path.join(place, host)
    return None


def proxy_for(scheme: str, host: str, env: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for a host, as Go programs and so skopeo read it: never for this host itself."""
    name = split_port(host)[0]
    proxy = env.get(f"{scheme}_proxy") or env.get(f"{scheme}_proxy".upper())
    if not proxy or _LOOPBACK.fullmatch(name):
        return None
    for entry in (env.get("no_proxy") or env.get("NO_PROXY") or "").lower().split(","):
        entry = entry.strip()
        if entry == "*" or entry in (host, name):
            return None
        domain = split_port(entry)[0].removeprefix("*").lstrip(".")
        if domain and split_port(entry)[1] in (None, split_port(host)[1]) and (name == domain or name.endswith("." + domain)):
            return None
    return proxy if "://" in proxy else f"http://{proxy}"
