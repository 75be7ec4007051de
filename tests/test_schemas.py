"""The published JSON Schemas: valid themselves, true of what the build writes, and as strict as the readers."""

import base64
import copy
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import images
import predicates
import pytest
from cerrotorre import custody, errors, manifest, statement
from cerrotorre.errors import Fail
from conftest import BUILD, ROOT
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = {path.name.partition(".")[0]: json.loads(path.read_text()) for path in (ROOT / "spec").glob("*.schema.json")}
REGISTRY: Any = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values())
KINDS = ("single", "labelled", "multi", "repeated", "docker", "zstd-layers", "no-layers")


def wrong(name: str, value: Any) -> list[str]:
    found = Draft202012Validator(SCHEMAS[name], registry=REGISTRY).iter_errors(value)
    return [f"{error.json_path}: {error.message[:300]}" for error in found]


class Made:
    """Bundles of several images, made and judged by the build."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.env = {"HOME": str(base / "home"), "PATH": f"{BUILD.resolve()}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        (base / "home").mkdir()
        self.run("ct keygen --no-password --id demo-2026")
        for kind in KINDS:
            images.make(kind, base / kind)
            self.run(f"ct pack oci:{kind} {'--platform all' if kind == 'multi' else ''} --expires 2099-12-31 -o {kind}.ctp")
        self.run("ct pack --no-sign oci:single -o unsigned.ctp")
        (base / "s.json").write_text(json.dumps(predicates.SBOM))
        (base / "p.json").write_text(json.dumps(predicates.PROVENANCE))
        self.run("ct pack --sbom s.json --provenance p.json oci:single -o attested.ctp")
        good = (base / "single.ctp").read_bytes()
        # The first byte of the last blob, which fits one block; two more end the file.
        at = len(good) - 3 * 512
        (base / "damaged.ctp").write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        (base / "short.ctp").write_bytes(good[:5000])

    def run(self, script: str, status: int | None = 0) -> str:
        made = subprocess.run(["sh", "-c", script], cwd=self.base, env=self.env, capture_output=True, text=True)
        assert status is None or made.returncode == status, f"{script}\n{made.stderr}"
        return made.stdout

    def member(self, bundle: str, name: str) -> bytes:
        with tarfile.open(self.base / bundle) as archive:
            return archive.extractfile(name).read()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("schemas"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_kind_of_object_has_one() -> None:
    assert SCHEMAS.keys() == {
        "audit",
        "config",
        "doctor",
        "export",
        "findings",
        "manifest",
        "policy",
        "record",
        "rotation",
        "slsa-provenance",
        "spdx-document",
        "statement",
        "summary",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_a_bundle(made: Made, kind: str) -> None:
    record = json.loads(made.run(f"ct-open {kind}.ctp").splitlines()[0])
    assert wrong("manifest", record["manifest"]) == []
    assert wrong("summary", json.loads(made.member(f"{kind}.ctp", "summary.json"))) == []
    for line in made.member(f"{kind}.ctp", "attestations.jsonl").splitlines():
        assert wrong("statement", json.loads(base64.b64decode(json.loads(line)["payload"]))) == []


PIPELINES = {
    "anew": "ct-open attested.ctp | ct-check | ct-sign --replace | ct-check",
    "source": "ct-oci2ctp oci:labelled",
    "attest": "ct-oci2ctp oci:single | ct-canon | ct-attest --sbom s.json --provenance p.json",
    "attested": "ct-open attested.ctp | ct-check | ct-policy",
    "canon": "ct-oci2ctp oci:single | ct-canon | ct-sign",
    "no such image": "ct-oci2ctp oci:nothing",
    "all": "ct-open *.ctp missing.ctp | ct-check --all | ct-policy --all --expect nginx --at 2001-01-01 | ct-hash --all",
    "pipe": "ct-open - <single.ctp | ct-check | ct-policy",
    "error": "ct-open single.ctp | ct-check | ct-policy --policy missing.json",
    "nobody trusted": "mkdir -m 700 -p x && ct-open single.ctp | CT_HOME=$PWD/x ct-check | CT_HOME=$PWD/x ct-policy",
}


@pytest.mark.parametrize("name", PIPELINES)
def test_records(made: Made, name: str) -> None:
    records = [json.loads(line) for line in made.run(PIPELINES[name], None).splitlines()]
    assert records[-1]["record"] == "ct/end/1" and records[-1]["records"] == len(records) - 1 > 0
    assert [said for record in records for said in wrong("record", record)] == []


def test_findings_of_every_name() -> None:
    for slug in errors.CATALOGUE:
        assert wrong("findings", errors.finding(slug, "detail", Bundle="x.ctp", Size=1)) == []
    assert set(SCHEMAS["findings"]["properties"]["status"]["enum"]) == set(errors.STATUSES)
    assert tuple(SCHEMAS["findings"]["properties"]["check"]["enum"]) == errors.CHECKS


def test_verdicts_have_findings(made: Made) -> None:
    lines = made.run("ct verify --all --json single.ctp damaged.ctp short.ctp unsigned.ctp missing.ctp", 11).splitlines()
    judged = {Path(value["bundle"]).stem: value for value in map(json.loads, lines)}
    assert {name: value["status"] for name, value in judged.items()} == {
        "single": 0,
        "damaged": 1,
        "short": 10,
        "unsigned": 2,
        "missing": 11,
    }
    assert [said for value in judged.values() for made_ in value["findings"] for said in wrong("findings", made_)] == []


# -- as strict as the readers ------------------------------------------------------------------------------------------------

DIGEST = "sha256:" + "0" * 64
# (where, value): what neither the schema nor the reader takes in a manifest. None deletes.
BAD_MANIFESTS = [
    (("ctp_version",), "2.0"),
    (("kind",), "vm_image"),
    (("name",), "Hello"),
    (("name",), "a/../b"),
    (("name",), "a//b"),
    (("name",), "x/.git"),
    (("name",), "manifest.toml"),
    (("name",), "a\n"),
    (("version",), ""),
    (("version",), "1 0"),
    (("image_digest",), DIGEST.upper()),
    (("image_digest",), "sha512:" + "0" * 128),
    (("image", "size"), -1),
    (("image", "size"), True),
    (("image", "size"), 2**53),
    (("image", "platforms"), ["linux"]),
    (("image", "platforms"), None),
    (("image", "config"), None),
    (("image", "created"), 1),
    (("image", "more"), "x"),
    (("metadata",), {"title": 1}),
    (("metadata",), {"author": "x"}),
    (("provenance",), {}),
    (("provenance", "mirror"), "x"),
    (("content",), []),
    (("content", 0, "role"), "blob"),
    (("content", 0, "urls"), []),
    (("content", 0, "media_type"), "text"),
    (("ext",), "x"),
    (("more",), 1),
]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    value = copy.deepcopy(value)
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    if new is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


@pytest.mark.parametrize(("path", "new"), BAD_MANIFESTS, ids=lambda value: str(value)[:40])
def test_bad_manifest(made: Made, path: tuple[Any, ...], new: Any) -> None:
    bad = changed(json.loads(made.run("ct-open single.ctp").splitlines()[0])["manifest"], path, new)
    # `$` of a regular expression also matches before a last newline in Python, not in the ECMAScript that JSON Schema means.
    assert wrong("manifest", bad) or "\n" in str(new)
    with pytest.raises(Fail):
        manifest.check(bad)


SUPERSEDED = f"1 sha256:{'0' * 64} SHA256:{'0' * 64} CT-SIG-01 2026-11-22T12:00:00Z demo-2026"
BAD_PREDICATES = [
    (("suite_id",), None),
    (("suite_id",), "CT-SIG-1"),
    (("signed_at",), "2026-11-22"),
    (("key_id",), "-x"),
    (("fingerprint",), "SHA256:00"),
    (("attestations",), [1]),
    (("attestations",), ["sha256:00"]),
    (("expires",), "never"),
    (("supersedes",), 1),
    (("supersedes",), ""),
    (("supersedes",), "sha256:" + "0" * 64),
    (("supersedes",), SUPERSEDED.replace("1 ", "0 ", 1)),
    (("supersedes",), SUPERSEDED.replace(" ", "  ")),
    (("supersedes",), SUPERSEDED.replace("T12", " 12")),
    (("supersedes",), SUPERSEDED + "\nolder\nolder"),
    (("supersedes",), "older"),
    (("supersedes",), "\n".join(SUPERSEDED.replace("0" * 64, f"{number:064}", 1) for number in range(65))),
    (("more",), 1),
]


@pytest.mark.parametrize(("path", "new"), BAD_PREDICATES, ids=lambda value: str(value)[:40])
def test_bad_predicate(made: Made, path: tuple[Any, ...], new: Any) -> None:
    line = json.loads(made.member("single.ctp", "attestations.jsonl"))
    good = json.loads(base64.b64decode(line["payload"]))
    key = {name: good["predicate"][name] for name in ("suite_id", "fingerprint")}
    assert statement.check_signature(good, key)
    bad = changed(good, ("predicate", *path), new)
    assert wrong("statement", bad)
    with pytest.raises(ValueError):
        statement.check_signature(bad, key)


def test_good_chains() -> None:
    chain = [SUPERSEDED.replace("0" * 64, f"{number:064}", 1) for number in range(64)]
    for good in (SUPERSEDED, SUPERSEDED + "\nolder", "\n".join(chain), "\n".join([*chain, "older"])):
        assert custody.parse(good)[1] == good.endswith("older")
        assert Draft202012Validator(SCHEMAS["statement"]["properties"]["predicate"]["properties"]["supersedes"]).is_valid(good)


def test_bad_records() -> None:
    good = {"record": "ct/bundle/1", "bundle": "x", "passed": {}, "findings": []}
    assert wrong("record", good) == []
    for bad in (
        good | {"passed": {"trust": 1}},
        good | {"findings": [{}]},
        good | {"record": "ct/bundle/2"},
        {"record": "ct/end/1"},
    ):
        assert wrong("record", bad)


def test_installed_beside_the_library() -> None:
    for name in SCHEMAS:
        assert (BUILD / "lib/cerro-torre/spec" / f"{name}.schema.json").is_file()
