"""An image given to Svalinn's gateway: what is sent, under which conditions, and what is made of the answer (spec/svalinn-integration.adoc)."""

import base64
import copy
import hashlib
import json
import os
import shutil
import subprocess

import images
import pytest
from cerrotorre import gateway as gateway_module
from cerrotorre import loginclusion
from cerrotorre.errors import Fail
from conftest import BUILD
from predicates import PROVENANCE, SBOM
from registries import Fake, attach, certificates, envelope, key_of, push_layout
from rekor import BUNDLE, Log, b64, path, root, sigstore
from svalinn_gateway import Gateway, check, pae, verifies

CT = BUILD / "bin" / "ct"
SLSA, SPDX, SUMMARY = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document", "https://slsa.dev/verification_summary/v1"
TIME, SIGNED = "2023-11-14T22:13:20Z", "1700000000"


def ct(place, *words, status=0, **env):
    """`ct` in a place: what it said. Its exit status must be this one."""
    home = place / "home"
    kept = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CT_HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": SIGNED,
    }
    made = subprocess.run(
        [CT, *map(str, words)],
        cwd=place,
        env=kept | env,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert made.returncode == status, (words, made.returncode, made.stdout, made.stderr)
    assert "Traceback" not in made.stderr
    return made


def statement(image, kind, predicate, **more):
    subject = [{"name": "app", "digest": {"sha256": image[7:]}}]
    made = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": kind,
        "subject": subject,
        "predicate": predicate,
        **more,
    }
    return json.dumps(made).encode()


class World:
    """An image in a registry with provenance and SBOM attached, both in a log; the bundle of it; a gateway.

    `alice` packs and runs, and the statements are hers.
    """

    def __init__(self, directory, fake, gateway):
        self.place, self.fake, self.gateway = directory, fake, gateway
        (directory / "home").mkdir(mode=0o700)
        ct(directory, "keygen", "--no-password", "--id", "alice")
        self.key, _ = key_of(directory / "home" / "keys" / "alice.key")
        self.logs = {"one": Log(), "two": Log(others=4)}
        images.make("single", directory / "image")
        self.image = push_layout(fake, directory / "image")
        for kind, predicate in ((SLSA, PROVENANCE), (SPDX, SBOM)):
            payload = statement(self.image, kind, predicate)
            entries = [log.entry(payload, kind=form) for log, form in zip(self.logs.values(), ("dsse", "intoto"), strict=True)]
            attach(fake, self.image, (sigstore(envelope(payload, self.key), *entries), BUNDLE))
        self.settings(logs=["one"])
        ct(directory, "pack", f"{fake.host}/a/app:1", "-o", "app.ctp")
        self.bundle = (directory / "app.ctp").read_bytes()

    def settings(self, logs=None, repository="registry.internal:5000/images/", **more):
        lines = [f'[registries]\ninsecure = ["{self.fake.host}"]', "[svalinn]", f'url = "{self.gateway.url}"']
        lines += [f'repository = "{repository}"'] if repository else []
        if logs is not None:
            named = {name: self.logs[name].named for name in logs}
            (self.place / "home" / "logs.json").write_text(json.dumps(named))
            lines.append('logs = "logs.json"')
        lines += [f'{name} = "{value}"' for name, value in more.items()]
        (self.place / "home" / "config.toml").write_text("\n".join([*lines, ""]))

    def run(self, *words, file="app.ctp", status=0, **env):
        """`ct run`, its answer, and what the gateway was asked."""
        before = len(self.gateway.requests)
        made = ct(
            self.place,
            "run",
            "--runtime=svalinn",
            *[word for word in words if word],
            *([file] if file else []),
            status=status,
            **env,
        )
        return made, self.gateway.requests[before:]

    def asked(self, *words, **more):
        made, requests = self.run(*words, **more)
        [request] = requests
        return made, request


@pytest.fixture(scope="module")
def gateway():
    with Gateway() as made:
        yield made


@pytest.fixture(scope="module")
def whole(tmp_path_factory, gateway):
    with Fake() as fake:
        yield World(tmp_path_factory.mktemp("svalinn"), fake, gateway)


@pytest.fixture
def world(whole):
    """The world as it was made."""
    home = whole.place / "home"
    whole.settings(logs=["one"])
    whole.gateway.answer = None
    whole.gateway.seen.clear()
    for name in ("policy.json",):
        (home / name).unlink(missing_ok=True)
    return whole


def payloads(request):
    return [base64.b64decode(each["payload"]) for each in request["bundle"]["attestations"]]


# -- what is sent ------------------------------------------------------------------------------------------------------------


def test_the_gateway_is_asked_once_and_its_job_is_told(world):
    made, request = world.asked()
    assert world.gateway.seen == [("POST", "/run")]
    assert request["imageDigest"] == world.image
    assert request["imageName"] == f"registry.internal:5000/images/app@{world.image}"
    assert request["profile"] == "strict"
    assert not {"vordrArgs", "runCommand", "useCommandSeparator", "removeOnExit", "detach"} & request.keys()
    assert made.stdout.startswith("✓ Svalinn runs app 1\n")
    assert request["imageName"] in made.stdout and "(running)" in made.stdout and world.gateway.url in made.stdout
    assert made.stderr == ""


def test_the_answer_as_json(world):
    made, request = world.asked("--json")
    said = json.loads(made.stdout)
    policy = json.dumps(request["policy"], separators=(",", ":")).encode()
    assert {name: said[name] for name in ("action", "runtime", "file", "name", "version", "image_digest", "image", "gateway")} == {
        "action": "run", "runtime": "svalinn", "file": "app.ctp", "name": "app", "version": "1", "image_digest": world.image,
        "image": request["imageName"], "gateway": world.gateway.url,
    }  # fmt: skip
    assert len(said["job"]) == 36 and said["job_status"] == "running"
    assert said["policy_hash"] == hashlib.sha256(policy).hexdigest()
    assert (sorted(said["statements"]), said["signer"], said["log_entries"]) == ([SLSA, SUMMARY, SPDX], "alice", 2)
    assert world.asked("-q")[0].stdout == ""


def test_statements_that_fit_are_passed_on_to_the_byte(world):
    _, request = world.asked()
    sent = payloads(request)
    assert sorted(sent[:2]) == sorted(statement(world.image, *each) for each in ((SLSA, PROVENANCE), (SPDX, SBOM)))
    assert [one["predicateType"] for one in check(request)] == request["policy"]["requiredPredicates"]


def test_the_summary_says_what_was_verified_and_by_what(world):
    (world.place / "home" / "policy.json").write_text('{"version":"1"}')
    _, request = world.asked("--at", "2027-02-03")
    said = json.loads(payloads(request)[2])
    signatures = json.loads(ct(world.place, "explain", "--json", "app.ctp").stdout)["signatures"]
    assert said["predicateType"] == SUMMARY
    assert said["subject"] == [{"name": "app", "digest": {"sha256": world.image[7:]}}]
    predicate = said["predicate"]
    assert predicate["verificationResult"] == "PASSED" and predicate["timeVerified"] == "2027-02-03T00:00:00Z"
    assert predicate["policy"]["digest"] == {"sha256": hashlib.sha256(b'{"version":"1"}').hexdigest()}
    assert (
        predicate["resourceUri"] == f"pkg:oci/app@sha256%3A{world.image[7:]}?repository_url=registry.internal:5000/images/app"
    )
    digests = {each["digest"]["sha256"] for each in predicate["inputAttestations"]}
    assert digests == {one["line"][7:] for one in signatures} and len(digests) == 3


def test_each_envelope_has_svalinns_form_first_and_the_standard_one_second(world):
    _, request = world.asked()
    [key] = request["trustStore"]["keys"]["builders"]
    der = base64.b64decode(key["publicKey"])
    assert key["id"] == "sha256:" + hashlib.sha256(der).hexdigest() and request["policy"]["allowedSigners"] == [key["id"]]
    for each in request["bundle"]["attestations"]:
        first, second = each["signatures"]
        assert first["keyid"] == second["keyid"] == key["id"]
        assert verifies(key["publicKey"], pae(each["payload"].encode()), first["sig"])
        assert verifies(key["publicKey"], pae(base64.b64decode(each["payload"])), second["sig"])


def test_the_trust_store_is_the_key_as_the_store_has_it(world):
    _, request = world.asked()
    store = request["trustStore"]
    [key] = store["keys"]["builders"]
    assert (key["validFrom"], key["metadata"]) == (TIME, {"owner": "alice"}) and "validUntil" not in key
    assert (store["version"], store["updated"], store["thresholds"]) == (1, TIME, {})
    assert store["logs"] == {"one": world.logs["one"].named}
    ct(world.place, "key", "expires", "alice", "2030-01-01")
    try:
        _, request = world.asked()
    finally:
        ct(world.place, "key", "expires", "alice", "never")
    assert request["trustStore"]["keys"]["builders"][0]["validUntil"] == "2030-01-01T23:59:59Z"


def test_log_entries_are_those_of_the_logs_that_are_named(world):
    _, request = world.asked()
    entries = request["bundle"]["logEntries"]
    assert [each["logId"] for each in entries] == ["one", "one"] and request["policy"]["logQuorum"] == 1
    assert {each["logIndex"] - each["inclusionProof"]["logIndex"] for each in entries} == {1000}
    assert {each["integratedTime"] for each in entries} == {"2023-07-22T04:26:40Z"}
    world.settings(logs=["one", "two"])
    _, request = world.asked()
    assert sorted(each["logId"] for each in request["bundle"]["logEntries"]) == ["one", "one", "two", "two"]
    assert request["policy"]["logQuorum"] == 2


def test_the_words_for_the_runtime_and_for_the_container(world):
    _, request = world.asked(
        "app.ctp", "--", "--publish", "8080:80", "-e", "A=b c", "--", "serve", "--name", "-x", "--", "y", file=""
    )
    assert request["vordrArgs"] == ["--publish", "8080:80", "-e", "A=b c"]
    assert request["runCommand"] == ["serve", "--name", "-x", "--", "y"] and request["useCommandSeparator"] is True
    refused, requests = world.run("app.ctp", "--", "other", file="", status=64)
    assert "'other' would be taken for the image" in refused.stderr and not requests
    _, request = world.asked("app.ctp", "--", "--", "serve", file="")
    assert "vordrArgs" not in request and request["runCommand"] == ["serve"]


def test_a_repository_is_named_or_where_they_lie(world):
    world.settings(logs=["one"], repository="registry.internal:5000/team/web")
    assert world.asked()[1]["imageName"] == f"registry.internal:5000/team/web@{world.image}"


# -- what is not sent --------------------------------------------------------------------------------------------------------


def refused(world, *words, status, **more):
    """What is said where nothing may be asked of the gateway."""
    world.gateway.seen.clear()
    made, requests = world.run(*words, status=status, **more)
    assert requests == [] and world.gateway.seen == [] and made.stdout == ""
    return made.stderr


def test_without_log_entries_nothing_is_asked_and_it_says_why(world):
    world.settings()
    said = refused(world, status=5)
    assert "[svalinn] logs in config.toml names no log" in said and "2 entries, of 1 log" in said
    world.settings(logs=["one"])
    ct(world.place, "pack", "oci:image", "-o", "local.ctp")
    said = refused(world, status=5, file="local.ctp")
    assert "no SLSA provenance or SPDX document that counts" in said
    # What ct attest signs is in no log.
    (world.place / "sbom.json").write_text(json.dumps(SBOM))
    (world.place / "slsa.json").write_text(json.dumps(PROVENANCE))
    ct(world.place, "attest", "--sbom", "sbom.json", "--provenance", "slsa.json", "-o", "attested.ctp", "local.ctp")
    assert "the bundle has no evidence of entries" in refused(world, status=5, file="attested.ctp")


def attested(world, name, *documents):
    """A bundle of the image with these documents attached instead."""
    subject = world.fake.attached
    before = subject.pop(world.image)
    try:
        for document in documents:
            attach(world.fake, world.image, (document, BUNDLE))
        ct(world.place, "pack", f"{world.fake.host}/a/app:1", "-o", name)
    finally:
        subject[world.image] = before
    return name


def test_what_other_keys_state_and_what_is_malformed_stays_here(world):
    """Statements of a stranger and of a merely known key, one of another type, one that its schema refuses: none is passed on."""
    other = world.place / "bob"
    (other / "home").mkdir(parents=True, mode=0o700)
    ct(other, "keygen", "--no-password", "--id", "bob")
    bob, _ = key_of(other / "home" / "keys" / "bob.key")
    ct(world.place, "key", "import", other / "home" / "keys" / "bob.pub")
    log = world.logs["one"]
    good = [statement(world.image, SLSA, PROVENANCE), statement(world.image, SPDX, SBOM)]
    bad = [
        (statement(world.image, SPDX, {**SBOM, "name": "bob's"}), bob),
        (statement(world.image, SLSA, {"buildDefinition": {}}), world.key),
        (statement(world.image, "https://example.org/other", {}), world.key),
    ]
    made = [(payload, world.key) for payload in good] + bad
    documents = [sigstore(envelope(payload, key), log.entry(payload)) for payload, key in made]
    _, request = world.asked(file=attested(world, "mixed.ctp", *documents))
    assert sorted(payloads(request)[:-1]) == sorted(good) and len(request["bundle"]["logEntries"]) == 2
    # The policy has a say in it, too.
    (world.place / "home" / "policy.json").write_text(
        '{"version":"1","signers":{"allowed":[{"key_id":"alice","sources":["*"]}]},"suites":{"allowed":["CT-SIG-01"]}}'
    )
    world.asked(file="mixed.ctp")


def test_statements_are_made_anew_where_svalinn_would_not_take_them(world):
    """Another subject beside the image, and the type that `ct attest` writes; entries about what was said before prove nothing."""
    log = world.logs["one"]
    more = [{"name": "app", "digest": {"sha256": world.image[7:]}}, {"name": "other", "digest": {"sha256": "0" * 64}}]
    several = statement(world.image, SLSA, PROVENANCE, subject=more)
    ours = statement(world.image, SPDX + "/v2.3", SBOM)
    fits = [
        statement(world.image, SLSA, {**PROVENANCE, "runDetails": {"builder": {"id": f"https://b.example/{n}"}}}) for n in "12"
    ]
    documents = [sigstore(envelope(each, world.key), log.entry(each)) for each in (several, ours, *fits)]
    _, request = world.asked(file=attested(world, "anew.ctp", *documents))
    assert len(request["bundle"]["logEntries"]) == 2
    sent = [json.loads(each) for each in payloads(request)]
    assert {each["predicateType"] for each in sent} == {SLSA, SPDX, SUMMARY} == set(request["policy"]["requiredPredicates"])
    assert all(each["subject"] == [{"name": "app", "digest": {"sha256": world.image[7:]}}] for each in sent)
    assert SBOM in [each["predicate"] for each in sent] and PROVENANCE in [each["predicate"] for each in sent]
    assert len(request["policy"]["requiredPredicates"]) == 3 and len(sent) == 5


def test_the_command_line_and_the_settings_come_first(world):
    assert "does not go with --no-verify" in refused(world, "--no-verify", status=64)
    for words in (["--name", "x"], ["--name=x"]):
        assert "names the container by its job" in refused(world, "app.ctp", "--", "-d", *words, status=64, file="")
    world.settings(logs=["one"], repository="")
    assert "[svalinn] repository in config.toml" in refused(world, status=64)
    world.settings(logs=["one"])
    # Nobody's passphrase is asked for before that, and no blob is read.
    assert "without TLS" in refused(world, status=64, SVALINN_GATEWAY_URL="http://gateway.example:8000", SVALINN_URL="")


def test_the_logs_that_are_named_must_be_said_well(world):
    file = world.place / "home" / "logs.json"
    good = json.dumps({"one": world.logs["one"].named})
    assert loginclusion.logs(good.encode()) == {"one": world.logs["one"].named}
    twice = json.dumps({"one": world.logs["one"].named, "two": world.logs["one"].named})
    for text in (
        "{}", "[]", "", twice, good[:-1], good.replace("ed25519", "ecdsa"), good.replace('"url"', '"URL"'), good.replace('"one"', '"a b"'),
        good.replace("Example Ltd", ""), good.replace("MCow", "MCox"), good.replace("MCow", "MC"), '{"one":{}}', '{"one":1}',
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"."):
            loginclusion.logs(text.encode())
    file.write_text(twice)
    said = refused(world, status=10)
    assert "two logs have one key" in said and str(file) in said
    file.write_text(good)
    file.chmod(0o666)
    refused(world, status=13)
    file.unlink()
    assert "there is no" in refused(world, status=11)


def test_the_key_that_signs(world):
    ct(world.place, "keygen", "--no-password", "--id", "hybrid", "--suite", "CT-SIG-06")
    assert "Svalinn knows Ed25519 alone" in refused(world, "-k", "hybrid", status=64)
    (world.place / "secret").write_text("correct horse")
    (world.place / "secret").chmod(0o600)
    ct(world.place, "keygen", "--id", "carol", "--passphrase-file", "secret")
    assert "passphrase" in refused(world, "-k", "carol", status=13)
    made, request = world.asked("-k", "carol", "--passphrase-file", "secret")
    assert "signed by carol" in made.stdout and request["trustStore"]["keys"]["builders"][0]["metadata"] == {"owner": "carol"}
    # Not being allowed is no obstacle, being denied is one.
    allowed = {"allowed": [{"key_id": "alice"}]}
    for denied, status in (([], 0), ([{"key_id": "carol"}], 3)):
        rules = {"version": "1", "signers": allowed | ({"denied": denied} if denied else {})}
        (world.place / "home" / "policy.json").write_text(json.dumps(rules))
        made, _ = world.run("-k", "carol", "--passphrase-file", "secret", status=status)
    assert "your policy does not let carol sign" in made.stderr


def test_a_damaged_or_unsigned_bundle_is_nobodys_business(world):
    damaged = bytearray(world.bundle)
    damaged[-1500] ^= 1
    (world.place / "damaged.ctp").write_bytes(damaged)
    assert "sha256:" in refused(world, status=1, file="damaged.ctp")
    ct(world.place, "pack", "oci:image", "--no-sign", "-o", "unsigned.ctp")
    refused(world, status=2, file="unsigned.ctp")


def test_the_decision_is_kept_whatever_the_gateway_says(world):
    """It is about the bundle: without log entries, too, it comes out again."""
    world.asked("--record", "audit")
    world.settings()
    refused(world, "--record", "audit", status=5)
    entries = [json.loads(line) for line in ct(world.place, "audit", "--json", "audit").stdout.splitlines()]
    assert entries and not any(one.get("finding") for one in entries)


def test_nothing_is_stored(world):
    before = {entry: entry.stat().st_mtime_ns for entry in world.place.rglob("*")}
    world.asked()
    assert {entry: entry.stat().st_mtime_ns for entry in world.place.rglob("*")} == before


# -- entries of logs ---------------------------------------------------------------------------------------------------------


def test_inclusion_proofs_of_every_leaf_of_small_trees():
    for size in range(1, 20):
        leaves = [hashlib.sha256(bytes([number])).digest() for number in range(size)]
        top = root(leaves)
        for index in range(size):
            proof = path(index, leaves)
            assert loginclusion.is_included(leaves[index], index, size, proof, top)
            assert not loginclusion.is_included(leaves[index], index, size, [*proof, top], top)
            assert not loginclusion.is_included(leaves[index], index, size, proof[:-1], top) or not proof
            assert not loginclusion.is_included(leaves[index - 1], index, size, proof, top) or size == 1
        assert not loginclusion.is_included(leaves[-1], size, size, [], top)


def _lies(name):
    def make(log, payload):
        entry = log.entry(payload)
        other = Log()
        proof = entry["inclusionProof"]
        if name == "another statement":
            return log.entry(b"{}")
        if name == "another kind":
            return log.entry(payload, kind="hashedrekord")
        if name == "another log":
            return other.entry(payload)
        if name == "another's signature":
            entry["inclusionPromise"] = other.entry(payload)["inclusionPromise"]
        if name == "another time":
            entry["integratedTime"] = "1700000001"
        if name == "no time":
            entry["integratedTime"] = "0"
        if name == "far future":
            entry["integratedTime"] = "999999999999999"
        if name == "another index":
            entry["logIndex"] = "7"
        if name == "another leaf":
            proof["logIndex"] = "0"
        if name == "another root":
            proof["rootHash"] = b64(b"\1" * 32)
        if name == "a short root":
            proof["rootHash"] = b64(b"\1" * 31)
        if name == "a long path":
            proof["hashes"] *= 40
        if name == "another size":
            proof["treeSize"] = "9"
        if name == "unsigned checkpoint":
            proof["checkpoint"] = {"envelope": proof["checkpoint"]["envelope"].partition("\n\n")[0] + "\n\n"}
        if name == "another's checkpoint":
            proof["checkpoint"] = other.entry(payload)["inclusionProof"]["checkpoint"]
        if name == "no proof":
            del entry["inclusionProof"]
        if name == "no promise":
            del entry["inclusionPromise"]
        if name == "a number":
            entry["logIndex"] = 1003
        if name == "a list":
            return [entry]
        return entry

    return make


LIES = (
    "another statement", "another kind", "another log", "another's signature", "another time", "no time", "far future", "another index",
    "another leaf", "another root", "a short root", "a long path", "another size", "unsigned checkpoint", "another's checkpoint",
    "no proof", "no promise", "a number", "a list",
)  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_an_entry_is_one_only_if_all_of_it_holds(name):
    log, payload = Log(), b'{"a":1}'
    good = log.entry(payload)
    bad = _lies(name)(log, payload)
    made, why = loginclusion.entries(sigstore({}, copy.deepcopy(good), bad), payload, {"log": log.named})
    assert [each["logIndex"] for each in made] == [int(good["logIndex"])] and len(why) == 1


def _places(value, at=()):
    yield at
    for name, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(below, (*at, name))


def test_nothing_in_an_entry_may_be_of_another_type():
    log, payload = Log(), b"{}"
    good = log.entry(payload)
    for place in [each for each in _places(good) if each[:1] != ("kindVersion",)]:
        for junk in (None, 7, True, "", "x", "AAAA", [], ["AAAA"], {}, {"a": []}, "\ud800", -1, 1.5):
            bad = {"entry": copy.deepcopy(good)}
            inside, name = bad, "entry"
            for each in place:
                inside, name = inside[name], each
            inside[name] = junk
            made, why = loginclusion.entries(sigstore({}, bad["entry"]), payload, {"log": log.named})
            assert made == [] and len(why) == 1, (place, junk)


def test_what_is_no_sigstore_bundle_has_no_entries():
    log = Log()
    for document in (
        b"",
        b"[]",
        b"{}",
        b'{"verificationMaterial":[]}',
        b'{"verificationMaterial":{"tlogEntries":{}}}',
        b"\xff",
    ):
        made, why = loginclusion.entries(document, b"x", {"log": log.named})
        assert made == [] and len(why) == 1
    many = sigstore({}, *[log.entry(b"x") for _ in range(17)])
    assert loginclusion.entries(many, b"x", {"log": log.named})[0] == []


def test_an_entry_that_is_proved_twice_is_one(world):
    log, payload = world.logs["one"], statement(world.image, SLSA, PROVENANCE)
    first = log.entry(payload)
    second = log.entry(payload, again=int(first["inclusionProof"]["logIndex"]))
    both = loginclusion.entries(sigstore({}, first, second), payload, {"log": log.named})[0]
    assert len(both) == 2 and both[0]["inclusionProof"] != both[1]["inclusionProof"]
    attested(world, "twice.ctp", sigstore(envelope(payload, world.key), first, second))
    assert "1 entry, of 1 log" in refused(world, status=5, file="twice.ctp")


def test_of_two_logs_both_must_have_an_entry(world):
    log, third = world.logs["one"], Log()
    documents = [statement(world.image, SLSA, PROVENANCE), statement(world.image, SPDX, SBOM)]
    attested(world, "one.ctp", *(sigstore(envelope(each, world.key), log.entry(each)) for each in documents))
    world.asked(file="one.ctp")
    world.logs["third"] = third
    world.settings(logs=["one", "third"])
    said = refused(world, status=5, file="one.ctp")
    assert "2 entries, of 1 log\n" in said and "2 entries, of 2 logs" in said and "no more evidence" in said


# -- where to, and the answer ------------------------------------------------------------------------------------------------


FIRST, SECOND, THIRD = "SVALINN_URL", "SVALINN_ENDPOINT", "SVALINN_GATEWAY_URL"


def test_the_first_that_names_a_gateway_does():
    for env, configured, found in (
        ({}, None, "http://127.0.0.1:8000"),
        ({}, "https://svalinn.example/gate/", "https://svalinn.example/gate"),
        ({THIRD: "http://localhost:3"}, "https://svalinn.example", "http://localhost:3"),
        ({THIRD: "http://localhost:3", SECOND: "http://127.1.2.3:2/"}, None, "http://127.1.2.3:2"),
        ({THIRD: "http://localhost:3", SECOND: "http://[::1]:2", FIRST: "https://a.example:1"}, None, "https://a.example:1"),
        ({FIRST: "", SECOND: "http://[::1]"}, None, "http://[::1]"),
    ):
        assert gateway_module.url(env, configured) == found


@pytest.mark.parametrize(
    "named",
    [
        "http://gateway.example", "http://192.168.1.1:8000", "http://127.0.0.1.example", "http://localhost.example", "http://0.0.0.0:8000",
        "http://[::2]", "http://user:hunter2@127.0.0.1", "https://gateway.example/?x=1", "https://gateway.example/#x", "ftp://127.0.0.1",
        "127.0.0.1:8000", "http://127.0.0.1:99999", "http://", "https://a b", "http://127.0.0.1\\@evil.example", "http://2130706433", "http://127.0.0.256", "http://127.0.0.01", "http://127.1",
    ],
)  # fmt: skip
def test_what_is_no_gateway_is_refused(named):
    with pytest.raises(Fail) as caught:
        gateway_module.url({FIRST: named}, None)
    assert caught.value.finding["finding"] == "usage" and "hunter2" not in str(caught.value.finding)


def error(name, message="no", **more):
    return {"error": {"code": 1, "id": name, "message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "slug", "words"),
    [
        (403, error("ERR_POLICY_DENIED", "subject digest mismatch", details={"expected": "x"}), "gateway-denied", "subject digest"),
        (403, error("ERR_OTHER"), "gateway-refused", "no"),
        (403, b"<html>log in first</html>", "gateway-refused", "403"),
        (400, error("ERR_USAGE", "imageName is required"), "gateway-refused", "imageName is required"),
        (500, error("ERR_RUNTIME_NOT_FOUND"), "tool-missing", "no runtime"),
        (500, error("ERR_RUNTIME_EXEC", "pull failed"), "gateway-refused", "pull failed"),
        (404, {"error": "not found"}, "gateway-refused", "not found"),
        (500, {"error": None}, "gateway-refused", "500"),
        (500, {"error": {"id": 7, "message": ["x"], "details": 3}}, "gateway-refused", "500"),
        (200, {"jobId": "a", "status": "running"}, "gateway-refused", "200"),
        (202, {}, "gateway-refused", "something may run"),
        (202, b"not JSON", "gateway-refused", "something may run"),
        (202, b'{"jobId":"a","jobId":"b"}', "gateway-refused", "something may run"),
        (202, {"jobId": "a\nb"}, "gateway-refused", "something may run"),
        (202, {"jobId": "x" * 129}, "gateway-refused", "something may run"),
        (202, {"jobId": "a", "status": "failed"}, "gateway-refused", "failed"),
        (202, b'{"jobId":"a","pad":"' + b"x" * 200_000 + b'"}', "gateway-refused", "something may run"),
        (500, error("ERR_RUNTIME_EXEC", "y" * 9000), "gateway-refused", "y" * 500),
        (None, b"", "gateway-refused", "something may run"),
    ],
)  # fmt: skip
def test_every_other_answer_has_its_finding(world, status, body, slug, words):
    world.gateway.answer = (status, body)
    with pytest.raises(Fail) as caught:
        gateway_module.run(world.gateway.url, b"{}", {})
    made = caught.value.finding
    assert made["finding"] == slug and words in made["detail"] and len(made["detail"]) < 600
    # Whatever was answered, it was asked once.
    assert world.gateway.seen == [("POST", "/run")]


def test_a_redirect_is_not_followed(world):
    world.gateway.answer = (307, b"", {"Location": f"{world.gateway.url}/elsewhere"})
    with pytest.raises(Fail):
        gateway_module.run(world.gateway.url, b"{}", {})
    assert world.gateway.seen == [("POST", "/run")]


def test_by_tls_it_must_be_the_one_that_was_named(tmp_path):
    ca, server = certificates(tmp_path)
    trusted = tmp_path / "home" / ".config" / "containers" / "certs.d"
    with Gateway(tls=server) as gateway:
        gateway.answer = (202, {"jobId": "j-1"})
        with pytest.raises(Fail) as caught:
            gateway_module.run(gateway.url, b"{}", {"HOME": str(tmp_path / "home")})
        assert caught.value.finding["finding"] == "gateway-refused" and "TLS" in str(caught.value) and gateway.seen == []
        (trusted / gateway.host).mkdir(parents=True)
        shutil.copy(ca, trusted / gateway.host / "ca.crt")
        made = gateway_module.run(gateway.url, b"{}", {"HOME": str(tmp_path / "home")})
        assert made == {"job": "j-1", "job_status": None, "policy_hash": None}


def test_what_a_gateway_says_is_shown_and_nothing_more(world):
    world.gateway.answer = (403, error("ERR_POLICY_DENIED", "\x1b[31mred\u202e", suggestions=["rm -rf /"]))
    made, _ = world.run(status=4)
    assert "the gateway's policy denies the image" in made.stderr and "red" in made.stderr
    assert "\x1b" not in made.stderr and "\u202e" not in made.stderr and "rm -rf" not in made.stderr and made.stdout == ""
    # Nobody listens there any more.
    with Gateway() as gone:
        pass
    made, _ = world.run(status=12, SVALINN_URL=gone.url)
    assert gone.url in made.stderr
