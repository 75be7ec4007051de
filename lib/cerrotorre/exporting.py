"""Making an archive of the bundles that were gathered: planned, signed, written (spec/export.adoc, "Exporting")."""

from cerrotorre import compressing, exportfiles, exportindex, exportwrite
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.exportgather import Gathered
from cerrotorre.typed import Any

# How the key that signs is named, and where its passphrase is: {"k", "passphrase-file", "passphrase-fd"}, each where given.
Options = dict[str, str]
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def split_size(text: str) -> int:
    """--split in bytes: a number, and K, M, G or T for its being multiplied by 1024 that often. Raises Fail usage."""
    digits, unit = (text[:-1], text[-1]) if text[-1:] in UNITS and text[-1:] else (text, "")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16 and digits[0] != "0"):
        raise Fail("usage", f"--split {text!r} is not a size, such as 4096M or 650000000")
    return int(digits) * UNITS[unit]


def signer(options: Options, signed_at: str) -> tuple[dict[str, Any], list[Finding]]:
    """(the key pair, opened, with `created` as its .pub says; notes on it). Raises Fail as keystore.signing_key, signing-key-expired."""
    from cerrotorre import keystore, locked, passphrase

    locked.protect()
    named = options["k"]

    def secret() -> bytearray:
        return passphrase.obtain(
            options.get("passphrase-fd"), options.get("passphrase-file"), prompt=f"Passphrase for {named}: "
        )

    public, _, _ = keystore.pair(named)
    key = keystore.signing_key(named, secret)
    notes = keystore.check_current(key, signed_at)
    return key | {"created": public["created"], "signed_at": signed_at}, notes


def write(
    gathered: Gathered,
    output: str,
    kind: str,
    *,
    split: int | None,
    files: dict[str, bytes],
    key: dict[str, Any] | None,
    progress: exportwrite.Progress,
) -> tuple[dict[str, Any], list[Finding]]:
    """(what was made, what is wrong instead). `files` as exportfiles makes them, `key` as `signer` gives it."""
    signature = size = None
    if key:
        # Most archives are signed by nobody.
        from cerrotorre import exportsigned, signing

        size = exportsigned.size(key, key["signed_at"])
    room = None if split is None else compressing.fitting(split, kind)
    index = exportindex.plan(gathered.bundles, exportfiles.listed(files), room, size)
    paths = exportwrite.names(output, index, split=split is not None)
    exportwrite.refuse_others(output, paths)
    if key:
        statement = exportsigned.payload(sha256(exportindex.write(index)), key, key["signed_at"])
        signature = signing.envelope(statement, key) + b"\n"
    archive = exportwrite.Archive(index, signature, files, gathered)
    sizes, wrong = archive.write(paths, kind, progress)
    by = {name: key[name] for name in ("key_id", "suite_id", "fingerprint", "signed_at")} if key else None
    made = {
        "output": output,
        "export": archive.digest,
        "format": kind,
        "bytes": sum(sizes),
        "together": gathered.total,
        "parts": [{"file": path, "size": size} for path, size in zip(paths, sizes, strict=True)] if not wrong else [],
        "files": list(files),
        "signature": by,
        "bundles": gathered.facts,
    }
    return made, wrong
