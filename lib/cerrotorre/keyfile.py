"""Public key files, the local facts beside them, and the forms a public key is imported from (spec/keys.adoc).

Bytes to values and back. What is read is spelled again and compared, so that a key file has one spelling. Private key files
are in `privatekey`.
"""

import re

from cerrotorre import b64, suites, times
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

LIMIT = 64 << 10
# {"key_id": str | None, "suite_id": str, "fingerprint": str, "created": str | None, "publics": [bytes]}
Public = dict[str, Any]

_ID = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BLOCK = re.compile("-----BEGIN ([A-Z0-9 ]+)-----\n((?:[A-Za-z0-9+/]+=*\n)+)-----END \\1-----\n")
# The header lines of a .pub and of a .local, in their order: name, whether it must be there.
_PUBLIC = (("Key-Id", True), ("Suite", True), ("Fingerprint", True), ("Created", False))
_LOCAL = (("Expires", False), ("Rotated-Into", False), ("Note", False))


def is_id(text: str) -> bool:
    """Whether this is a key id: 1 to 64 letters, digits, `.`, `_`, `-`, beginning with a letter or digit."""
    return _ID.fullmatch(text) is not None


def is_fingerprint(text: str) -> bool:
    """Whether this is SHA256: and 64 lowercase hexadecimal digits."""
    return re.fullmatch("SHA256:[0-9a-f]{64}", text) is not None


def pem(label: str, der: bytes) -> str:
    """Textual encoding of RFC 7468: lines of 64 characters, LF."""
    text = b64.encode(der)
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def blocks(text: str) -> list[tuple[str, bytes]]:
    """(label, DER) of text that is PEM blocks and nothing else. Raises Fail key-malformed."""
    found = [(match[1], match[2]) for match in _BLOCK.finditer(text)]
    try:
        made = [(label, b64.decode(lines.replace("\n", ""))) for label, lines in found]
    except ValueError as error:
        raise Fail("key-malformed", f"a PEM block: {error}") from None
    if not made or "".join(pem(label, der) for label, der in made) != text:
        raise Fail("key-malformed", "not PEM blocks with lines of 64 characters")
    return made


def ascii_text(data: bytes) -> str:
    """A key file's text. Raises Fail key-malformed if it is too long or not ASCII."""
    if len(data) > LIMIT:
        raise Fail("key-malformed", f"longer than {LIMIT} bytes")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise Fail("key-malformed", "not ASCII text") from None


def _headers(text: str, names: tuple[tuple[str, bool], ...]) -> dict[str, str]:
    """Lines `Name: value` in the order of the table and nothing else. Raises Fail key-malformed."""
    values: dict[str, str] = {}
    order = [name for name, _ in names]
    for line in text.splitlines(keepends=True):
        name, _, value = line[:-1].partition(": ")
        if name not in order or not line.endswith("\n") or not value.isprintable() or value != value.strip() or not value:
            raise Fail("key-malformed", f"not a header line that is known here: {line[:60].rstrip()!r}")
        # Dropping the names up to this one refuses a repeated line and a moved one alike.
        order = order[order.index(name) + 1 :]
        values[name] = value
    if missing := [name for name, needed in names if needed and name not in values]:
        raise Fail("key-malformed", f"the header line {missing[0]} is missing")
    return values


def write_public(key: Public) -> bytes:
    """The bytes of a .pub."""
    created = f"Created: {key['created']}\n" if key["created"] else ""
    head = f"Key-Id: {key['key_id']}\nSuite: {key['suite_id']}\nFingerprint: {key['fingerprint']}\n{created}"
    return (head + public_blocks(key)).encode("ascii")


def public_blocks(key: Public) -> str:
    """One PEM `PUBLIC KEY` block per component."""
    algorithms = suites.components(key["suite_id"])
    return "".join(pem("PUBLIC KEY", suites.spki(*pair)) for pair in zip(algorithms, key["publics"], strict=True))


def parse_public(data: bytes) -> Public:
    """A .pub: {key_id, suite_id, fingerprint, created (or None), publics}.

    Header lines are claims: suite and fingerprint must be those of the blocks. Raises Fail key-malformed, or
    suite-unavailable where the suite is known and cannot be used here.
    """
    head, begin, rest = ascii_text(data).partition("-----BEGIN ")
    claims = _headers(head, _PUBLIC)
    if not is_id(claims["Key-Id"]):
        raise Fail("key-malformed", f"not a key id: {claims['Key-Id'][:80]!r}")
    created = claims.get("Created")
    if created is not None and not times.is_time(created):
        raise Fail("key-malformed", f"Created is not a time YYYY-MM-DDTHH:MM:SSZ: {created[:40]!r}")
    if claims["Suite"] not in suites.SUITES:
        raise Fail("key-malformed", f"no suite is called {claims['Suite'][:40]!r}")
    suites.components(claims["Suite"])
    key = {"key_id": claims["Key-Id"], **_from_blocks(blocks(begin + rest)), "created": created}
    if key["suite_id"] != claims["Suite"]:
        raise Fail("key-malformed", f"the header says {claims['Suite']}, the blocks are a key of {key['suite_id']}")
    if key["fingerprint"] != claims["Fingerprint"]:
        raise Fail(
            "key-malformed", "the fingerprint is not that of the key", Expected=claims["Fingerprint"], Actual=key["fingerprint"]
        )
    return key


def _from_blocks(found: list[tuple[str, bytes]]) -> Public:
    for label, _ in found:
        if label != "PUBLIC KEY":
            raise Fail("key-malformed", f"a PEM block {label[:40]!r}, where PUBLIC KEY is due")
    return _from_components([suites.from_spki(der) for _, der in found])


def _from_components(pairs: list[tuple[str, bytes]]) -> Public:
    if not pairs:
        raise Fail("key-malformed", "no whole PEM block PUBLIC KEY with lines of 64 characters")
    publics = [public for _, public in pairs]
    try:
        suite_id = suites.suite_of([algorithm for algorithm, _ in pairs])
    except Fail as fail:
        raise Fail("key-malformed", str(fail)) from None
    return {"suite_id": suite_id, "fingerprint": suites.fingerprint(suite_id, publics), "publics": publics}


def parse_import(data: bytes) -> Public:
    """A public key in any accepted form, as `parse_public` gives it; key_id and created are None where the form has none.

    Forms: a .pub, bare PEM (other text around it is passed over), DER SubjectPublicKeyInfo, and base64 or hexadecimal of a raw
    Ed25519 key. The points are checked in full. Raises Fail key-malformed or suite-unavailable.
    """
    if len(data) > LIMIT:
        raise Fail("key-malformed", f"longer than {LIMIT} bytes")
    key = _recognise(data)
    for algorithm, public in zip(suites.components(key["suite_id"]), key["publics"], strict=True):
        suites.check_public(algorithm, public)
    return key


def _recognise(data: bytes) -> Public:
    anonymous: Public = {"key_id": None, "created": None}
    # A SEQUENCE's 0x30 is also the digit 0, but no text holds the tag of an OBJECT IDENTIFIER.
    if data[:1] == b"\x30" and b"\x06" in data[:16]:
        return anonymous | _from_components([suites.from_spki(data)])
    text = ascii_text(data).replace("\r\n", "\n").strip() + "\n"
    if "PRIVATE KEY-----" in text:
        raise Fail("key-malformed", "this is a private key; only public keys are imported, such as the .pub beside it")
    if text.startswith("Key-Id:"):
        return parse_public(text.encode("ascii"))
    if "-----BEGIN " in text:
        return anonymous | _from_blocks([(match[1], blocks(match[0])[0][1]) for match in _BLOCK.finditer(text)])
    return anonymous | _from_components([("ed25519", _raw(text.strip()))])


def _raw(text: str) -> bytes:
    if re.fullmatch("[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    try:
        if len(raw := b64.decode(text)) == suites.PUBLIC_SIZE["ed25519"]:
            return raw
    except ValueError:
        pass
    raise Fail("key-malformed", "neither PEM nor DER, nor base64 or hexadecimal of a raw Ed25519 public key")


def write_local(facts: dict[str, str]) -> bytes:
    """The bytes of a .local: {"expires", "rotated_into", "note"}, each where known. Raises Fail key-malformed."""
    names = {"Expires": "expires", "Rotated-Into": "rotated_into", "Note": "note"}
    data = "".join(f"{name}: {facts[key]}\n" for name, key in names.items() if facts.get(key)).encode()
    parse_local(data)
    return data


def parse_local(data: bytes) -> dict[str, str | None]:
    """A .local: {"expires": date or time or None, "rotated_into": key id or None, "note": text or None}.

    A line that is not known is refused: it might have taken the key's trust away. Raises Fail key-malformed.
    """
    if len(data) > LIMIT:
        raise Fail("key-malformed", f"longer than {LIMIT} bytes")
    try:
        values = _headers(data.decode("utf-8"), _LOCAL)
    except UnicodeDecodeError:
        raise Fail("key-malformed", "not UTF-8") from None
    expires, into = values.get("Expires"), values.get("Rotated-Into")
    if expires is not None:
        check_expiry(expires)
    if into is not None and not is_id(into):
        raise Fail("key-malformed", f"Rotated-Into is not a key id: {into[:80]!r}")
    return {"expires": expires, "rotated_into": into, "note": values.get("Note")}


def check_expiry(text: str) -> int:
    """The last second of an expiry, YYYY-MM-DD (to the day's end, UTC) or YYYY-MM-DDTHH:MM:SSZ. Raises Fail key-malformed."""
    try:
        return times.epoch(text, end_of_day=True)
    except ValueError as error:
        raise Fail("key-malformed", f"Expires: {error}") from None
