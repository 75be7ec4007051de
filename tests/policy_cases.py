"""The cases of conformance/policy made whole, and this library as their subject: `python3 policy_cases.py <CASES >ANSWERS`.

The README beside the cases says what both lines are.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SUITE = Path(__file__).parent / "conformance" / "policy"
CASES = sorted((SUITE / "cases").glob("*.json"))
DEFAULTS = json.loads((SUITE / "defaults.json").read_text())

Case = dict[str, Any]


def merged(default: Case, more: Case) -> Case:
    """`default` with the members of `more`; null takes a member away."""
    return {name: value for name, value in {**default, **more}.items() if value is not None}


def whole(raw: Case) -> Case:
    """A case with its defaults. What is written as ${...} is left."""
    case = merged({name: DEFAULTS[name] for name in ("at", "policies")}, raw)
    stored = raw.get("store", {})
    store = {
        key: merged(DEFAULTS["store"].get(key, DEFAULTS["store"]["alice"]), more)
        for key, more in stored.items()
        if more is not None
    }
    bundle = merged(DEFAULTS["bundle"], raw.get("bundle", {}))
    for many, one in (("signatures", "signature"), ("statements", "statement")):
        bundle[many] = [merged(DEFAULTS[one], entry) for entry in bundle[many]]
    kept = {key: facts for key, facts in DEFAULTS["store"].items() if key not in stored}
    return case | {"store": kept | store, "bundle": bundle}


def filled(value: Any, fill: Callable[[str], str]) -> Any:
    """The value with each ${what} in its texts replaced by fill(what)."""
    if isinstance(value, dict):
        return {filled(name, fill): filled(inner, fill) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, fill) for inner in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    head, _, rest = value.partition("${")
    what, _, tail = rest.partition("}")
    return head + fill(what) + filled(tail, fill)


def made_up(what: str) -> str:
    """A digest, or for `fingerprint:KEY` a fingerprint, for a subject that needs no more of it than that it is one."""
    kind = "SHA256:" if what.startswith("fingerprint:") else "sha256:"
    return kind + hashlib.sha256(what.encode()).hexdigest()


def asked(raw: Case) -> Case:
    """What a subject is asked: the case without what it should answer, everything said."""
    case = whole(raw)
    for key, facts in case["store"].items():
        facts["fingerprint"] = f"${{fingerprint:{key}}}"
    case["bundle"] |= {"image_digest": "${image}", "manifest_digest": "${manifest}"}
    return filled({name: case[name] for name in ("at", "store", "policies", "bundle", "expect") if name in case}, made_up)


def expected(raw: Case) -> Case:
    return {name: raw[name] for name in ("status", "findings", "counted")}


# -- this library as the subject ------------------------------------------------------------------------------------------------


def record(case: Case) -> Case:
    """The record that ct-check would have made of the bundle with that store."""
    from cerrotorre import predicate, signatures

    bundle, keys = case["bundle"], [{"key_id": key, **facts} for key, facts in case["store"].items()]
    held = {
        key["key_id"]: {
            "key_id": key["key_id"],
            "fingerprint": key["fingerprint"],
            "suite_id": key["suite"],
            "origin": key["place"],
            "trusted": key["place"] != "known",
            **({"key_expires": key["expires"]} if "expires" in key else {}),
            **({"rotated_into": signatures._last(key["rotated_into"], keys)} if "rotated_into" in key else {}),
        }
        for key in keys
    }

    def entry(kind: str, predicate_type: str | None, said: Case) -> Case:
        facts = {name: said[name] for name in ("signed_at", "expires", "existed_by") if name in said}
        found = {"kind": kind, "predicate_type": predicate_type, **facts}
        return found | ({"status": "valid", **held[said["by"]]} if said["by"] in held else {"status": "unknown"})

    made = []
    for said in bundle["statements"]:
        listing = [one["signed_at"] for one in bundle["signatures"] if one["by"] == said["by"] and said["listed"]]
        one = entry("attestation", said.get("predicate_type") or predicate.TYPES[said["kind"]][0], said)
        about = (
            {"version": "SPDX-2.3", "packages": 2, "name": "x"}
            if said["kind"] == "sbom"
            else {"builder": said["builder"], "build_type": "x:y"}
        )
        one |= {"schema": "valid", "about": about} if said["valid"] else {"schema": "invalid", "schema_error": "/: it is not"}
        made.append(one | ({"signed_at": min(listing)} if listing else {}))
    made += [entry("bundle-signature", None, said) for said in bundle["signatures"]]
    manifest = {name: bundle[name] for name in ("name", "version", "image_digest")}
    manifest["provenance"] = {name: bundle[name] for name in ("source", "registry", "index_digest") if name in bundle}
    manifest["metadata"] = {"base_name": bundle["base_name"]} if "base_name" in bundle else {}
    return {"manifest": manifest, "manifest_digest": bundle["manifest_digest"], "signatures": made}


def judged(case: Case) -> Case:
    """What policy.judge says of a case that is asked."""
    from cerrotorre import policy

    named = list(zip(("user", "host"), case["policies"], strict=False))
    return policy.judge(named, record(case), case["at"], case.get("expect"))


def answer(case: Case) -> Case:
    from cerrotorre import errors

    made = judged(case)
    verdict = errors.verdict(made["findings"])
    return {
        "status": verdict["status"] if verdict else 0,
        "findings": [found["finding"] for found in made["findings"]],
        "counted": made["counted"],
    }


def main(lines: Iterable[str]) -> None:
    for line in lines:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    import conftest  # noqa: F401  (finds the library)

    main(sys.stdin)
