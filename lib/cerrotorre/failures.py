"""What may go wrong between here and a registry. Nothing that is said of it holds a URL, a header or a body: these may carry secrets."""

from cerrotorre.errors import Fail
from cerrotorre.typed import Any


class TooLarge(Fail):
    """An answer is over its limit: of what somebody pushed that is not the registry's failure."""


class Broken(Fail):
    """The connection broke: another try may do better."""


class Plain(Fail):
    """What answers does not speak TLS."""


class Silent(Broken):
    """Nothing, or hardly anything, comes: that took its time already."""


class Aborted(Exception):
    """What was to be sent could not be had. It is none of the errors that urllib3 takes for the network's."""


def slow(host: str, seconds: float) -> Silent:
    """Of a stream: fewer than 64 KiB came, or were taken, in so many seconds."""
    return Silent("network", f"{host}: less than 64 KiB in {seconds:g} s", Registry=host)


def late(host: str, seconds: float) -> Silent:
    return Silent("network", f"{host}: the answer takes over {seconds:g} s", Registry=host)


def of(error: Exception, host: str, timeout: float, *, answered: bool) -> Fail:
    """What an error of urllib3 is, of a host that has answered before or not. `timeout` is that of its sockets, in seconds."""
    from urllib3 import exceptions

    silences: tuple[tuple[Any, str], ...] = (
        (getattr(exceptions, "NameResolutionError", ()), "its name is not known"),
        # It is a timeout by its class only.
        (exceptions.NewConnectionError, "no connection"),
        (exceptions.ConnectTimeoutError, f"no connection within {timeout:g} s"),
        (exceptions.ReadTimeoutError, f"no answer within {timeout:g} s"),
    )
    for kind, words in silences:
        if isinstance(error, kind):
            # Who answered before may come back.
            again = Broken if answered and kind is exceptions.NewConnectionError else Silent
            return again("network", f"{host}: {words}", Registry=host)
    if isinstance(error, exceptions.ProxyError):
        return Fail("network", f"{host}: the proxy refuses", Registry=host)
    cause = error.args[0] if error.args else error
    if isinstance(error, exceptions.ProtocolError) or type(cause).__name__ == "SSLEOFError":
        return broken(host)
    if isinstance(error, exceptions.SSLError):
        # OpenSSL's words for an answer that is no TLS record, before 3.2 and after.
        plain = getattr(cause, "reason", "") in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
        return (Plain if plain else Fail)("network", f"{host}: TLS: {str(cause)[:300]}", Registry=host)
    return Fail("network", f"{host}: {type(error).__name__}", Registry=host)


def broken(host: str) -> Broken:
    return Broken("network", f"{host}: the connection broke", Registry=host)
