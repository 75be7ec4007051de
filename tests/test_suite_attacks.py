"""What can be done to an envelope without all of its key's seeds, for every suite and every kind of statement, on every path.

Each case says beforehand what spec/signatures.adoc, "Known and unknown", makes of it. Only the envelope is wrong: the bundle
around it is as it must be. Whoever attacks may hold one seed of a suite of two, as after a break of one of its algorithms.
"""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import predicates
import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA87PrivateKey
from images import make
from registries import DSSE, Fake, attach, digest, push_layout
from small import BIN, environment, run, tool, verdicts
from suite_keys import HYBRIDS, SUITES, Bundle, Component, Entry, Key, envelope, opened, pae

KINDS = {
    "signature": "",
    "sbom": "https://spdx.dev/Document/v2.3",
    "provenance": "https://slsa.dev/provenance/v1",
    "foreign": "https://example.com/review/v1",
}
DOCUMENTS: dict[str, Any] = {**predicates.KINDS, "foreign": {"approved": True}}
LEVELS: dict[str, Any] = {"ml-dsa-65": MLDSA65PrivateKey, "ml-dsa-87": MLDSA87PrivateKey}
OTHER_LEVEL = {"ml-dsa-65": "ml-dsa-87", "ml-dsa-87": "ml-dsa-65"}

INCOMPLETE, INVALID, KEYID = "signature-incomplete", "signature-invalid", "keyid-mismatch"
MALFORMED, SUBJECT = "statement-malformed", "subject-mismatch"
# No attack after all: every required signature is there, and whole.
VALID = ""


class Attack(NamedTuple):
    name: str
    # The findings of which one must be said, or VALID.
    expected: tuple[str, ...]
    payload: bytes
    entries: list[Entry]


class Genuine:
    """An envelope by `key`, and all that its attackers have: another one by it, other keys, and single seeds."""

    def __init__(self, kind: str, key: Key, bundle: Bundle, line: bytes) -> None:
        self.kind, self.key, self.bundle = kind, key, bundle
        self.payload, self.entries = opened(line)
        self.pair = len(key.components) == 2
        self.other = self.about(key, signed_at="2026-11-20T11:00:00Z")

    def about(self, key: Key, **changed: Any) -> bytes:
        """Another statement of this kind: one that claims to be the key's, where its kind says whose it is."""
        if self.kind == "signature":
            return self.bundle.signature(key, **changed)
        return self.bundle.attestation(KINDS[self.kind], {**DOCUMENTS[self.kind], "x-other": changed.get("signed_at", 1)})

    def elsewhere(self) -> bytes:
        """The same about another image."""
        digest = self.bundle.image_digest
        return self.payload.replace(digest.encode(), digest[::-1].encode())

    def by_kind(self, signature: str, statement: str) -> str:
        return signature if self.kind == "signature" else statement


def attacks(made: Genuine, bob: Key, stranger: Key) -> Iterator[Attack]:
    yield from on_any(made, bob, stranger)
    for at, component in enumerate(made.key.components):
        yield from on_one(made, at, component, bob, stranger)
        if made.pair:
            yield from with_one_seed(made, at, component, stranger)
    if made.pair:
        whole, (first, second) = made.entries, made.entries

        def attack(name: str, expected: str, entries: list[Entry]) -> Attack:
            return Attack(name, (expected,), made.payload, entries)

        yield attack("order", INCOMPLETE, whole[::-1])
        yield attack("keyids-exchanged", INVALID, [(first[0], second[1]), (second[0], first[1])])
        for name, alias in aliases(whole[0][0], stranger).items():
            # The predicate of a bundle signature names the key. Nothing else does, and the exception for other programs'
            # key ids is for suites of one component.
            both = [(alias, first[1]), (alias, second[1])]
            yield attack(f"keyids-{name}", made.by_kind(INCOMPLETE, KEYID), both)


def on_any(made: Genuine, bob: Key, stranger: Key) -> Iterator[Attack]:
    def attack(name: str, expected: str, entries: list[Entry], payload: bytes = made.payload) -> Attack:
        return Attack(name, (expected,), payload, entries)

    whole = made.entries
    yield attack("untouched", VALID, whole)
    yield attack("other-payload", INVALID, whole, made.other)
    yield attack("elsewhere", SUBJECT, made.key.entries(made.elsewhere()), made.elsewhere())
    yield attack("not-the-pae", INVALID, [(one.keyid, one.sign(made.payload)) for one in made.key.components])
    yield attack("other-type", INVALID, made.key.entries(made.payload, "text/plain"))
    # A signature more: on the bundle nobody else's may stand in the envelope; on other statements others' do no harm.
    for name, entry in {
        "stranger": stranger.entries(made.payload)[0],
        "stranger-broken": (stranger.components[0].keyid, bytes(64)),
        "nobody": ("", bytes(64)),
        "foreign": ("release-2026", b"\x30"),
        "bob": bob.entries(made.payload)[0],
    }.items():
        yield attack(f"third-{name}", made.by_kind(MALFORMED, VALID), [*whole, entry])
        yield attack(f"first-{name}", made.by_kind(MALFORMED, VALID), [entry, *whole])
    if made.kind == "signature":
        # By the key itself, whole, and of a suite or a key that it is not.
        for suite in SUITES:
            if suite != made.key.suite:
                payload = made.about(made.key, suite_id=suite)
                yield attack(f"claims-{suite}", MALFORMED, made.key.entries(payload), payload)
        if made.pair:
            payload = made.about(made.key, fingerprint=made.key.components[0].keyid)
            yield attack("claims-half", MALFORMED, made.key.entries(payload), payload)
    yield attack("third-bob-broken", INVALID, [*whole, (bob.components[0].keyid, whole[0][1])])
    yield attack("third-bob-other", INVALID, [*whole, bob.entries(made.other)[0]])


def aliases(keyid: str, stranger: Key) -> dict[str, str]:
    return {
        "empty": "",
        "foreign": "release-2026",
        "upper": keyid.upper(),
        "digest": keyid.lower(),
        "bare": keyid.removeprefix("SHA256:"),
        "space": keyid + " ",
        "stranger": stranger.fingerprint,
    }


def on_one(made: Genuine, at: int, component: Component, bob: Key, stranger: Key) -> Iterator[Attack]:
    """What is done to one signature, the others left as they are."""
    whole, (keyid, raw) = made.entries, made.entries[at]

    def attack(name: str, expected: str | tuple[str, ...], *entries: Entry) -> Attack:
        expected = (expected,) if isinstance(expected, str) else expected
        return Attack(f"{name}-{at}", expected, made.payload, [*whole[:at], *entries, *whole[at + 1 :]])

    if made.pair:
        yield attack("stripped", INCOMPLETE)
    yield attack("twice", INCOMPLETE, (keyid, raw), (keyid, raw))
    yield attack("twice-broken", INCOMPLETE, (keyid, raw), (keyid, bytes(len(raw))))
    yield attack("other-statement", INVALID, made.key.entries(made.other)[at])
    for bit in (0, 8 * len(raw) // 2 + 3, 8 * len(raw) - 1):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        yield attack(f"bit-{bit}", INVALID, (keyid, bytes(flipped)))
    for name, data in {
        "none": b"",
        "zeros": bytes(len(raw)),
        "short": raw[:-1],
        "long": raw + b"\0",
        "twofold": raw + raw,
    }.items():
        yield attack(name, INVALID, (keyid, data))
    for name, alias in aliases(keyid, stranger).items():
        # A claimed key lacks this signature. Of one component nothing else claims it but a bundle signature's predicate.
        foreign = KEYID if name == "stranger" else VALID
        yield attack(f"keyid-{name}", INCOMPLETE if made.pair else made.by_kind(INCOMPLETE, foreign), (alias, raw))
    # Two keys are claimed then, and neither made what it must; which is named first is not said.
    either = (INCOMPLETE, INVALID) if made.pair or made.kind == "signature" else (INVALID,)
    yield attack("keyid-bob", either, (bob.components[0].keyid, raw))
    yield attack("by-bob", either if made.pair else INVALID, (keyid, bob.entries(made.payload)[0][1]))
    if component.algorithm in LEVELS:
        private, message = LEVELS[component.algorithm].from_seed_bytes(component.seed), pae(made.payload)
        yield attack("context", INVALID, (keyid, private.sign(message, b"ct")))
        digest = hashlib.shake_256(hashlib.shake_256(component.public).digest(64) + message).digest(64)
        yield attack("internal", INVALID, (keyid, private.sign_mu(digest)))
        level = Component(OTHER_LEVEL[component.algorithm], component.seed)
        yield attack("level", INVALID, (keyid, level.sign(message)))
        if made.pair or made.kind == "signature":
            yield attack("level-named", INCOMPLETE, (level.keyid, level.sign(message)))


def with_one_seed(made: Genuine, at: int, component: Component, stranger: Key) -> Iterator[Attack]:
    """What can be signed with one of two seeds: Ed25519 of a hybrid alone, above all, as if it were a key of CT-SIG-01."""
    keyid, raw = made.entries[at]
    whole = list(made.entries)
    suite = {"ed25519": "CT-SIG-01", "ml-dsa-87": "CT-SIG-03"}.get(component.algorithm, made.key.suite)
    alone = Key(suite, made.key.key_id, [component])
    claims = {"plain": {}, "both": {"fingerprint": made.key.fingerprint}, "suite": {"suite_id": made.key.suite}}
    for name, claim in claims.items():
        payload = made.about(alone, **claim)
        forged = component.sign(pae(payload))

        def attack(what: str, expected: str, *entries: Entry, payload: bytes = payload, name: str = name) -> Attack:
            return Attack(f"{what}-{name}-{at}", (expected,), payload, list(entries))

        # One is missing and one is wrong.
        yield Attack(f"rewritten-{name}-{at}", (INCOMPLETE, INVALID), payload, [(keyid, raw)])
        yield attack("forged", INCOMPLETE, (keyid, forged))
        whole[at] = (keyid, forged)
        yield attack("forged-beside-old", INVALID, *whole)
        padded = [(one.keyid, stranger.components[0].sign(pae(payload))) for one in made.key.components]
        padded[at] = (keyid, forged)
        yield attack("forged-beside-other", INVALID, *padded)
        yield attack("forged-beside-stranger", INCOMPLETE, (keyid, forged), stranger.entries(payload)[0])
        yield attack("forged-twice", INCOMPLETE, (keyid, forged), (keyid, forged))
        for alias_name, alias in aliases(keyid, stranger).items():
            # Whose a bundle signature is also its predicate says, by the fingerprint of a key or of a component.
            yield attack(f"forged-{alias_name}", made.by_kind(INCOMPLETE, KEYID), (alias, forged))
        if made.kind != "signature":
            # Such a statement claims nothing.
            return


# -- where it happens ------------------------------------------------------------------------------------------------------------


class Place:
    """Own pairs of every suite, bob's besides, and all attacks on what they signed, each a bundle."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.home.mkdir(mode=0o700)
        self.env = environment(self.home)
        self.keys = {suite: Key(suite, f"key-{suite}").lay(self.home / "keys") for suite in SUITES}
        self.bob = Key("CT-SIG-01", "bob").lay(self.home / "keys")
        self.carol = Key("CT-SIG-06", "carol").lay(self.home / "keys")
        self.stranger = Key("CT-SIG-01", "stranger")
        make("single", root / "image")
        for kind, document in predicates.KINDS.items():
            (root / f"{kind}.json").write_text(json.dumps(document))
        self.ct("pack", "-q", "-k", "bob", "-o", "bob.ctp", f"oci:{root / 'image'}")
        self.bob_line = self.lines("bob.ctp")[0]
        self.bundle = Bundle((root / "bob.ctp").read_bytes())
        self.cases: dict[str, Attack] = {}
        for suite, key in self.keys.items():
            for kind in KINDS:
                made = Genuine(kind, key, self.bundle, self.genuine(key, kind))
                for attack in attacks(made, self.bob, self.stranger):
                    name = f"{suite}-{kind}-{attack.name}.ctp"
                    assert name not in self.cases
                    self.cases[name] = attack
                    line = envelope(attack.payload, attack.entries)
                    # Nobody else's signature stands beside one on the bundle; other statements need one, which lists none of them.
                    beside = [] if kind == "signature" else [self.bob_line]
                    (root / name).write_bytes(self.bundle.with_lines([line, *beside]))

    def ct(self, *arguments: object, status: int | None = 0, **more: Any) -> subprocess.CompletedProcess[Any]:
        return tool("ct", *arguments, env=more.pop("env", self.env), cwd=self.root, status=status, **more)

    def lines(self, name: str) -> list[bytes]:
        return Bundle((self.root / name).read_bytes()).lines

    def genuine(self, key: Key, kind: str) -> bytes:
        """An envelope by the key, made by `ct` where it makes such."""
        if kind == "foreign":
            payload = self.bundle.attestation(KINDS[kind], DOCUMENTS[kind])
            return envelope(payload, key.entries(payload))
        name = f"genuine-{key.suite}-{kind}.ctp"
        if kind == "signature":
            self.ct("pack", "-q", "-k", key.key_id, "-o", name, f"oci:{self.root / 'image'}")
        else:
            self.ct("attest", "-q", "-k", key.key_id, f"--{kind}", f"{kind}.json", "-o", name, "bob.ctp")
        return next(line for line in self.lines(name) if line != self.bob_line)

    def sample(self, want: Callable[[str, Attack], bool]) -> list[str]:
        return [name for name, attack in self.cases.items() if want(name, attack)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("suites"))


def status_of(attack: Attack) -> int:
    return 0 if attack.expected == (VALID,) else 2


def test_there_is_a_case_for_everything(place: Place) -> None:
    """Each suite and kind has its cases, both halves of each pair theirs, and most of them are refused."""
    for suite in SUITES:
        for kind in KINDS:
            mine = {name: attack for name, attack in place.cases.items() if name.startswith(f"{suite}-{kind}-")}
            wrong = [attack for attack in mine.values() if status_of(attack)]
            assert len(wrong) > (60 if suite in HYBRIDS else 15), (suite, kind)
            assert {attack.expected[0] for attack in mine.values()} >= {VALID, INCOMPLETE, INVALID, SUBJECT}


def test_ct_verify(place: Place) -> None:
    said = verdicts(list(place.cases), env=place.env, cwd=place.root)
    wrong = []
    for one, (name, attack) in zip(said, place.cases.items(), strict=True):
        finding = one.get("finding") or VALID
        if one["status"] != status_of(attack) or finding not in attack.expected:
            wrong.append((name, attack.expected, one["status"], finding))
    assert not wrong, "\n".join(map(str, wrong))


def test_ct_explain(place: Place) -> None:
    """What was tampered with is shown as invalid, under the name of a key that it claims, and never as valid."""
    made = place.ct("explain", "--json", *place.cases)
    for line, (name, attack) in zip(made.stdout.splitlines(), place.cases.items(), strict=True):
        said = json.loads(line)
        one, *others = said["signatures"]
        assert (one["status"], bool(one["key_id"])) == ("invalid" if status_of(attack) else "valid", True), name
        assert [(other["status"], other["key_id"]) for other in others] == [("valid", "bob")] * len(others), name
        findings = {finding["finding"] for finding in said["findings"] if finding["check"] == "signatures"} or {VALID}
        assert findings & set(attack.expected) == findings, (name, findings)


def test_ct_check_alone(place: Place) -> None:
    opening = subprocess.Popen(
        [BIN / "ct-open", "--", *place.cases], env=place.env, cwd=place.root, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    made = run(BIN / "ct-check", "--all", env=place.env, cwd=place.root, stdin=opening.stdout)
    assert (opening.wait(), made.returncode) == (0, 2), made.stderr
    records = [json.loads(line) for line in made.stdout.splitlines()]
    assert records.pop() == {"record": "ct/end/1", "records": len(place.cases)}
    for record, (name, attack) in zip(records, place.cases.items(), strict=True):
        assert record["passed"]["signatures"] is (status_of(attack) == 0), name
        expected = ["invalid" if status_of(attack) else "valid"] + ["valid"] * (len(record["attestations"]) - 1)
        assert [one["status"] for one in record["signatures"]] == expected, name
        findings = {finding["finding"] for finding in record["findings"]} or {VALID}
        assert findings & set(attack.expected) == findings, (name, findings)


ALIASES = ("-foreign-", "-upper-", "-digest-", "-bare-", "-space-")


def bare(name: str, attack: Attack) -> bool:
    """Leaves out what is the same attack under another alias."""
    return not any(alias in name for alias in ALIASES)


def in_parallel(work: Callable[[str], object], names: list[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, names))


def test_ct_verify_on_a_pipe(place: Place) -> None:
    names = place.sample(lambda name, attack: bare(name, attack) and name.startswith("CT-SIG-02-signature-"))[::4]
    names += place.sample(lambda name, attack: name.startswith(("CT-SIG-06-sbom-stripped", "CT-SIG-03-provenance-bit")))
    assert len(names) > 25

    def judge(name: str) -> None:
        with (place.root / name).open("rb") as file:
            made = run(BIN / "ct", "verify", "--json", "-", env=place.env, stdin=file)
        attack = place.cases[name]
        assert made.returncode == status_of(attack), (name, made.stdout, made.stderr)
        assert (json.loads(made.stdout).get("finding") or VALID) in attack.expected, name

    in_parallel(judge, names)


@pytest.mark.parametrize("suite", HYBRIDS)
def test_another_signer_launders_nothing(place: Place, suite: str) -> None:
    """Who signs after, or attests, adds a line; what was wrong stays wrong. The key itself signs no second time over it, and none re-signs."""
    names = place.sample(
        lambda name, attack: bare(name, attack) and name.startswith(f"{suite}-signature-") and status_of(attack) > 0
    )
    names = names[HYBRIDS.index(suite) :: 9]
    assert len(names) > 8
    key = place.keys[suite].key_id

    def add(name: str) -> None:
        place.ct("sign", "-q", "-k", "carol", "-o", f"signed-{name}", name)
        place.ct("attest", "-q", "-k", "carol", "--sbom", "sbom.json", "-o", f"attested-{name}", name)
        again = place.ct("sign", "-q", "-k", key, "-o", f"again-{name}", name, status=None)
        assert again.returncode in (0, 64), (name, again.stderr)
        for options in ([], ["--add-signature"]):
            place.ct("re-sign", "-q", *options, "-k", "carol", "-o", f"re-{name}", name, status=2)
            assert not (place.root / f"re-{name}").exists()
        if again.returncode:
            (place.root / f"again-{name}").write_bytes((place.root / name).read_bytes())

    in_parallel(add, names)
    for prefix in ("signed", "attested", "again"):
        for one, name in zip(
            verdicts([f"{prefix}-{name}" for name in names], env=place.env, cwd=place.root), names, strict=True
        ):
            assert (one["status"], one["finding"] in place.cases[name].expected) == (2, True), (prefix, name, one["finding"])


@pytest.mark.parametrize("suite", HYBRIDS)
def test_what_is_attached_in_a_registry(place: Place, suite: str, tmp_path: Path) -> None:
    """Of envelopes that claim a key of the store, or that one made, only whole ones are taken along; the others would spoil the bundle."""
    cases = {
        name: attack
        for name, attack in place.cases.items()
        if name.startswith(f"{suite}-sbom-") and (status_of(attack) or "-untouched" in name) and bare(name, attack)
    }
    assert len(cases) > 50
    lines = {name: envelope(attack.payload, attack.entries) for name, attack in cases.items() if "-other-type" not in name}
    with Fake() as server:
        image = push_layout(server, place.root / "image")
        assert image == f"sha256:{place.bundle.image_digest}"
        for line in lines.values():
            attach(server, image, (line, DSSE))
        (place.home / "config.toml").write_text(f'[registries]\ninsecure = ["{server.host}"]\n')
        packed = tmp_path / "x.ctp"
        said = json.loads(place.ct("pack", "--json", "-k", "bob", "-o", packed, f"{server.host}/a/app:1").stdout)
        (place.home / "config.toml").unlink()
    place.ct("verify", packed)
    taken = place.lines(str(packed))
    assert taken[:-1] == [lines[f"{suite}-sbom-untouched.ctp"]]
    left = [finding["context"] for finding in said["findings"] if finding["finding"] == "attachment-left-behind"]
    reasons = {one["Attachment"]: one["Reason"] for one in left}
    for name, line in lines.items():
        if line not in taken:
            assert (
                any(f"({slug})" in reasons[digest(line)] for slug in cases[name].expected)
                or "no subject" in reasons[digest(line)]
            ), name
