"""Connections to hosts: TLS as this host configures it, proxies as the environment names them."""

import os
import re
from collections.abc import Mapping

from cerrotorre import deadline, owned
from cerrotorre.errors import Fail
from cerrotorre.reference import split_port
from cerrotorre.typed import Any

MAX_PEM = 1 << 20
# Connections kept to one host, so that as many threads may use one without making them anew.
KEPT = 16
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[::1\]")


def connect(scheme: str, host: str, verified: bool, env: Mapping[str, str]) -> tuple[Any, Any]:
    """(urllib3's manager for this one host, its class of connections, which is `deadline.watched`).

    Raises Fail network for certificates or a proxy that cannot be used.
    """
    manager = _manager(scheme, host, verified, env)
    pool = manager.connection_from_url(f"{scheme}://{host}")
    pool.ConnectionCls = deadline.watched(pool.ConnectionCls)
    return manager, pool.ConnectionCls


def _manager(scheme: str, host: str, verified: bool, env: Mapping[str, str]) -> Any:
    import urllib3
    from urllib3.util import make_headers, parse_url

    options: dict[str, Any] = {"maxsize": KEPT}
    if scheme == "https":
        # urllib3 before 2 puts its own requirement into the context.
        options |= {"ssl_context": _context(host, verified, env), "cert_reqs": "CERT_REQUIRED" if verified else "CERT_NONE"}
    proxy = proxy_for(scheme, host, env)
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
