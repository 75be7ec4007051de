"""Every case of conformance/policy: asked of this library, or of CT_JUDGE=PROGRAM; and made with real keys, of `ct verify`."""

import copy
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import alter
import policy_cases
import predicates
import pytest
from cerrotorre import errors, keyfile, predicate, suites
from conftest import ROOT
from images import Layout
from jsonschema import Draft202012Validator
from policy_cases import CASES, SUITE, Case, asked, expected, filled, whole
from referencing import Registry, Resource
from small import environment, tool, verdicts

RAW: dict[str, Case] = {path.stem: json.loads(path.read_text()) for path in CASES}
POLICY_SCHEMA = json.loads((ROOT / "spec" / "policy.schema.json").read_text())
REGISTRY: Any = Registry().with_resource(POLICY_SCHEMA["$id"], Resource.from_contents(POLICY_SCHEMA))
SCHEMA = Draft202012Validator(json.loads((SUITE / "case.schema.json").read_text()), registry=REGISTRY)


# -- what the cases are --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RAW)
def test_case_is_one(name: str) -> None:
    raw = RAW[name]
    assert [
        f"{error.json_path}: {error.message[:200]}" for error in SCHEMA.iter_errors(filled(raw, policy_cases.made_up))
    ] == []
    assert raw["status"] == (errors.CATALOGUE[raw["findings"][0]][0] if raw["findings"] else 0), "the first finding decides"


def test_the_table_is_whole() -> None:
    assert len(RAW) >= 350
    named = {slug for raw in RAW.values() for slug in raw["findings"]}
    meant = {
        slug
        for slug, (status, check, *_) in errors.CATALOGUE.items()
        if check in ("trust", "policy", "attestations")
        and status
        # What a gateway wants is no policy's affair.
        and slug != "log-entries-missing"
    }
    assert named == meant
    # Every member of the language, and in it every choice of a word, is in a case.
    said = json.dumps([raw.get("policies") for raw in RAW.values()])
    for name in {name for part in members(POLICY_SCHEMA) for name in part} - {"$schema", "description"}:
        assert f'"{name}": ' in said, name


def members(schema: Any) -> list[list[str]]:
    """The names of the properties of each object that a schema describes."""
    if isinstance(schema, list):
        return [found for part in schema for found in members(part)]
    if not isinstance(schema, dict):
        return []
    inner = [found for part in schema.values() for found in members(part)]
    return [*inner, list(schema["properties"])] if isinstance(schema.get("properties"), dict) else inner


# -- of a judge ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers() -> dict[str, Case]:
    """What the subject says of every case: one process, a line for a line."""
    subject = os.environ.get("CT_JUDGE")
    command = [subject] if subject else [sys.executable, "-B", str(Path(policy_cases.__file__))]
    lines = "".join(json.dumps(asked(raw)) + "\n" for raw in RAW.values())
    made = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=600)
    return dict(zip(RAW, map(json.loads, made.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", RAW)
def test_judge(name: str, answers: dict[str, Case]) -> None:
    assert answers[name] == expected(RAW[name]), RAW[name]["comment"]


# What follows is about this implementation.


@pytest.mark.parametrize("name", RAW)
def test_rules(name: str) -> None:
    """Each rule that applied is said, pass or fail, with a reason; and each finding is a rule's of a policy."""
    raw, case = RAW[name], asked(RAW[name])
    before = copy.deepcopy(case)
    judged = policy_cases.judged(case)
    assert case == before
    if "rules" in raw:
        assert [[line["rule"], line["status"]] for line in judged["rules"]] == raw["rules"]
    named = ["user", "host"][: len(case["policies"])] or [""]
    for line in judged["rules"]:
        assert line["status"] in ("pass", "fail") and line["why"] and line["rule"] and line["policy"] in named
    # What was asked for is judged with the last policy, and is no policy's.
    order = [named.index(line["policy"]) for line in judged["rules"]]
    assert order == sorted(order)
    failed = [(line["rule"], line["why"]) for line in judged["rules"] if line["status"] == "fail"]
    assert bool(failed) is bool(raw["findings"])
    for found in judged["findings"]:
        rule = found["context"].get("Rule", "expect")
        assert (rule, found["detail"]) in failed
        assert rule == "expect" or found["context"].get("Policy", "") in named
    by_check = {found["check"] for found in judged["findings"]}
    assert judged["passed"] == {check: check not in by_check for check in ("trust", "policy", "attestations")}


# -- of `ct verify` ------------------------------------------------------------------------------------------------------------


def is_made(raw: Case) -> bool:
    """Whether a user's files can hold the case: no proved time, nothing of the host's, a suite that this build signs with."""
    case = whole(raw)
    entries = case["bundle"]["signatures"] + case["bundle"]["statements"]
    return (
        not any("existed_by" in entry for entry in entries)
        and len(case["policies"]) <= 1
        and all(key["place"] != "host" and is_available(key["suite"]) for key in case["store"].values())
    )


def is_available(suite: str) -> bool:
    try:
        suites.components(suite)
    except errors.Fail:
        return False
    return True


def key_of(key_id: str, suite: str) -> Case:
    """A key pair, always the same."""
    algorithms = suites.components(suite)
    seeds = [hashlib.shake_256(f"{key_id} {name}".encode()).digest(suites.SEED_SIZE[name]) for name in algorithms]
    publics = suites.publics(suite, seeds)
    named = {"key_id": key_id, "suite_id": suite, "fingerprint": suites.fingerprint(suite, publics), "created": None}
    return named | {"publics": publics, "components": suites.component_fingerprints(suite, publics), "seeds": seeds}


class Workshop:
    """Makes stores, policies and bundles of cases: the image is packed by `ct`, and what is claimed and signed is then altered."""

    def __init__(self, root: Path) -> None:
        self.root, self.packed = root, {}
        self.stores: dict[str, Path] = {}
        self.keys: dict[tuple[str, str], Case] = {}

    def key(self, case: Case, key_id: str) -> Case:
        suite = case["store"].get(key_id, {"suite": suites.DEFAULT})["suite"]
        return self.keys.setdefault((key_id, suite), key_of(key_id, suite))

    def image(self, base_name: str | None) -> bytes:
        """A bundle nobody signed, of an image that says it is based on this."""
        if base_name not in self.packed:
            place = self.root / f"image{len(self.packed)}"
            layout = Layout(place)
            labels = {"org.opencontainers.image.base.name": base_name} if base_name else {}
            layout.index(layout.image(1, annotations=labels))
            env = environment(self.root)
            tool("ct", "pack", "--no-sign", "-q", "-o", f"{place}.ctp", f"oci:{place}", env=env)
            self.packed[base_name] = Path(f"{place}.ctp").read_bytes()
        return self.packed[base_name]

    def store(self, case: Case) -> Path:
        name = json.dumps(case["store"], sort_keys=True)
        if name not in self.stores:
            home = self.root / f"store{len(self.stores)}"
            home.mkdir(mode=0o700)
            for key_id, facts in case["store"].items():
                place = home / facts["place"]
                place.mkdir(mode=0o700, exist_ok=True)
                (place / f"{key_id}.pub").write_bytes(keyfile.write_public(self.key(case, key_id)))
                if local := {name: facts[name] for name in ("expires", "rotated_into") if name in facts}:
                    (place / f"{key_id}.local").write_bytes(keyfile.write_local(local))
            self.stores[name] = home
        return self.stores[name]

    def bundle(self, name: str, case: Case) -> Case:
        """Write the case's bundle, and return the case with its digests and fingerprints filled in."""
        said = case["bundle"]
        made = alter.Bundle(self.image(said.get("base_name")))
        manifest = made.manifest()
        digests = {"image": manifest["image_digest"], "index": policy_cases.made_up("index")}

        def fill(what: str) -> str:
            kind, _, key_id = what.partition(":")
            return self.key(case, key_id)["fingerprint"] if kind == "fingerprint" else digests[kind]

        said = filled(said, fill)
        manifest |= {"name": said["name"], "version": said["version"]}
        manifest["provenance"] = {name: said[name] for name in ("source", "registry", "index_digest") if name in said}
        made.set_manifest(manifest)
        digests["manifest"] = "sha256:" + hashlib.sha256(made["manifest.toml"].data).hexdigest()
        later = [self.statement(made, case, entry) for entry in said["statements"] if not entry["listed"]]
        made.set_lines([self.statement(made, case, entry) for entry in said["statements"] if entry["listed"]])
        for entry in said["signatures"]:
            times = {name: entry[name] for name in ("signed_at", "expires") if name in entry}
            made.sign(self.key(case, entry["by"]), lambda said, times=times: said["predicate"].update(times))
        made.set_lines([*made.lines(), *later])
        (self.root / f"{name}.ctp").write_bytes(bytes(made))
        return filled(case, fill)

    def statement(self, made: alter.Bundle, case: Case, entry: Case) -> bytes:
        kind = entry["kind"]
        document = copy.deepcopy(predicates.KINDS[kind]) if entry["valid"] else {}
        if kind == "provenance" and entry["valid"]:
            document["runDetails"]["builder"]["id"] = entry["builder"]
        found = entry.get("predicate_type", predicate.TYPES[kind][0])
        return alter.attestation(made, self.key(case, entry["by"]), found, document)

    def run(self, names: list[str], cases: list[Case]) -> list[Case]:
        """What one `ct verify` says of bundles that differ in nothing else."""
        case, options = cases[0], ["--all", "--at", cases[0]["at"]]
        if case["policies"]:
            path = self.root / f"{names[0]}.json"
            path.write_text(json.dumps(case["policies"][0]))
            options += ["--policy", str(path)]
        if "expect" in case:
            options += ["--expect", case["expect"]]
        return verdicts([f"{name}.ctp" for name in names], *options, env=environment(self.store(case)), cwd=self.root)


def alike(name: str) -> str:
    """What two cases share of which `ct verify` is asked once: the topic, what is found and counted, and what kinds of things there are."""
    raw = RAW[name]
    bundle = sorted(raw.get("bundle", {}))
    return json.dumps([name.partition("-")[0], raw["findings"], raw["counted"], raw.get("store"), bundle, "expect" in raw])


MADE = list({alike(name): name for name, raw in RAW.items() if is_made(raw)}.values())


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """The verdicts of `ct verify`, each on a bundle with real signatures; those of one store and policy in one run."""
    work = Workshop(tmp_path_factory.mktemp("policies"))
    groups: dict[str, list[tuple[str, Case]]] = {}
    for name in MADE:
        case = work.bundle(name, whole(RAW[name]))
        work.store(case)
        same = json.dumps([case.get(part) for part in ("store", "policies", "at", "expect")], sort_keys=True)
        groups.setdefault(same, []).append((name, case))
    runs = [([name for name, _ in group], [case for _, case in group]) for group in groups.values()]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda run: work.run(*run), runs))
    return {name: one for (names, _), found in zip(runs, made, strict=True) for name, one in zip(names, found, strict=True)}


def test_many_cases_are_made() -> None:
    assert len(MADE) >= 150
    assert {slug for name in MADE for slug in RAW[name]["findings"]} == {
        slug for raw in RAW.values() for slug in raw["findings"]
    }


@pytest.mark.parametrize("name", MADE)
def test_verify(name: str, said: dict[str, Case]) -> None:
    raw, verdict = RAW[name], said[name]
    found = [one["finding"] for one in verdict["findings"] if one["status"]]
    assert (verdict["status"], found, verdict["trust"]["counted"]) == tuple(expected(raw).values())
    assert verdict["finding"] == (raw["findings"][0] if raw["findings"] else None)
    if "rules" in raw:
        assert [[line["rule"], line["status"]] for line in verdict["trust"]["rules"]] == raw["rules"]
