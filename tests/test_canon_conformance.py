"""CTP-CANON's conformance suite (spec/manifest-canonicalization.adoc, "Conformance") against any executable: CT_CANON=PATH.

The contract is standard input, standard output and exit status: canonical bytes and 0, or nothing and 10.
"""

import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD, VECTORS

SUITE = Path(__file__).parent / "conformance" / "canon"
SUBJECT = os.environ.get("CT_CANON", str(BUILD / "bin" / "ct-canon"))

VALID = sorted((SUITE / "valid").glob("*.toml"))
INVALID = sorted((SUITE / "invalid").glob("*.toml"))
SAME = sorted((SUITE / "same").glob("*/*.toml"))
EXPECTED = sorted([*(SUITE / "valid").glob("*.canon"), *(SUITE / "same").glob("*/expected.canon")])

Outcomes = dict[Path, tuple[int, bytes]]


def name(path: Path) -> str:
    return str(path.relative_to(SUITE))


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """Exit status and standard output for every file of the suite."""

    def run(path: Path) -> tuple[int, bytes]:
        with path.open("rb") as file:
            done = subprocess.run([SUBJECT], stdin=file, capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout

    paths = [*VALID, *INVALID, *SAME, *EXPECTED]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(paths, pool.map(run, paths), strict=True))


def test_the_suite_is_whole() -> None:
    assert len(VALID) >= 40
    assert len(INVALID) >= 60
    assert len({path.parent for path in SAME}) >= 12


@pytest.mark.parametrize("path", VALID, ids=name)
def test_valid(path: Path, outcomes: Outcomes) -> None:
    assert outcomes[path] == (0, path.with_suffix(".canon").read_bytes())


@pytest.mark.parametrize("path", VALID, ids=name)
def test_digest(path: Path) -> None:
    expected = hashlib.sha256(path.with_suffix(".canon").read_bytes()).hexdigest()
    assert path.with_suffix(".digest").read_text() == f"sha256:{expected}\n"


@pytest.mark.parametrize("path", EXPECTED, ids=name)
def test_canonical_stays_as_it_is(path: Path, outcomes: Outcomes) -> None:
    assert outcomes[path] == (0, path.read_bytes())


@pytest.mark.parametrize("path", SAME, ids=name)
def test_same(path: Path, outcomes: Outcomes) -> None:
    assert outcomes[path] == (0, (path.parent / "expected.canon").read_bytes())


@pytest.mark.parametrize("path", INVALID, ids=name)
def test_invalid(path: Path, outcomes: Outcomes) -> None:
    assert outcomes[path] == (10, b"")


# What follows is about this implementation: the library, in this process.


def spelled(data: bytes) -> bytes:
    from cerrotorre import canon, tomltext

    return canon.canonical(canon.tag(tomltext.parse(data)))


@pytest.mark.parametrize("path", INVALID, ids=name)
def test_slug(path: Path) -> None:
    from cerrotorre.errors import Fail

    with pytest.raises(Fail) as caught:
        spelled(path.read_bytes())
    assert caught.value.finding["finding"] == path.with_suffix(".slug").read_text().strip()


@pytest.mark.parametrize("path", EXPECTED, ids=name)
def test_reader(path: Path) -> None:
    from cerrotorre import canon, canonread, tomltext

    data = path.read_bytes()
    assert canonread.read(data) == canon.tag(tomltext.parse(data))


def is_canonical(path: Path) -> bool:
    expected = path.with_suffix(".canon") if path in VALID else path.parent / "expected.canon"
    return expected.is_file() and expected.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", [path for path in (*VALID, *SAME, *INVALID) if not is_canonical(path)], ids=name)
def test_reader_refuses_every_other_spelling(path: Path) -> None:
    from cerrotorre import canonread
    from cerrotorre.errors import Fail

    with pytest.raises(Fail) as caught:
        canonread.read(path.read_bytes())
    assert caught.value.finding["finding"] == "manifest-not-canonical"


# The slugs by which a file that is valid TOML may be refused.
BY_RULE = {
    "canon-bom",
    "canon-bad-unicode",
    "canon-control-character",
    "canon-empty-key",
    "canon-float",
    "canon-local-time",
    "canon-mixed-array",
    "canon-not-nfc",
}


def listed(version: str, kind: str) -> list[str]:
    """The files of toml-test's own list; without the vectors one that is not there, which the fixture skips visibly."""
    path = VECTORS / "toml-test" / f"files-toml-{version}"
    if not VECTORS.is_dir():
        return [f"{kind}absent"]
    return [line for line in path.read_text().split() if line.startswith(kind) and line.endswith(".toml")]


@pytest.mark.parametrize("file", listed("1.0.0", "valid/"))
def test_toml_test_valid(file: str, vectors: Path) -> None:
    import tomllib

    from cerrotorre import canonread, tomltext
    from cerrotorre.errors import Fail

    data = (vectors / "toml-test" / file).read_bytes()
    try:
        canonical = spelled(data)
    except Fail as fail:
        assert fail.finding["finding"] in BY_RULE
        return
    meaning: dict[str, Any] = tomllib.loads(data.decode().replace("\r\n", "\n"))
    assert tomllib.loads(canonical.decode()) == meaning == tomltext.parse(canonical)
    assert spelled(canonical) == canonical
    canonread.read(canonical)


@pytest.mark.parametrize("file", listed("1.0.0", "invalid/"))
def test_toml_test_invalid(file: str, vectors: Path) -> None:
    from cerrotorre.errors import Fail

    with pytest.raises(Fail) as caught:
        spelled((vectors / "toml-test" / file).read_bytes())
    assert caught.value.finding["status"] == 10


def test_toml_1_1_is_refused_whatever_tomllib_reads(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Python's tomllib may read TOML 1.1. What only 1.1 allows is refused before it is asked."""
    import tomllib

    from cerrotorre.errors import Fail

    def reads(data: bytes) -> bool:
        try:
            tomllib.loads(data.decode().replace("\r\n", "\n"))
        except ValueError:
            return False
        return True

    if reads(b'a = "\\e"'):
        pytest.skip("this tomllib reads TOML 1.1")
    files = sorted(set(listed("1.1.0", "valid/")) - set(listed("1.0.0", "valid/")))
    texts = [data for file in files if not reads(data := (vectors / "toml-test" / file).read_bytes())]
    assert len(texts) > 8
    monkeypatch.setattr(tomllib, "loads", lambda *_, **__: pytest.fail("tomllib was asked"))
    for data in texts:
        with pytest.raises(Fail):
            spelled(data)
