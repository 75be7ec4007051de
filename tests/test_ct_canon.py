"""ct-canon as a program: its options, its exit statuses, and as a filter of records."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD

TOOL = str(BUILD / "bin" / "ct-canon")


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    done = subprocess.run([TOOL, *arguments], input=stdin, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def stream(*records: dict[str, Any]) -> bytes:
    lines = [*records, {"record": "ct/end/1", "records": len(records)}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def through(*records: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    status, out, _ = run(stdin=stream(*records))
    return status, [json.loads(line) for line in out.splitlines()]


def test_file_and_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_bytes(b"b = 1\na = 0x10\n")
    canonical = (0, b"a = 16\nb = 1\n", b"")
    assert run(str(path)) == run("-", stdin=path.read_bytes()) == run(stdin=path.read_bytes()) == canonical


def test_json() -> None:
    status, out, _ = run("--json", stdin="a='é'".encode())
    canonical = 'a = "é"\n'.encode()
    assert status == 0
    assert json.loads(out) == {
        "canonicalization": "CTP-CANON-1",
        "digest_algorithm": "sha256",
        "digest": "sha256:" + hashlib.sha256(canonical).hexdigest(),
        "size": len(canonical),
    }


@pytest.mark.parametrize(("text", "slug"), [(b"a = 1.5\n", "canon-float"), (b"a = '\xe2\x80\xae'\n", "canon-bad-unicode")])
def test_json_of_what_is_refused(text: bytes, slug: str) -> None:
    status, out, err = run("--json", stdin=text)
    finding = json.loads(out)
    assert (status, err, finding["finding"], finding["status"]) == (10, b"", slug, 10)
    assert out.isascii()


@pytest.mark.parametrize(("text", "status"), [(b"a = 1\n", 0), (b"", 0), (b"a=1\n", 6), (b"a = 1", 6), (b"a = 1.5\n", 10)])
def test_check(text: bytes, status: int) -> None:
    done = run("--check", stdin=text)
    assert done[:2] == (status, b"")
    assert bool(done[2]) == (status != 0)


def test_check_with_json_says_so_in_json() -> None:
    status, out, err = run("--check", "--json", stdin=b"a = 1\nb=2\n")
    assert (status, err) == (6, b"")
    assert (json.loads(out)["finding"], json.loads(out)["context"]) == ("canon-different", {"Line": 2})
    assert run("--check", "--json", stdin=b"a = 1\n")[0] == 0


def test_usage_and_files() -> None:
    assert run("a", "b")[:2] == (64, b"")
    assert run("--wrong")[:2] == (64, b"")
    assert run("no/such/file")[:2] == (11, b"")
    assert run("/")[:2] == (11, b"")
    status, out, _ = run("-h")
    assert status == 0
    assert out.startswith(b"usage: ct-canon [--check] [--json] [FILE]\n")


def test_closed_and_full_output() -> None:
    closed = subprocess.run(["/bin/sh", "-c", '"$0" >&-', TOOL], input=b"a = 1\n", capture_output=True, check=False)
    assert closed.returncode == 11
    if os.path.exists("/dev/full"):
        full = subprocess.run(["/bin/sh", "-c", '"$0" >/dev/full', TOOL], input=b"a = 1\n", capture_output=True, check=False)
        assert full.returncode == 11
    # Without standard input nothing is known of the input, least of all that it is empty.
    none = subprocess.run(["/bin/sh", "-c", '"$0" <&-', TOOL], capture_output=True, check=False)
    assert none.returncode == 11


MANIFEST = {"b": {"x": [1, "é"]}, "a": {"toml": "2026-01-01"}, "c": {"toml": {"table": "2026-01-01"}}}
CANONICAL = 'a = 2026-01-01\n[b]\nx = [1, "é"]\n[c]\ntoml = "2026-01-01"\n'


def record(**members: Any) -> dict[str, Any]:
    return {"record": "ct/bundle/1", "bundle": "x", "passed": {}, "findings": [], **members}


def test_filter() -> None:
    given = record(manifest=MANIFEST, canonical="stale", manifest_digest=1, unknown=[None, 1.5], content=[])
    status, (made, end) = through(given)
    digest = "sha256:" + hashlib.sha256(CANONICAL.encode()).hexdigest()
    assert status == 0
    assert made == {**given, "canonical": CANONICAL, "manifest_digest": digest}
    assert end == {"record": "ct/end/1", "records": 1}


@pytest.mark.parametrize(
    ("members", "slug"),
    [({"manifest": {"a": 1.5}}, "canon-float"), ({"manifest": {"a": None}}, "canon-value"), ({}, "canon-value")],
)
def test_filter_refuses_in_band_and_leaves_nothing_stale(members: dict[str, Any], slug: str) -> None:
    status, (made, good, _) = through(record(canonical="stale", manifest_digest="stale", **members), record(manifest={}))
    assert status == 10
    assert [finding["finding"] for finding in made["findings"]] == [slug]
    assert not {"canonical", "manifest_digest"} & made.keys()
    assert good["canonical"] == ""


def test_filter_passes_on_what_is_stopped() -> None:
    finding = {"finding": "truncated", "status": 10, "check": "structure", "summary": "", "context": {}, "why": "", "try": []}
    given = record(manifest={"a": 1}, findings=[finding])
    error = {"record": "ct/error/1", "finding": {**finding, "finding": "file-unreadable", "status": 11, "check": ""}}
    status, (first, second, _) = through(given, error)
    assert (first, second) == (given, error)
    assert status == 11


def test_filter_without_its_end_is_broken() -> None:
    assert run(stdin=stream(record(manifest={})).splitlines(keepends=True)[0])[0] == 70
    assert run(stdin=stream())[:2] == (0, b'{"record":"ct/end/1","records":0}\n')


def test_filter_loads_no_toml_parser() -> None:
    command = [sys.executable, "-IS", "-X", "importtime", TOOL]
    done = subprocess.run(command, input=stream(record(manifest={"a": "b"})), capture_output=True, check=True)
    loaded = {line.rpartition(b"|")[2].strip() for line in done.stderr.splitlines()}
    assert b"cerrotorre.canon" in loaded
    assert not loaded & {b"tomllib", b"datetime", b"unicodedata", b"hashlib", b"dataclasses", b"cerrotorre.tomltext"}
