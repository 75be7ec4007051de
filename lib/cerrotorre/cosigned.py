"""An image signed for those who check cosign's signatures, in both forms that they look for (spec/moving.adoc, "For podman and cosign").

The older is a manifest under the tag `sha256-HEX.sig`, whose layers are payloads ("simple signing") with their signatures; podman
reads that one. The newer is a Sigstore bundle that refers to the image. Ed25519 is pure in both, never prehashed: decision 0037.
"""

import time
from collections.abc import Callable, Mapping

from cerrotorre import b64, dsse, foreign, jsonic, keystore, oci, referrers, referrertag, signing, suites
from cerrotorre.digest import sha256
from cerrotorre.distribution import Conflict, Repository
from cerrotorre.errors import Fail, Finding
from cerrotorre.statement import STATEMENT
from cerrotorre.typed import Any

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_TYPE = "https://sigstore.dev/cosign/sign/v1"
SIGNATURE = "dev.cosignproject.cosign/signature"
ANNOTATIONS = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": PREDICATE_TYPE}
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
EMPTY, EMPTY_TYPE = b"{}", "application/vnd.oci.empty.v1+json"
SUITE = "CT-SIG-01"
# The most signatures under one tag that others are expected to read.
MOST = 1024
LISTED = 16_384
# Seconds after which a list that is late is asked for again.
LATE = (0.1, 0.2, 0.4, 0.8)
_YEAR_ONE = "0001-01-01T00:00:00Z"

Sign = Callable[[bytes], bytes]


class Signer:
    """Who signs: `sign` makes a raw signature over a message, `public` is the DER of the SubjectPublicKeyInfo that it verifies with."""

    def __init__(self, sign: Sign, public: bytes, notes: list[Finding] | None = None) -> None:
        self.sign, self.public, self.notes = sign, public, notes or []


def signer(options: Mapping[str, str]) -> Signer:
    """The key of `-k`, or the default key, opened as ct-sign opens it: "k", "passphrase-file" and "passphrase-fd" where they were
    given, and "at", the time that is taken for now.

    Raises Fail usage if it is of a suite that others do not know, signing-key-expired, and what keystore.signing_key raises.
    """
    from cerrotorre import config, locked, passphrase

    named = options.get("k") or config.default_key() or keystore.default_id()
    _need_known(keystore.pair(named)[0])
    locked.protect()

    def secret() -> bytearray:
        return passphrase.obtain(
            options.get("passphrase-fd"), options.get("passphrase-file"), prompt=f"Passphrase for {named}: "
        )

    key = keystore.signing_key(named, secret)
    notes = keystore.check_current(key, options["at"])
    (algorithm,) = suites.components(SUITE)
    return Signer(lambda message: signing.signatures(key, message)[0], suites.spki(algorithm, key["publics"][0]), notes)


def _need_known(key: Mapping[str, Any]) -> None:
    """Before a passphrase is asked for."""
    if key["suite_id"] == SUITE:
        return
    raise Fail(
        "usage",
        f"--cosign: {key['key_id']} is of suite {key['suite_id']}, which neither cosign nor podman can check",
        Signer=key["key_id"],
        Expected=SUITE,
        Actual=key["suite_id"],
    ).proposing(f"ct key generate --suite {SUITE} --id ANOTHER", f"ct push FILE DEST --cosign -k ANOTHER-OF-{SUITE}")


def attach(repository: Repository, image: oci.Descriptor, by: Signer) -> str:
    """Sign the image that `image` describes in both forms, and read them back: the digest of the bundle's manifest.

    Raises Fail network; destination-exists if the tag of signatures names something else; not-arrived.
    """
    text = payload(f"{repository.host}/{repository.path}", image["digest"])
    _send(repository, text)
    layer = _layer(text, b64.encode(by.sign(text)))
    add(repository, tag_of(image["digest"]), layer)
    document = bundle(image["digest"], by)
    data = manifest(image, document)
    for one in (EMPTY, document):
        _send(repository, one)
    _refer(repository, image["digest"], data)
    _read_back(repository, image["digest"], {sha256(text): text, sha256(document): document}, data)
    return sha256(data)


def tag_of(digest: str) -> str:
    """The tag under which cosign's signatures of a digest lie (cosign, SIGNATURE_SPEC.md, "Tag-based Discovery")."""
    return referrers.tag_of(digest) + ".sig"


def payload(repository: str, digest: str) -> bytes:
    """What the older form signs: "simple signing", `docker-reference` without tag and digest, as cosign writes it."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return jsonic.canonical({"critical": critical, "optional": None})


def _layer(text: bytes, signature: str) -> oci.Descriptor:
    return {
        "mediaType": foreign.SIMPLE_SIGNING,
        "size": len(text),
        "digest": sha256(text),
        "annotations": {SIGNATURE: signature},
    }


def bundle(digest: str, by: Signer) -> bytes:
    """The newer form: a Sigstore bundle, its DSSE envelope over a statement about the image, with no entry of a transparency log."""
    about = {
        "_type": STATEMENT,
        "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {},
    }
    statement = jsonic.canonical(about)
    signature = by.sign(dsse.pae(dsse.PAYLOAD_TYPE, statement))
    envelope = {
        "payload": b64.encode(statement),
        "payloadType": dsse.PAYLOAD_TYPE,
        "signatures": [{"sig": b64.encode(signature)}],
    }
    # sigstore-go and cosign name a key by the base64 of its SubjectPublicKeyInfo's SHA-256.
    hint = b64.encode(bytes.fromhex(sha256(by.public).removeprefix("sha256:")))
    value = {"mediaType": BUNDLE_TYPE, "verificationMaterial": {"publicKey": {"hint": hint}}, "dsseEnvelope": envelope}
    return jsonic.canonical(value)


def manifest(image: oci.Descriptor, document: bytes) -> bytes:
    """The manifest by which a Sigstore bundle refers to an image: cosign's, without the time of its making."""
    return jsonic.canonical(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "artifactType": BUNDLE_TYPE,
            "config": {"mediaType": EMPTY_TYPE, "digest": sha256(EMPTY), "size": len(EMPTY)},
            "layers": [{"mediaType": BUNDLE_TYPE, "digest": sha256(document), "size": len(document)}],
            "subject": image,
            "annotations": ANNOTATIONS,
        }
    )


def add(repository: Repository, tag: str, layer: oci.Descriptor) -> None:
    """Put a signature beside those under the tag, which stay as they are; nothing is written if it is there.

    Raises Fail network; destination-exists if the tag names something else; not-arrived if others undo it each time.
    """
    conditional, before = True, None
    for _ in range(referrertag.TRIES):
        begun = time.monotonic()
        held = repository.described(tag)
        made: oci.Document = (
            _signatures(held[0], tag) if held else {"schemaVersion": 2, "mediaType": oci.OCI_MANIFEST, "layers": []}
        )
        if any(_same(one, layer) for one in made["layers"]):
            return
        if len(made["layers"]) >= MOST:
            raise Fail("destination-exists", f"the tag {tag} has {len(made['layers'])} signatures already", Limit=MOST)
        layers = [*made["layers"], layer]
        config = _config(layers)
        _send(repository, config)
        described = {"mediaType": CONFIG_TYPE, "size": len(config), "digest": sha256(config)}
        data = jsonic.canonical({**made, "config": described, "layers": layers})
        if held and held[0] == before:
            # As for the referrers tag: refused though nobody changed it.
            conditional = False
        condition = {"If-Match": held[1].get("etag") or f'"{sha256(held[0])}"'} if held else {"If-None-Match": "*"}
        try:
            repository.put_manifest(tag, data, oci.OCI_MANIFEST, headers=condition if conditional else None)
        except Conflict:
            before = held and held[0]
            time.sleep(referrertag.PAUSE)
            continue
        before = None
        took = referrertag.LONGER * (time.monotonic() - begun)
        time.sleep(min(max(referrertag.PAUSE, took), referrertag.MOST_PAUSE))
    raise Fail("not-arrived", f"{tag} was changed by others each time", Registry=repository.host)


def _signatures(data: bytes, tag: str) -> oci.Document:
    """The manifest under the tag, of which every layer is kept."""
    try:
        return oci.read_manifest(data, oci.OCI_MANIFEST, tag)
    except Fail as fail:
        raise Fail(
            "destination-exists", f"the tag {tag} names something that holds no signatures: {fail}", Actual=sha256(data)
        ).proposing(f"delete the tag {tag}, which is reserved for cosign's signatures of the image") from None


def _same(one: Any, layer: oci.Descriptor) -> bool:
    """Ed25519 signs the same message the same way each time."""
    if one.get("digest") != layer["digest"]:
        return False
    annotations = one.get("annotations")
    return isinstance(annotations, dict) and annotations.get(SIGNATURE) == layer["annotations"][SIGNATURE]


def _config(layers: list[oci.Descriptor]) -> bytes:
    """An image's configuration, as cosign writes one: payloads are not compressed, so a layer's digest is its diff id."""
    return jsonic.canonical(
        {
            "architecture": "",
            "config": {},
            "created": _YEAR_ONE,
            "history": [{"created": _YEAR_ONE} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
    )


def _send(repository: Repository, data: bytes) -> None:
    if repository.blob_size(sha256(data)) != len(data):
        repository.upload(sha256(data), len(data), lambda: iter([data]))


def _refer(repository: Repository, subject: str, data: bytes) -> None:
    digest = sha256(data)
    answer = repository.put_manifest(digest, data, oci.OCI_MANIFEST)
    if answer.get("oci-subject") == subject or _is_listed(repository, subject, digest):
        return
    entry = {"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": len(data)}
    referrertag.add(repository, subject, {**entry, "artifactType": BUNDLE_TYPE, "annotations": ANNOTATIONS})


def _is_listed(repository: Repository, subject: str, digest: str) -> bool:
    answer = repository.referrers(subject, LISTED)
    return answer is not None and digest in [one.get("digest") for one in answer[0] if isinstance(one, dict)]


def _read_back(repository: Repository, subject: str, blobs: Mapping[str, bytes], data: bytes) -> None:
    """What was written is there, and found by who looks for it. Raises Fail not-arrived."""
    where = f"{repository.host}/{repository.path}"
    for digest, sent in blobs.items():
        if repository.blob(digest, len(sent)) != sent:
            raise Fail("not-arrived", "a signature for cosign is not there", Repository=where, Expected=digest)
    if repository.manifest(sha256(data)) != data:
        raise Fail("not-arrived", "the Sigstore bundle's manifest is not there", Repository=where, Expected=sha256(data))
    for pause in (*LATE, None):
        if _is_listed(repository, subject, sha256(data)) or referrertag.holds(repository, subject, sha256(data)):
            return
        if pause is not None:
            time.sleep(pause)
    raise Fail("not-arrived", "the Sigstore bundle is not in the list of what refers to the image", Repository=where)
