"""A bundle's image given to Svalinn's gateway to run (spec/svalinn-integration.adoc)."""

import os
from collections.abc import Callable, Mapping

from cerrotorre import (
    config,
    counted,
    gaterequest,
    gateway,
    jsonic,
    keystore,
    loginclusion,
    owned,
    passedon,
    policyread,
    recorded,
    records,
    reference,
    report,
    signing,
)
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.palette import Palette
from cerrotorre.records import Record
from cerrotorre.text import shown
from cerrotorre.typed import Any

# config.read's.
Settings = Mapping[str, Mapping[str, Any]]
_CALLED = {
    gaterequest.EXPECTED["provenance"]: "provenance",
    gaterequest.EXPECTED["sbom"]: "SBOM",
    gaterequest.SUMMARY: "verification summary",
}


def check(options: Mapping[str, Any], settings: Settings) -> str:
    """The gateway's URL, once the command line and the settings are such that it could be asked. Raises Fail usage."""
    if "no-verify" in options:
        raise Fail("usage", "--runtime=svalinn signs that the bundle was verified, so it does not go with --no-verify")
    words = options["runtime_args"]
    if named := next((word for word in words if word == "--name" or word.startswith("--name=")), None):
        raise Fail("usage", f"{named}: Svalinn names the container by its job")
    if "repository" not in settings["svalinn"]:
        raise Fail(
            "usage", "Svalinn pulls the image itself: [svalinn] repository in config.toml says where it was pushed"
        ).proposing("ct push FILE HOST/PATH", "ct config set svalinn.repository HOST/PATH")
    return gateway.url(os.environ, settings["svalinn"].get("url"))


def run(
    record: Record,
    options: Mapping[str, Any],
    settings: Settings,
    now: str,
    write: Callable[[str], object],
    note: Callable[[Finding], object],
    palette: Palette,
) -> int:
    """Have the gateway run the image of a record that passed every check, its content included: 0 once it took the job.

    `options` are ct-run's: "runtime_args" and "command", lists of words, and where they were given "k", "passphrase-file",
    "passphrase-fd", "no-verify", "json", "q"; `settings` are config.read's; `now` is the time that is written. `write` prints on
    standard output, `note` is told what is worth knowing of the key. Raises Fail usage, log-entries-missing, signer-denied,
    gateway-refused, gateway-denied, tool-missing, and what opening a key raises.
    """
    from cerrotorre import locked

    base = check(options, settings)
    records.need(record, *records.PASSES)
    manifest, _, _ = recorded.derive(record)
    repository = _repository(settings["svalinn"]["repository"], manifest)
    logs = _logs(settings["svalinn"].get("logs"))
    policies = _policies(record)
    statements, entries = passedon.look(record, manifest, policies, logs)
    try:
        key, notes = _key(options, now, policies)
        for one in notes:
            note(one)
        types, envelopes = _signed(record, manifest, repository, statements, key)
    finally:
        locked.wipe_all()
    words, command = list(options["runtime_args"]), list(options["command"])
    name = gaterequest.key_id(key["publics"][0])
    request = {
        "imageDigest": manifest["image_digest"],
        "imageName": f"{repository}@{manifest['image_digest']}",
        "profile": "strict",
        "bundle": gaterequest.bundle(envelopes, entries, now),
        "trustStore": gaterequest.trust_store(key, logs, now),
        "policy": gaterequest.policy(types, name, logs),
        **({"vordrArgs": words} if words else {}),
        **({"runCommand": command, "useCommandSeparator": True} if command else {}),
    }
    job = gateway.run(base, jsonic.canonical(request), os.environ)
    if "json" in options:
        more = {"image": request["imageName"], "gateway": base, "statements": types, "log_entries": len(entries)}
        write(_as_json(record, manifest, {**more, **job, "signer": key["key_id"]}))
    elif "q" not in options:
        pairs: list[tuple[str, object]] = [
            ("Job", job["job"] + (f"  ({job['job_status']})" if job["job_status"] else "")),
            ("Image", request["imageName"]),
            ("Gateway", base),
            ("Statements", f"{', '.join(_CALLED[one] for one in dict.fromkeys(types))}, signed by {key['key_id']}"),
        ]
        head = f"{palette.mark('ok')} Svalinn runs {shown(manifest['name'])} {shown(manifest['version'])}\n"
        write(head + report.fields(pairs) + report.notes(record, palette))
    return 0


def _as_json(record: Record, manifest: dict[str, Any], result: dict[str, Any]) -> str:
    facts = {name: manifest[name] for name in ("name", "version", "image_digest")}
    head = {"action": "run", "runtime": "svalinn", "file": record["bundle"]}
    return report.json_line({**head, **facts, **result, "findings": record["findings"]})


# -- what is needed of this host ---------------------------------------------------------------------------------------------


def _repository(setting: str, manifest: dict[str, Any]) -> str:
    named = setting + manifest["name"] if setting.endswith("/") else setting
    parsed = reference.parse(f"{named}@{manifest['image_digest']}")
    return f"{parsed['host']}/{parsed['path']}"


def _logs(path: str | None) -> dict[str, loginclusion.Log]:
    if path is None:
        return {}
    there = owned.check_directory(os.path.dirname(path))
    data = owned.read(path, loginclusion.MAX_FILE) if there else None
    if data is None:
        raise Fail("file-unreadable", f"svalinn.logs: there is no '{path}'", File=path)
    try:
        return loginclusion.logs(data)
    except ValueError as error:
        raise Fail("config-malformed", f"'{path}': {error}", File=path, Key="svalinn.logs", Found=str(error)[:200]) from None


def _policies(record: Record) -> list[policyread.Policy]:
    """The policies by which ct-policy judged, which must still be what they were."""
    found = []
    trust = record["trust"]
    for name, file in zip(trust["policies"], trust["files"], strict=True):
        data = owned.read(file["file"], policyread.MAX_POLICY, guarded=False) or b""
        if sha256(data) != file["digest"]:
            raise Fail("file-changed", f"the policy '{file['file']}' is not what the bundle was judged by", File=file["file"])
        found.append(policyread.read(data, name))
    return found


def _key(options: Mapping[str, Any], now: str, policies: list[policyread.Policy]) -> tuple[dict[str, Any], list[Finding]]:
    from cerrotorre import locked, passphrase

    named = options.get("k") or config.default_key() or keystore.default_id()
    known = keystore.pair(named)[0]
    if known["suite_id"] != gaterequest.SUITE:
        raise Fail(
            "usage",
            f"{known['key_id']} is of suite {known['suite_id']}, and Svalinn knows Ed25519 alone",
            Signer=known["key_id"],
            Expected=gaterequest.SUITE,
            Actual=known["suite_id"],
        ).proposing(f"ct key generate --suite {gaterequest.SUITE} --id ANOTHER", "ct run --runtime=svalinn -k ANOTHER FILE")
    would = {name: known[name] for name in ("key_id", "fingerprint", "suite_id")} | {"signed_at": now, "trusted": True}
    for policy in policies:
        if denied := next((one for one in counted.denials(would, policy) if one[0]), None):
            raise Fail("signer-denied", f"your policy does not let {known['key_id']} sign: {denied[2]}", Signer=known["key_id"])
    notes = keystore.check_current(known, now)
    locked.protect()

    def secret() -> bytearray:
        return passphrase.obtain(
            options.get("passphrase-fd"), options.get("passphrase-file"), prompt=f"Passphrase for {known['key_id']}: "
        )

    return {**known, **keystore.signing_key(named, secret)}, notes


def _signed(
    record: Record, manifest: dict[str, Any], repository: str, statements: list[passedon.Statement], key: dict[str, Any]
) -> tuple[list[str], list[dict[str, Any]]]:
    """(the types of what is sent, its envelopes)."""
    by = record["trust"]["counted"]
    lines = [one["line"] for one in counted.bundle_signatures(record["signatures"]) if one["key_id"] in by and "line" in one]
    lines += [line for _, _, line in statements]
    digests = [file["digest"] for file in record["trust"]["files"]]
    summary = gaterequest.summary(manifest, repository, record["trust"]["at"], digests, lines)
    payloads = [(name, payload) for name, payload, _ in statements] + [(gaterequest.SUMMARY, summary)]
    name = gaterequest.key_id(key["publics"][0])

    def sign(message: bytes) -> bytes:
        return signing.signatures(key, message)[0]

    return [kind for kind, _ in payloads], [gaterequest.envelope(payload, name, sign) for _, payload in payloads]
