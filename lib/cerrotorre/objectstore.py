"""Object stores, by obstore: which object a URL means, how its store is talked to, and what its refusals mean.

What obstore says of a failure may hold signed URLs, headers and what the store repeats. None of it is shown but what is known.
"""

import os
import re
import time
from _thread import allocate_lock
from collections.abc import Callable, Iterator, Mapping

from cerrotorre import config, objectcredentials
from cerrotorre.errors import Fail
from cerrotorre.reference import match_registry
from cerrotorre.typed import Any

MAX_KEY = 1024
# Seconds for one request. One for reading is cut off by then, and goes on by Range if it brought something.
READING, WRITING, COPYING = 60, 120, 900
RETRIES = TRIES = 5
# What is passed on at a time, and the least that a request must bring to count as slow and not as broken.
CHUNK, EDGE = 1 << 20, 64 << 10
_URL = re.compile(r"(s3|gs|az)://([A-Za-z0-9][A-Za-z0-9._-]{1,254})/(.*)", re.S)
_ENDPOINT = re.compile(r"(https?)://([A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?)(/[!-~]*)?")
# Of what a store says only these are repeated: Amazon's codes, Google's are the same, and Azure's.
CODES = frozenset(
    {
        "AccessDenied", "AccountProblem", "AllAccessDisabled", "AuthenticationFailed", "AuthorizationFailure", "AuthorizationHeaderMalformed",
        "AuthorizationPermissionMismatch", "BadDigest", "ContainerNotFound", "EntityTooLarge", "ExpiredToken", "InvalidAccessKeyId",
        "InvalidBucketName", "InvalidDigest", "InvalidToken", "NoSuchBucket", "NoSuchKey", "NotImplemented", "PermanentRedirect",
        "QuotaExceeded", "RequestTimeTooSkewed", "ServerBusy", "SignatureDoesNotMatch", "SlowDown", "XAmzContentSHA256Mismatch",
    }
)  # fmt: skip
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_STATUS = re.compile(r"status code: ([1-5][0-9][0-9])")
_KIND = re.compile(r"kind: (Connect|Timeout|Request|Body|Decode|Interrupted)")
_WORDS = {
    "Connect": "no connection",
    "Timeout": "no answer in time",
    "Request": "the connection broke",
    "Interrupted": "the connection broke",
}

_stores: dict[tuple[str, str, int], Any] = {}
_lock = allocate_lock()


def split(url: str) -> tuple[str, str, str]:
    """(scheme, bucket, key) of an object's URL. Raises Fail usage for a key that is none."""
    match = _URL.fullmatch(url)
    if not match:
        raise Fail("usage", f"{url!r} names no object: it is SCHEME://BUCKET/KEY")
    scheme, bucket, key = match.groups()
    parts = key.split("/")
    if len(key.encode()) > MAX_KEY:
        raise Fail("usage", f"the key has {len(key.encode())} bytes, more than {MAX_KEY}", Expected=f"at most {MAX_KEY}")
    if not key.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise Fail("usage", f"{key!r} is no key: it has an empty part, `.`, `..` or a control character")
    return scheme, bucket, key


def opened(url: str, seconds: int, env: Mapping[str, str] | None = None) -> Any:
    """The store of an object, kept for the next that asks; `seconds` is the time that one request has. Raises Fail."""
    scheme, bucket, _ = split(url)
    with _lock:
        if (scheme, bucket, seconds) not in _stores:
            _stores[scheme, bucket, seconds] = _made(scheme, bucket, seconds, os.environ if env is None else env)
        return _stores[scheme, bucket, seconds]


def _made(scheme: str, bucket: str, seconds: int, env: Mapping[str, str]) -> Any:
    try:
        from obstore import exceptions, store
    except ImportError:
        fail = Fail(
            "tool-missing", "obstore, the Python package that talks to object stores, is not installed", Package="obstore"
        )
        raise fail.proposing("python3 -m pip install obstore", "man ct-install") from None
    from datetime import timedelta

    kinds: Any = store
    # Said either way, since the environment may say otherwise: it does not choose to go without TLS.
    client: dict[str, Any] = {
        "allow_http": False,
        "allow_invalid_certificates": False,
        "timeout": f"{seconds}s",
        "connect_timeout": "20s",
    }
    given: dict[str, Any] = {"retry_config": {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=5 * seconds)}}
    try:
        if scheme == "s3":
            said = objectcredentials.found(env)
            if "endpoint" in said:
                client["allow_http"] = _without_tls(said["endpoint"], bucket, env)
            if path := said.pop("ca_bundle", None):
                client["root_certificate"] = _certificates(path)
            conditional = {"conditional_put": "etag", "copy_if_not_exists": "multipart", "checksum_algorithm": "sha256"}
            return kinds.S3Store(bucket, client_options=client, **conditional, **said, **given)
        if scheme == "gs":
            return kinds.GCSStore(bucket, client_options=client, **given)
        # By the names of Azure's own tools; obstore knows others.
        for ours, name in (("account_name", "AZURE_STORAGE_ACCOUNT"), ("account_key", "AZURE_STORAGE_KEY")):
            if env.get(name):
                given[ours] = env[name]
        return kinds.AzureStore(bucket, client_options=client, **given)
    except exceptions.BaseError as error:
        raise failed(f"{scheme}://{bucket}", error) from None


def _without_tls(endpoint: str, bucket: str, env: Mapping[str, str]) -> bool:
    """Whether the endpoint is talked to without TLS. Raises Fail network where it would be, and no setting says so."""
    match = _ENDPOINT.fullmatch(endpoint)
    if not match:
        raise Fail("network", "the endpoint that is set is no plain http or https URL")
    if match[1] == "https":
        return False
    patterns = config.read(env)["registries"].get("insecure", [])
    if not any(match_registry(pattern, f"{match[2]}/{bucket}") for pattern in patterns):
        raise Fail(
            "network", f"{match[2]}: without TLS, and [registries] insecure does not name it", Endpoint=f"http://{match[2]}"
        ).proposing(f"ct config set registries.insecure {' '.join([*patterns, match[2]])}")
    return True


def _certificates(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(objectcredentials.MAX_FILE)
    except OSError as error:
        raise Fail("network", f"'{path}' cannot be read: {error.strerror}", File=path) from None


def asked(url: str, do: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What `do` returns. The store's failures become findings; FileNotFoundError, and what `conflict` is of, stay as they are."""
    from obstore import exceptions

    try:
        return do(*given, **named)
    except exceptions.BaseError as error:
        if isinstance(error, FileNotFoundError) or conflict(error):
            raise
        raise failed(url, error) from None


def conflict(error: BaseException) -> bool:
    """Whether a condition of a request was not met."""
    from obstore import exceptions

    return isinstance(error, exceptions.AlreadyExistsError | exceptions.PreconditionError | exceptions.NotModifiedError)


def failed(url: str, error: BaseException) -> Fail:
    """What an exception of obstore's means, in words that are ours."""
    from obstore import exceptions

    text = str(error)
    code, status, kind = _CODE.search(text), _STATUS.search(text), _KIND.search(text)
    said = f" ({code[1]})" if code and code[1] in CODES else f" ({status[1]})" if status else ""
    place = url.split("://", 1)[0] + "://" + url.split("://", 1)[1].partition("/")[0]
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        words = f"the store refuses what these credentials ask for{said}"
        return Fail("network", f"{url}: {words}", Place=place).proposing("man ct-places")
    if "169.254.169.254" in text or "metadata.google.internal" in text or "MissingAccount" in text:
        return Fail("network", f"{url}: there are no credentials, and this host has none of its own", Place=place).proposing(
            "man ct-places"
        )
    if isinstance(error, FileNotFoundError):
        return Fail("network", f"{url}: it is not there{said}", Place=place)
    if "builder error" in text:
        return Fail("network", f"{url}: the endpoint that is set is without TLS, or no URL", Place=place)
    if "incorrectly configured region" in text or (code and code[1] == "AuthorizationHeaderMalformed"):
        return Fail("network", f"{url}: the bucket is in another region", Place=place).proposing("AWS_REGION=REGION ct …")
    if "certificate" in text.lower():
        return Fail("network", f"{url}: its certificate is not believed", Place=place)
    words = (
        f"the store fails{said}"
        if said
        else _WORDS.get(kind[1], "the connection broke")
        if kind
        else "no answer that is understood"
    )
    return Fail("network", f"{url}: {words}", Place=place)


def head(url: str, key: str) -> dict[str, Any] | None:
    """{"size", "e_tag"} of an object, None if there is none. Raises Fail network."""
    store = opened(url, READING)
    try:
        try:
            said = asked(url, store.head, key)
        except Fail as fail:
            if "(403)" not in str(fail):
                raise
            # The answer to HEAD has no body, so it does not say why.
            said = asked(url, lambda: store.get(key, options={"range": (0, 1)}).meta)
    except FileNotFoundError:
        return None
    return {"size": said["size"], "e_tag": said["e_tag"]}


def chunks(url: str, offset: int, size: int, id: str | None) -> Iterator[memoryview]:
    """`size` bytes of an object from `offset` on, at most 1 MiB at a time; the caller hashes. What breaks off goes on behind what came.

    Raises Fail network; file-changed where the object is another than `id`, the entity tag it was opened with, says.
    """
    _, _, key = split(url)
    store = opened(url, READING)
    from obstore import exceptions

    failures, end = 0, offset + size
    while offset < end:
        before = offset
        try:
            got = store.get(key, options={"range": (offset, end), **({"if_match": id} if id else {})})
            if id and got.meta["e_tag"] != id:
                raise _changed(url)
            for part in got.stream(min_chunk_size=EDGE):
                view = memoryview(part)[: end - offset]
                for start in range(0, len(view), CHUNK):
                    yield view[start : start + CHUNK]
                offset += len(view)
            problem: BaseException = ConnectionError()
        except FileNotFoundError as error:
            raise failed(url, error) from None
        except (exceptions.BaseError, OSError) as error:
            if conflict(error):
                raise _changed(url) from None
            problem = error
        # What brings 64 KiB in the time that one request has is slow, and not broken.
        failures = 0 if offset - before >= EDGE else failures + 1
        if offset < end and failures >= TRIES:
            raise failed(url, problem)
        if offset < end and failures:
            time.sleep(min(0.25 * 2**failures, 8))


def _changed(url: str) -> Fail:
    return Fail("file-changed", f"{url} was replaced while it was read", Object=url)
