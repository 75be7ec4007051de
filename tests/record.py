"""Forges record streams: `python3 record.py CHANGE <STREAM >STREAM`, with the changes in CHANGES: what a bad stage could write."""

import json
import sys

CHECKS = ("structure", "signatures", "trust", "policy", "attestations", "content")
END = "ct/end/1"


def _bundles(records):
    return [record for record in records if record["record"] == "ct/bundle/1"]


def _each(make):
    def made(records):
        for record in _bundles(records):
            make(record)
        return records

    return made


def _counted(records):
    body = [record for record in records if record["record"] != END]
    return [*body, {"record": END, "records": len(body)}]


CHANGES = {
    # What a stage says of a check that is not its own.
    "passed": _each(lambda r: r.update(passed=dict.fromkeys(CHECKS, True))),
    "unfound": _each(lambda r: r.update(findings=[])),
    "believed": _each(lambda r: r.update(passed=dict.fromkeys(CHECKS, True), findings=[])),
    "unpassed": _each(lambda r: r.update(passed={})),
    "passed-word": _each(lambda r: r.update(passed=dict.fromkeys(CHECKS, "yes"))),
    "passed-list": _each(lambda r: r.update(passed=[])),
    # What does not follow from the canonical manifest.
    "manifest": _each(lambda r: r["manifest"].update(version="6.6")),
    "digest": _each(lambda r: r.update(manifest_digest="sha256:" + "0" * 64)),
    "content": _each(lambda r: r["content"].reverse()),
    "content-digest": _each(lambda r: r["content"][-1].update(digest="sha256:" + "0" * 64)),
    "content-size": _each(lambda r: r["content"][-1].update(size=1)),
    "content-true": _each(lambda r: r["content"][-1].update(size=True)),
    "content-less": _each(lambda r: r["content"].pop()),
    "content-none": _each(lambda r: r.pop("content")),
    "derived-none": _each(lambda r: r.pop("derived")),
    "derived-less": _each(lambda r: r["derived"].pop()),
    "derived-empty": _each(lambda r: r.update(derived=[])),
    "derived-name": _each(lambda r: r["derived"][0].update(name="other")),
    "canonical": _each(lambda r: r.update(canonical=r["canonical"].replace('version = "1.0"', 'version = "6.6"'))),
    "canonical-none": _each(lambda r: r.pop("canonical")),
    "canonical-text": _each(lambda r: r.update(canonical=7)),
    # Places: what stands elsewhere is not what the digest says.
    "place": _each(lambda r: [entry["at"].update(offset=0) for entry in r["content"]]),
    "place-first": _each(lambda r: [entry.update(at=r["content"][0]["at"]) for entry in r["content"]]),
    "place-id": _each(lambda r: [entry["at"].update(id="0:0:0:0:0") for entry in r["content"]]),
    "place-file": _each(lambda r: [entry["at"].update(file="/dev/zero") for entry in r["content"]]),
    "place-beyond": _each(lambda r: [entry["at"].update(offset=1 << 40) for entry in r["content"]]),
    "place-negative": _each(lambda r: [entry["at"].update(offset=-1) for entry in r["content"]]),
    "place-fd": _each(lambda r: [entry.update(at={"fd": 0, "offset": 0}) for entry in r["content"]]),
    "place-derived": _each(lambda r: [entry["at"].update(offset=0) for entry in r["derived"]]),
    # Attestations and signatures.
    "unattested": _each(lambda r: r.update(attestations=[])),
    "attestation": _each(lambda r: r.update(attestations=[{"envelope": "{}"}])),
    "attestation-place": _each(
        lambda r: r.update(attestations=[{"at": r["content"][0]["at"], "size": 9, "digest": "sha256:" + "0" * 64}])
    ),
    "attestation-fd": _each(lambda r: r.update(attestations=[{"at": {"fd": 0, "offset": 0}, "size": 9, "digest": "x"}])),
    "signed": _each(
        lambda r: r.update(
            signatures=[{**r["signatures"][0], "status": "valid", "trusted": True}] if r.get("signatures") else []
        )
    ),
    # Members that nobody knows, and members of others.
    "unknown": _each(lambda r: r.update(x_note={"deep": [1, {"a": "é\u2028"}]}, x_int=2**60)),
    # Streams.
    "half": lambda records: _bundles(records)[: len(_bundles(records)) // 2],
    "half-counted": lambda records: _counted(_bundles(records)[: len(_bundles(records)) // 2]),
    "no-end": lambda records: records[:-1],
    "miscounted": lambda records: [*records[:-1], {"record": END, "records": len(records)}],
    "counted-text": lambda records: [*records[:-1], {"record": END, "records": str(len(records) - 1)}],
    "counted-not": lambda records: [*records[:-1], {"record": END}],
    "end-twice": lambda records: [*records, records[-1]],
    "end-first": lambda records: [records[-1], *records[:-1]],
    "after-end": lambda records: [*records, *records],
    "twice": lambda records: _counted([*_bundles(records), *_bundles(records)]),
    "kind": lambda records: _counted([*records[:-1], {"record": "ct/other/1"}]),
    "kind-2": _each(lambda r: r.update(record="ct/bundle/2")),
    "array": lambda records: [*records[:-1], [1]],
    "none": lambda records: [],
    "garbage": lambda records: b"\xff\x00 this is no record\n",
    "unended": lambda records: b"\n".join(json.dumps(record).encode() for record in records)[:-20],
    "nan": lambda records: b'{"record":"ct/bundle/1","x":NaN}\n{"record":"ct/end/1","records":1}\n',
    "duplicate": lambda records: b'{"record":"ct/bundle/1","record":"ct/end/1","records":0}\n',
    "deep": lambda records: (
        b'{"record":"ct/bundle/1","x":' + b"[" * 9999 + b"]" * 9999 + b'}\n{"record":"ct/end/1","records":1}\n'
    ),
    "long": lambda records: b'{"record":"ct/bundle/1","x":"' + b"x" * (16 << 20) + b'"}\n{"record":"ct/end/1","records":1}\n',
    # Findings decide statuses, so what only looks like one is none.
    "finding-0": _each(lambda r: r["findings"].append({"finding": "x", "status": 0})),
    "finding-99": _each(lambda r: r["findings"].append(dict(_FINDING, status=99))),
    "finding-check": _each(lambda r: r["findings"].append(dict(_FINDING, check="other"))),
    "finding-text": _each(lambda r: r["findings"].append("x")),
    "findings-none": _each(lambda r: r.update(findings=None)),
    "finding-1": _each(lambda r: r["findings"].append(dict(_FINDING))),
}
_FINDING = {"finding": "hash-mismatch", "status": 1, "check": "content", "summary": "x", "context": {}, "why": "", "try": []}


def forge(name, data):
    """The bytes of a stream after one of CHANGES."""
    made = CHANGES[name]([json.loads(line) for line in data.splitlines()])
    if isinstance(made, bytes):
        return made
    return b"".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for record in made)


if __name__ == "__main__":
    sys.stdout.buffer.write(forge(sys.argv[1], sys.stdin.buffer.read()))
