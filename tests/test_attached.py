"""What is attached to an image in its registry: taken along to the byte, or named (spec/attachments.adoc)."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD, program
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from images import make
from registries import (  # fmt: skip
    DSSE,
    INDEX,
    SPDX,
    Client,
    Fake,
    artifact,
    attach,
    certificates,
    digest,
    docker_registry,
    envelope,
    key_of,
    push_layout,
    spelled,
    statement,
)

CT = BUILD / "bin" / "ct"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    root = tmp_path_factory.mktemp("layouts")
    for kind in ("single", "multi", "buildkit"):
        make(kind, root / kind)
    return root


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    with docker_registry(tmp_path_factory.mktemp("docker") / "plain") as host:
        yield host


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """A home with the packer's key, and alice's key beside it."""
    root = tmp_path_factory.mktemp("homes")
    for name in ("packer", "alice"):
        (root / name).mkdir(mode=0o700)
        run(root / name, "keygen", "--no-password", "--id", name)
    return root


@pytest.fixture
def work(homes, tmp_path):
    shutil.copytree(homes / "packer", tmp_path, dirs_exist_ok=True)
    shutil.copy(homes / "alice" / "home" / "keys" / "alice.pub", tmp_path)
    return tmp_path


@pytest.fixture
def alice(homes):
    return key_of(homes / "alice" / "home" / "keys" / "alice.key")


@pytest.fixture
def fake(layouts):
    with Fake() as server:
        server.image = push_layout(server, layouts / "single")
        yield server


def run(directory: Path, *arguments: str, status: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
    home = directory / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    made = subprocess.run(
        [CT, *arguments], cwd=directory, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "CT_HOME": str(home), "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1700000000", **env},
    )  # fmt: skip
    assert status is None or made.returncode == status, (made.returncode, made.stdout, made.stderr)
    assert "Traceback" not in made.stderr
    return made


def let(work, *hosts, **more):
    """Write a configuration that takes these hosts without TLS."""
    lines = [
        "[registries]",
        f"insecure = {json.dumps(hosts)}",
        *(f"{key} = {json.dumps(value)}" for key, value in more.items()),
    ]
    (work / "home" / "config.toml").write_text("\n".join(lines) + "\n")


def pack(work, server, *options, status=0, image=None, **env):
    """Pack, verify, and give what pack said as JSON."""
    if isinstance(server, Fake):
        let(work, server.host)
    image = image or f"{server.host}/a/app:1"
    made = run(work, "pack", "--json", *options, image, "-o", "x.ctp", status=status, **env)
    assert [path.name for path in work.iterdir() if path.name.startswith(".ct.")] == []
    if status:
        assert not (work / "x.ctp").exists()
        return made.stderr
    run(work, "verify", "x.ctp")
    return json.loads(made.stdout)


def lines(work):
    """The lines of the bundle's attestations.jsonl that are no bundle signature."""
    found = subprocess.run(["tar", "-xOf", work / "x.ctp", "attestations.jsonl"], capture_output=True, check=True).stdout
    return found.splitlines()[:-1]


def attested(work):
    """What explain says of attestations."""
    return run(work, "explain", "x.ctp").stdout.partition("\nAttestations\n")[2].partition("\nTrust chain\n")[0]


def left(said):
    return {
        made["context"]["Attachment"]: made["context"]["Reason"]
        for made in said["findings"]
        if made["finding"] == "attachment-left-behind"
    }


# -- end to end ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hint", ["own", "none", "other"])
def test_an_sbom_by_alice_from_a_registry_without_the_api(docker, layouts, work, alice, hint):
    key, fingerprint = alice
    client = Client(docker, f"e2e/{hint}")
    image = push_layout(client, layouts / "single")
    keyid = {"own": fingerprint, "none": None, "other": "6f1c" * 16}[hint]
    made = envelope(statement(image), key, keyid)
    attach(client, image, (spelled(made), DSSE))
    let(work, docker)
    if hint == "own":
        # Nobody here could tell whether she signed it, and whoever has her key would refuse a bundle with a forged one.
        missing = left(pack(work, None, image=f"{docker}/e2e/{hint}:1"))[digest(spelled(made))]
        assert fingerprint in missing and "ct key import" in missing
        (work / "x.ctp").unlink()
        run(work, "key", "import", "alice.pub")
    shown = run(work, "pack", f"{docker}/e2e/{hint}:1", "-o", "x.ctp")
    assert "SBOM:" not in shown.stdout
    assert "Attached:   1 attestation taken along\n" in shown.stdout
    (line,) = lines(work)
    kept = json.loads(line)
    assert (kept["payload"], kept["signatures"][0]["sig"]) == (made["payload"], made["signatures"][0]["sig"])
    assert kept["signatures"][0]["keyid"] == (keyid or "")
    run(work, "verify", "x.ctp")
    run(work, *(("key", "trust", "alice") if hint == "own" else ("key", "import", "alice.pub", "--trust")))
    run(work, "verify", "x.ctp")
    assert "SBOM" in attested(work) and "signed by alice" in attested(work) and "nobody" not in attested(work)
    # Any byte of the line: what it says, how it is signed, whose it claims to be.
    bundle = (work / "x.ctp").read_bytes()
    start = bundle.index(line)
    if hint != "own":
        return
    for where in (line.index(b'"payload"') + 12, line.index(b'"sig"') + 9, line.index(b'"keyid":"') + 20):
        damaged = bytearray(bundle)
        damaged[start + where] = ord("A") if damaged[start + where] != ord("A") else ord("B")
        (work / "y.ctp").write_bytes(damaged)
        run(work, "verify", "y.ctp", status=2)


def test_tls_and_passwords(layouts, work, alice, tmp_path_factory):
    key, fingerprint = alice
    secret = tmp_path_factory.mktemp("secret")
    ca, server = certificates(secret)
    users = subprocess.run([program("htpasswd"), "-Bbn", "bob", "hunter2"], capture_output=True, check=True).stdout
    (secret / "users").write_bytes(users)
    with docker_registry(secret / "registry", server, secret / "users") as host:
        client = Client(host, "team/app", ca, "bob:hunter2")
        image = push_layout(client, layouts / "single")
        attach(client, image, (spelled(envelope(statement(image), key, fingerprint)), DSSE))
        run(work, "key", "import", "alice.pub")
        trusted = work / "home" / ".config" / "containers" / "certs.d" / host
        trusted.mkdir(parents=True)
        shutil.copy(ca, trusted / "ca.crt")
        auth = work / "home" / ".config" / "containers" / "auth.json"
        good = {"auths": {f"{host}/team": {"auth": base64.b64encode(b"bob:hunter2").decode()}, host: {"auth": "eDp5"}}}
        auth.write_text(json.dumps(good))
        said = pack(work, None, image=f"{host}/team/app:1")
        assert said["attached"] == {"taken": 1, "left": 0}
        # Without the certificate, and with the wrong password: nothing, and no word of the secret.
        (work / "x.ctp").unlink()
        auth.write_text(json.dumps({"auths": {host: {"auth": base64.b64encode(b"bob:hunter3").decode()}}}))
        assert "hunter3" not in pack(work, None, image=f"{host}/team/app:1", status=12, CT_TRACE="1")
        auth.write_text(json.dumps(good))
        (trusted / "ca.crt").unlink()
        assert "hunter2" not in pack(work, None, image=f"{host}/team/app:1", status=12, CT_TRACE="1")


def test_what_cosign_puts_into_tags(docker, layouts, work):
    client = Client(docker, "cosign/app")
    image = push_layout(client, layouts / "single")
    payload = statement(image, "https://slsa.dev/provenance/v0.2", kind="https://in-toto.io/Statement/v0.1")
    notes = {"dev.sigstore.cosign/certificate": "-----BEGIN CERTIFICATE-----\n…", "predicateType": "x"}
    at = image.replace(":", "-")
    signed = spelled(envelope(payload, STRANGER))
    artifact(client, [(signed, DSSE, notes)], reference=f"{at}.att")
    simple, sbom = b'{"critical":{}}', b"SPDXVersion: SPDX-2.3"
    artifact(
        client,
        [(simple, "application/vnd.dev.cosign.simplesigning.v1+json", {"dev.cosignproject.cosign/signature": "AA=="})],
        reference=f"{at}.sig",
    )
    artifact(client, [(sbom, "text/spdx", None)], reference=f"{at}.sbom")
    let(work, docker)
    shown = run(work, "pack", f"{docker}/cosign/app:1", "-o", "x.ctp")
    assert "Attached:   1 attestation taken along, 2 left behind" in shown.stdout
    assert digest(simple) in shown.stderr and digest(sbom) in shown.stderr and "left behind" in shown.stderr
    line, evidence = lines(work)
    assert base64.b64decode(json.loads(line)["payload"]) == payload
    assert json.loads(evidence) == {"evidence": DSSE, "envelope": digest(line), "annotations": notes}
    assert "SLSA" not in run(work, "explain", "x.ctp").stderr
    assert run(work, "pack", "-q", f"{docker}/cosign/app:1", "-o", "y.ctp").stderr == ""
    assert (work / "x.ctp").read_bytes() == (work / "y.ctp").read_bytes()


@pytest.mark.parametrize("api", [True, False])
def test_one_platform_and_its_index(layouts, work, api):
    with Fake() as server:
        server.api = api
        index = push_layout(server, layouts / "buildkit")
        listed = json.loads(server.manifests[index][0])["manifests"]
        image = listed[0]["digest"]
        beside = [
            entry["digest"] for entry in listed if entry.get("annotations", {}).get("vnd.docker.reference.digest") == image
        ]
        assert beside
        of_image, of_index = (spelled(envelope(statement(one), STRANGER)) for one in (image, index))
        attach(server, image, (of_image, DSSE))
        attach(server, index, (of_index, DSSE))
        platform = "/".join(listed[0]["platform"][key] for key in ("os", "architecture"))
        said = pack(work, server, "--platform", platform)
        assert said["attached"] == {"taken": 1, "left": 1 + len(beside)}
        assert left(said).keys() == {digest(of_index), *beside}
        assert "--platform all" in left(said)[digest(of_index)]
        # Of the whole index BuildKit's are content, and what is about one image of it is not about the index.
        said = pack(work, server, "--platform", "all")
        assert said["attached"]["taken"] == 1 and left(said).keys() == {digest(of_image)}


def test_a_sigstore_bundle_and_a_large_sbom(fake, work, alice):
    key, fingerprint = alice
    bundle = spelled({
        "mediaType": BUNDLE_TYPE, "verificationMaterial": {"certificate": {"rawBytes": "AAAA"}, "tlogEntries": [{"logIndex": "7"}]},
        "dsseEnvelope": envelope(statement(fake.image), STRANGER),
    })  # fmt: skip
    large = spelled(envelope(statement(fake.image, predicate={"files": ["x" * 99] * 60000}), key, fingerprint))
    attach(fake, fake.image, (bundle, BUNDLE_TYPE), (large, DSSE))
    run(work, "key", "import", "alice.pub")
    assert pack(work, fake)["attached"] == {"taken": 2, "left": 0}
    found = [json.loads(line) for line in lines(work)]
    (evidence,) = [one for one in found if "evidence" in one]
    assert base64.b64decode(evidence["document"]) == bundle
    assert evidence["envelope"] in {digest(line) for line in lines(work)}
    assert max(map(len, lines(work))) > 4 << 20
    run(work, "key", "trust", "alice")
    run(work, "verify", "x.ctp")
    assert "nobody you know" in attested(work) and "alice" in attested(work)


def test_bundles_that_sigstore_made(vectors):
    from cerrotorre import dsse, foreign
    from cerrotorre import statement as statements

    files = [
        path for path in sorted((vectors / "sigstore-conformance").rglob("*.json")) if b'"dsseEnvelope"' in path.read_bytes()
    ]
    assert len(files) >= 10
    for path in files:
        data = path.read_bytes()
        line, evidence = foreign.lines(data, BUNDLE_TYPE, {})
        theirs, ours = json.loads(data)["dsseEnvelope"], dsse.parse_line(line, 1)[1]
        assert ours["payload"] == base64.b64decode(theirs["payload"])
        assert [raw for _, raw in ours["signatures"]] == [base64.b64decode(one["sig"]) for one in theirs["signatures"]]
        assert base64.b64decode(json.loads(evidence)["document"]) == data
        assert statements.claimed(ours)["subject"]


def test_the_bundle_depends_on_no_order(fake, work):
    for number in range(7):
        attach(
            fake,
            fake.image,
            (spelled(envelope(statement(fake.image, predicate={"n": number}), STRANGER)), DSSE, {"n": str(number)}),
        )
    # The same envelope in other spellings, twice.
    same = envelope(statement(fake.image), STRANGER)
    attach(fake, fake.image, (spelled(same), DSSE))
    attach(fake, fake.image, (json.dumps(same).encode(), "application/vnd.in-toto+json"))
    assert pack(work, fake)["attached"] == {"taken": 8, "left": 0}
    first = (work / "x.ctp").read_bytes()
    fake.attached[fake.image].reverse()
    fake.page = 2
    pack(work, fake)
    assert (work / "x.ctp").read_bytes() == first
    assert sum("referrers" in path for _, path, _ in fake.seen) > 4


# -- what is not taken -----------------------------------------------------------------------------------------------------------


def _other_spelling(value):
    return (
        json.dumps(value)
        .replace("+", "-")
        .replace("/", "_")
        .replace("application_vnd.in-toto-json", "application/vnd.in-toto+json")
        .encode()
    )


NOT_TAKEN = {
    "no JSON": lambda image: b"{",
    "a key twice": lambda image: spelled(envelope(statement(image), STRANGER)).replace(b"{", b'{"payload":"AA==",', 1),
    "another case": lambda image: spelled(envelope(statement(image), STRANGER, Payload="AA==")),
    "no signatures": lambda image: spelled({**envelope(statement(image), STRANGER), "signatures": []}),
    "nine signatures": lambda image: spelled({**envelope(statement(image), STRANGER), "signatures": [{"sig": "AA=="}] * 9}),
    "no base64": lambda image: spelled({**envelope(statement(image), STRANGER), "signatures": [{"sig": "A*=="}]}),
    "a payload of another type": lambda image: spelled({**envelope(statement(image), STRANGER), "payloadType": "text/plain"}),
    "a number for a keyid": lambda image: spelled(
        {**envelope(statement(image), STRANGER), "signatures": [{"sig": "AA==", "keyid": 1}]}
    ),
    "unsigned": lambda image: statement(image),
    "no statement": lambda image: spelled(envelope(b"{}", STRANGER)),
    "no subject": lambda image: spelled(envelope(statement(image, subject=[]), STRANGER)),
    "another image": lambda image: spelled(envelope(statement("sha256:" + "0" * 64), STRANGER)),
    "another manifest": lambda image: spelled(
        envelope(
            statement(
                image,
                subject=[
                    {"name": "x", "digest": {"sha256": image[7:]}},
                    {"name": "manifest.toml", "digest": {"sha256": "0" * 64}},
                ],
            ),
            STRANGER,
        )
    ),
    "a bundle signature": lambda image: spelled(
        envelope(statement(image, "https://cerro-torre.org/attestation/bundle-signature/v1"), STRANGER)
    ),
    "deep": lambda image: spelled(envelope(b'{"_type":' + b"[" * 100 + b"]" * 100 + b"}", STRANGER)),
    "a lone surrogate": lambda image: spelled(envelope(statement(image), STRANGER, more="x")).replace(b'"x"', b'"\\ud800"'),
}


@pytest.fixture(scope="module")
def refused(layouts, homes, tmp_path_factory):
    """What one packing says of all of NOT_TAKEN together."""
    work = tmp_path_factory.mktemp("refused")
    shutil.copytree(homes / "packer", work, dirs_exist_ok=True)
    with Fake() as server:
        image = push_layout(server, layouts / "single")
        made = {name: act(image) for name, act in NOT_TAKEN.items()}
        for data in made.values():
            attach(server, image, (data, DSSE))
        said = pack(work, server)
    assert said["attached"] == {"taken": 0, "left": len(made)} and lines(work) == []
    return {name: left(said).get(digest(data)) for name, data in made.items()}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_is_no_signed_statement_about_this_image_is_named(refused, name):
    assert refused[name]


@pytest.mark.parametrize("keyid", ["own", "fingerprint"])
def test_a_forged_signature_of_a_known_key_does_not_spoil_the_bundle(fake, work, alice, keyid):
    run(work, "key", "import", "alice.pub", "--trust")
    fingerprint = alice[1]
    predicate = {"fingerprint": fingerprint} if keyid == "fingerprint" else {}
    forged = spelled(envelope(statement(fake.image, predicate=predicate), STRANGER, fingerprint if keyid == "own" else ""))
    attach(fake, fake.image, (forged, DSSE))
    said = pack(work, fake)
    assert "signature-in" in left(said)[digest(forged)]


def test_lists_that_lie(fake, work):
    good = spelled(envelope(statement(fake.image), STRANGER))
    attach(fake, fake.image, (good, DSSE))
    other = artifact(fake, [(good + b" ", DSSE, None)], subject="sha256:" + "1" * 64)
    none = artifact(fake, [(good + b"  ", DSSE, None)])
    listed = fake.attached[fake.image]
    listed += [other, none, listed[0], "text", {"digest": "sha512:00"}, {**other, "digest": "sha256:" + "2" * 64}]
    listed += [{**other, "digest": fake.image, "mediaType": INDEX}, {**other, "digest": "sha256:" + "3" * 64, "size": 1 << 40}]
    # An index that refers to the image, and so to itself, is not followed.
    missing = artifact(fake, [(b"gone", DSSE, None)], subject=fake.image)
    del fake.blobs[digest(b"gone")]
    # Blobs that are larger and smaller than is said.
    sizes = artifact(fake, [(b"larger", DSSE, None), (b"smaller", DSSE, None)], subject=fake.image)
    doc = fake.manifests[sizes["digest"]][0].replace(b'"size": 6', b'"size": 5').replace(b'"size": 7', b'"size": 8')
    fake.manifest(doc, digest(doc))
    # A manifest that no registry should have taken.
    fake.manifest(b"{" + b" " * (5 << 20) + b"}", fake.image.replace(":", "-") + ".sig")
    listed += [missing, {**sizes, "digest": digest(doc)}]
    said = pack(work, fake)
    assert said["attached"]["taken"] == 1
    assert {
        other["digest"],
        none["digest"],
        "sha512:00",
        "None",
        "sha256:" + "2" * 64,
        fake.image,
        "sha256:" + "3" * 64,
        digest(b"gone"),
        digest(b"larger"),
        digest(b"smaller"),
        fake.image.replace(":", "-") + ".sig",
    } == left(said).keys()


def test_a_list_without_end(fake, work):
    entry = {"mediaType": INDEX, "size": 1}
    page = json.dumps(
        {"schemaVersion": 2, "manifests": [{**entry, "digest": "sha256:" + f"{n:064x}"} for n in range(20000)]}
    ).encode()
    fake.answers[r"/v2/a/app/referrers/.*"] = lambda handler: handler.reply(200, page, INDEX, Link='<?again>; rel="next"')
    words = pack(work, fake, status=12)
    assert "does not say what is attached" in words and "more than 256" in words and "--no-attached" in words


def test_more_than_a_record_names(layouts, work):
    with Fake() as server:
        index = push_layout(server, layouts / "multi")
        for subject in (index, *(entry["digest"] for entry in json.loads(server.manifests[index][0])["manifests"])):
            server.attached[subject] = [
                {"mediaType": INDEX, "size": 1, "digest": digest(f"{subject}{n}".encode())} for n in range(255)
            ]
        said = pack(work, server, "--platform", "all")
        count = 255 * len(server.attached)
        assert said["attached"]["left"] == count > 512 and len(said["findings"]) == 513
        assert f"{count - 512} more" in said["findings"][-1]["detail"]


def test_more_than_a_bundle_holds(fake, work):
    layers = [(spelled(envelope(statement(fake.image, predicate={"n": n}), STRANGER)), DSSE) for n in range(250)]
    attach(fake, fake.image, *layers)
    assert pack(work, fake)["attached"] == {"taken": 240, "left": 10}


def _trusted(work, fake, key, **more):
    """An envelope of alice's, whom the packer trusts, as bytes; she signs it as ct-attest does."""
    if not (work / "home" / "trusted" / "alice.pub").exists():
        run(work, "key", "import", "alice.pub", "--trust")
    return envelope(statement(fake.image, **more), *key)


def test_annotations_do_not_push_an_envelope_out(fake, work, alice):
    good = spelled(_trusted(work, fake, alice))
    for number in range(200):
        attach(fake, fake.image, (good, DSSE, {"n": str(number)}))
    attach(fake, fake.image, (good, DSSE, {"large": "x" * (65 << 10)}))
    said = pack(work, fake)
    assert said["attached"] == {"taken": 1, "left": 197}
    assert sum("/blobs/" + digest(good) in path for _, path, _ in fake.seen) == 1
    assert "alice" in attested(work) and len(lines(work)) == 5
    assert {why.partition(" ")[0] for why in left(said).values()} == {"more", "the"}


def test_a_trusted_envelope_comes_before_any_number_of_others(fake, work, alice):
    good = _trusted(work, fake, alice)
    again = [{**good, "signatures": [*good["signatures"], {"sig": base64.b64encode(b"%d" % n).decode()}]} for n in range(120)]
    other = _trusted(work, fake, alice, predicate={"n": "x" * 500})
    junk = [envelope(statement(fake.image, predicate={"n": n}), STRANGER) for n in range(200)]
    for part in (again, junk[:100], junk[100:]):
        attach(fake, fake.image, *((spelled(one), DSSE) for one in part))
    attach(fake, fake.image, (spelled(good), DSSE), (spelled(other), DSSE))
    said = pack(work, fake)
    assert said["attached"] == {"taken": 240, "left": 82}
    payloads = [json.loads(line)["payload"] for line in lines(work)]
    assert good["payload"] in payloads and other["payload"] in payloads
    assert not {digest(spelled(good)), digest(spelled(other))} & left(said).keys()


def test_large_manifests_are_not_let_decide(fake, work, alice):
    good = spelled(_trusted(work, fake, alice))
    for number in range(17):
        attach(fake, fake.image, (good, DSSE, {"large": "x" * (4000 << 10), "n": str(number)}))
    words = pack(work, fake, status=12)
    assert "over 67108864 bytes" in words and "--no-attached" in words


def test_what_strangers_attach_passes_a_pipe(fake, work, alice):
    good = spelled(_trusted(work, fake, alice, predicate={"files": ["x" * 99] * 10000}))
    large, middle = (
        spelled(envelope(statement(fake.image, predicate={"files": ["x" * 99] * count}), STRANGER)) for count in (100000, 30000)
    )
    for one in (good, large, middle):
        attach(fake, fake.image, (one, DSSE, {"n": "1"}))
    said = pack(work, fake)
    assert said["attached"]["taken"] == 1 and left(said).keys() >= {digest(large), digest(middle)}
    assert "pass a pipe" in left(said)[digest(large)]
    piped = subprocess.run(
        [CT, "verify", "-"], input=(work / "x.ctp").read_bytes(), capture_output=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(work / "home"), "CT_HOME": str(work / "home")},
    )  # fmt: skip
    assert piped.returncode == 0, piped.stderr


@pytest.mark.parametrize("where", ["keyid", "predicate"])
def test_a_key_that_the_packer_does_not_have_is_not_claimed(fake, work, alice, where):
    predicate = {"fingerprint": alice[1]} if where == "predicate" else {}
    forged = spelled(envelope(statement(fake.image, predicate=predicate), STRANGER, alice[1] if where == "keyid" else None))
    attach(fake, fake.image, (forged, DSSE))
    said = pack(work, fake)
    assert alice[1] in left(said)[digest(forged)] and "ct key import" in left(said)[digest(forged)]
    run(work, "key", "import", "alice.pub", "--trust")
    run(work, "verify", "x.ctp")


def test_what_a_stranger_says_is_not_reported(fake, work):
    slsa = {
        "buildDefinition": {"buildType": "https://example.org/b", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://evil.example/builder"}},
    }  # fmt: skip
    attach(fake, fake.image, (spelled(envelope(statement(fake.image, "https://slsa.dev/provenance/v1", slsa), STRANGER)), DSSE))
    said = pack(work, fake)
    assert said["attached"]["taken"] == 1 and said["attestations"] == []
    shown = run(work, "pack", f"{fake.host}/a/app:1", "-o", "y.ctp").stdout
    assert "Provenance" not in shown and "evil" not in shown and "Attached:   1" in shown
    (work / "slsa.json").write_text(json.dumps({**slsa, "runDetails": {"builder": {"id": "https://own.example/builder"}}}))
    shown = run(work, "pack", "--provenance", "slsa.json", f"{fake.host}/a/app:1", "-o", "z.ctp").stdout
    assert "own.example" in shown and "evil" not in shown


def test_of_two_signers_the_trusted_one_counts():
    from cerrotorre import dsse, signatures, suites
    from cerrotorre import statement as statements

    manifest = {"name": "a", "version": "1", "image_digest": "sha256:" + "1" * 64}
    payload = statements.about(manifest, SPDX, {})
    keys, made = [], []
    for number in range(2):
        publics = suites.publics("CT-SIG-01", [bytes([number + 1]) * 32])
        (component,) = suites.component_fingerprints("CT-SIG-01", publics)
        key = {
            "key_id": f"k{number}",
            "suite_id": "CT-SIG-01",
            "fingerprint": component,
            "publics": publics,
            "components": [component],
        }
        keys.append(key)
        (raw,) = suites.sign("CT-SIG-01", [bytes([number + 1]) * 32], dsse.pae(dsse.PAYLOAD_TYPE, payload))
        made.append((component, raw))
    for trusted in (0, 1):
        store = [{**key, "origin": "keys" if n == trusted else "known", "trusted": n == trusted} for n, key in enumerate(keys)]
        for order in (made, made[::-1]):
            line = dsse.parse_line(dsse.write(payload, order), 1)[1]
            (found,), _ = signatures.judge([line], [], manifest, "sha256:" + "2" * 64, store)
            assert (found["key_id"], found["status"]) == (f"k{trusted}", "valid")


# -- registries that do not say -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status, what", [(401, "referrers/.*"), (503, "referrers/.*"), (403, r"manifests/.*\.att")])
def test_an_error_is_not_taken_for_nothing(fake, work, status, what):
    fake.answers["/v2/a/app/" + what] = lambda handler: handler.reply(
        status, b'{"errors":[{"code":"DENIED","message":"hunter2"}]}', Retry_After="999"
    )
    words = pack(work, fake, status=12)
    assert "--no-attached" in words and str(status if status != 401 else "credentials") in words and "hunter2" not in words
    assert "attached" not in pack(work, fake, "--no-attached")


@pytest.mark.parametrize("status", [400, 406])
def test_a_registry_without_the_api_is_asked_for_the_tag(fake, work, status):
    fake.answers["/v2/a/app/referrers/.*"] = lambda handler: handler.reply(status, b"<html>", "text/html")
    fake.api = False
    attach(fake, fake.image, (spelled(envelope(statement(fake.image), STRANGER)), DSSE))
    assert pack(work, fake)["attached"] == {"taken": 1, "left": 0}


def test_a_page_for_people_is_no_list(fake, work):
    fake.answers["/v2/a/app/referrers/.*"] = lambda handler: handler.reply(200, b"<html>", "text/html")
    assert pack(work, fake)["attached"] == {"taken": 0, "left": 0}


def test_a_tag_that_is_no_index(fake, work):
    fake.api = False
    fake.manifest(b'{"manifests":7}', fake.image.replace(":", "-"), INDEX)
    assert "is no index" in left(pack(work, fake))[digest(b'{"manifests":7}')]


def test_local_images_have_no_registry(layouts, work):
    said = json.loads(run(work, "pack", "--json", f"oci:{layouts / 'single'}", "-o", "x.ctp").stdout)
    assert "attached" not in said


def test_the_client_is_loaded_only_for_a_registry(layouts, work):
    made = subprocess.run(
        ["python3", "-X", "importtime", BUILD / "bin" / "ct-oci2ctp", f"oci:{layouts / 'single'}"], capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"], "HOME": str(work)},
    )  # fmt: skip
    assert "urllib3" not in made.stderr and "cerrotorre.attached" not in made.stderr


def test_explain_of_another_predicate(fake, work):
    attach(fake, fake.image, (spelled(envelope(statement(fake.image, "https://example.org/review/v1"), STRANGER)), DSSE))
    pack(work, fake)
    assert "https://example.org/review/v1" in attested(work) and SPDX not in attested(work)
