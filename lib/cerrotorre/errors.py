"""Exit statuses, the findings catalogue, and Fail. One table; ct-findings(7), `ct explain FINDING` and the tests derive from it.

A finding is a dict: finding, status, check, summary, context, why, try (spec/verdicts.adoc). Slugs never change meaning.
"""

from cerrotorre.typed import Any

Finding = dict[str, Any]

STATUSES = {
    0: ("ok", "valid; done"),
    1: ("hash-mismatch", "content is not what the signed manifest says"),
    2: ("signature-invalid", "a known key's signature does not verify or is incomplete, or nobody signed"),
    3: ("key-not-trusted", "no counted signature by a trusted key, signer denied, or threshold not met"),
    4: ("policy-rejection", "trusted signers, but another rule of the policy, or --expect, says no"),
    5: ("attestation-missing", "the policy requires an attestation that is absent or does not count"),
    6: ("no", "a question was asked and the answer is no"),
    10: ("malformed", "not a well-formed bundle, image, manifest, policy, key or record"),
    11: ("io-error", "a file cannot be read or written, or changed while it was read"),
    12: ("network-error", "a registry cannot be reached or refuses"),
    13: ("key-locked", "passphrase wrong or missing, no key to sign with, or unsafe permissions"),
    64: ("usage", "the command line is wrong"),
    69: ("unavailable", "a program or backend that is needed is not installed"),
    70: ("internal", "our bug, or the pipeline broke before a verdict"),
    130: ("interrupted", "interrupted"),
}

# The order of checks (spec/verdicts.adoc). "" is no check: the bundle could not be judged, which ranks first.
CHECKS = ("", "structure", "signatures", "trust", "policy", "attestations", "content")

# slug: (status, check, summary, why, try...)
CATALOGUE: dict[str, tuple[Any, ...]] = {
    # -- could not be judged --------------------------------------------------------------------------------------------
    "internal": (70, "", "an internal error", "Something happened that Cerro Torre did not expect. This is a bug in it, not a verdict on the bundle.", "ct -V"),
    "pipeline-broken": (70, "", "the pipeline broke before a verdict", "A stage of the pipeline ended before it had passed on everything. What arrived is not the whole, so no verdict is given."),
    "not-passed": (70, "", "a check that is needed has not been made", "Valid is something said, never something not denied: a stage that must have passed this bundle did not say so."),
    "file-unreadable": (11, "", "a file cannot be read", "The operating system refused or the file is not there."),
    "file-unwritable": (11, "", "a file cannot be written", "The operating system refused, or the disk is full. No partial file was left."),
    "file-changed": (11, "", "a file changed while it was read", "Its identity (device, inode, size, times) is not what it was when reading began, so nothing that was learnt of it holds."),
    "not-a-file": (11, "", "not a regular file", "Only regular files and pipes are read, and only regular files are replaced; a directory, device or socket is refused."),
    "network": (12, "", "a registry or store cannot be reached or refuses", "It did not give what was asked for, or did not take what was sent. Its own words are above."),
    "image-unavailable": (11, "", "the image could not be had from there", "skopeo, which reads Docker archives, Docker daemons and container storages, did not give the image. Its own words are above."),
    "attachments-unknown": (12, "", "a registry does not say what is attached to the image", "Signed statements that are attached to an image in its registry may be what its users judge it by. An error is not taken for their absence.", "ct pack … --no-attached"),
    "decision-unkept": (11, "", "the decision cannot be kept", "It was to be kept in an audit log, and a decision that nothing will show is not told as a good one."),
    "audit-broken": (10, "", "the audit log is not whole", "A decision or what it was made from was altered, removed, moved or put in. What such a log says is no evidence."),
    "audit-differs": (6, "", "a verdict does not come out again", "From what was recorded another outcome follows: the decision was edited, or made by a version with other rules."),
    "audit-head": (6, "", "a decision that was noted is not in the audit log", "The last decisions were removed, or this is another log."),
    "tool-missing": (69, "", "a program that is needed is not installed", "This step is done by another program, which was not found."),
    # -- usage ---------------------------------------------------------------------------------------------------------
    "usage": (64, "", "the command line is wrong", "The options or operands do not fit the synopsis."),
    "binary-to-terminal": (64, "", "a bundle is not written to a terminal", "The output would be binary.", "redirect it, or use -o FILE"),
    # -- records -------------------------------------------------------------------------------------------------------
    "record-malformed": (10, "structure", "not a record stream", "A line that arrived is not a record this tool knows, or is not strict JSON."),
    "record-inconsistent": (10, "structure", "the record contradicts its own manifest", "What a record says of a bundle must follow from the manifest bytes it carries. This one was altered on the way or made by hand."),
    # -- structure -----------------------------------------------------------------------------------------------------
    "tar-header": (10, "structure", "a tar header is not exactly as it must be", "Every header byte of a bundle is determined. A header that differs was damaged or made by another program."),
    "tar-members": (10, "structure", "the member list is not exactly as it must be", "The manifest determines which members a bundle has and in what order: none may be missing, extra, repeated or moved."),
    "tar-padding": (10, "structure", "padding is not zero", "The bytes between a member's end and the next header must be zero."),
    "truncated": (10, "structure", "the bundle ends too early", "Bytes are missing at the end: the copy or download was cut short.", "fetch or copy the bundle again"),
    "trailing-bytes": (10, "structure", "bytes follow the end of the bundle", "Nothing may follow the two zero blocks that end a bundle."),
    "not-a-bundle": (10, "structure", "not a bundle", "The first member of a .ctp is manifest.toml. This is some other file, or a damaged one."),
    "too-large": (10, "structure", "a member exceeds its limit", "Each part of a bundle that is read into memory has a stated limit."),
    "stream-too-large": (10, "structure", "too large to be judged on a pipe", "On a pipe the attestations must fit one record. In a file there is no such limit.", "save it to a file first"),
    "unsupported-version": (10, "structure", "made for a version this program does not know", "The manifest names a version, a kind or a key that this program cannot judge; ignoring it could turn a refusal into an acceptance.", "ct -V"),
    "manifest-malformed": (10, "structure", "the manifest is not as it must be", "A key is missing, or a value is not of its type or grammar."),
    "manifest-not-canonical": (10, "structure", "the manifest is not in canonical form", "A manifest in a bundle is in its one canonical spelling. A different spelling was not written by Cerro Torre."),
    "attestations-malformed": (10, "structure", "attestations.jsonl is not as it must be", "Each line is one canonical JSON object: a DSSE envelope or evidence about one."),
    # -- canonical form ------------------------------------------------------------------------------------------------
    "canon-too-large": (10, "structure", "the manifest exceeds 4 MiB", "A manifest, as it is written and in canonical form, has at most 4 MiB."),
    "canon-not-utf8": (10, "structure", "not UTF-8", "TOML is UTF-8. These bytes are another encoding, or damaged."),
    "canon-bom": (10, "structure", "a byte order mark", "The file begins with U+FEFF. Canonical text has none, so it is not dropped in silence."),
    "canon-syntax": (10, "structure", "not TOML", "The text is not TOML 1.0."),
    "canon-duplicate-key": (10, "structure", "a key is defined twice", "One parser would take the first value and another the last, so TOML forbids it."),
    "canon-key-parts": (10, "structure", "a dotted key has more than 16 parts", "Parsers may take quadratic time for long dotted keys, so their length has a limit."),
    "canon-nesting": (10, "structure", "nested deeper than 16", "Tables and arrays may lie at most 16 deep. An element of an array of tables is two deeper than the table that holds the array."),
    "canon-empty-key": (10, "structure", "an empty key", 'A key "" is legal TOML, but nothing can be said about it, so it is refused.'),
    "canon-control-character": (10, "structure", "a control character", "Of the C0 and C1 controls only tab and line feed are allowed, written plainly or escaped. The others change what a terminal shows."),
    "canon-bad-unicode": (10, "structure", "a code point that is not allowed", "Surrogates, line separators, U+FEFF, bidirectional controls, private use, non-characters and what Unicode 14.0 does not assign are refused: they mean different things to different readers."),
    "canon-not-nfc": (10, "structure", "text is not in Unicode normal form C", "Two spellings that look the same would give two digests. Text is refused, never changed, so write it in NFC."),
    "canon-integer-range": (10, "structure", "an integer is out of range", "Integers lie within -9223372036854775808 and 9223372036854775807."),
    "canon-float": (10, "structure", "a floating-point number", "A float has no one spelling in which every language writes it. Use an integer in a smaller unit, or a string."),
    "canon-local-time": (10, "structure", "a time without an offset", "A local time means another moment in every time zone. Write an offset or Z, or only the date."),
    "canon-date-range": (10, "structure", "a date is out of range", "The day does not exist, or the time, taken to UTC, leaves the years 0001 to 9999."),
    "canon-mixed-array": (10, "structure", "an array mixes tables and other values", "An array is either of tables only, and becomes [[headers]], or holds no table at any depth."),
    "canon-value": (10, "structure", "a value that TOML cannot hold", "A manifest in a record holds strings, integers, booleans, arrays and tables; a date is {\"toml\": its canonical text}, and a table whose only key is `toml` is {\"toml\": {\"table\": …}}."),
    "canon-different": (6, "", "not in canonical form", "The text is TOML that can be canonicalised, and is not what that gives.", "ct-canon FILE"),
    # -- documents to attach -------------------------------------------------------------------------------------------
    "predicate-format": (10, "", "the document has another format", "A bill of materials is SPDX 2.3 as JSON, provenance SLSA Provenance v1 as JSON; each bare, or in an in-toto Statement v1."),
    "predicate-malformed": (10, "", "the document is not valid by its schema", "Only a document that is strict JSON and valid by its published schema is signed: no policy would count another."),
    "predicate-subject": (10, "", "the document is a statement about another image", "None of its subjects has the digest of the image. Of a multi-platform image each platform has a digest of its own.", "ct pack --platform P, or all"),
    # -- OCI -----------------------------------------------------------------------------------------------------------
    "oci-layout": (10, "structure", "not an OCI image layout", "A layout is a directory with oci-layout, index.json and blobs/."),
    "oci-no-such-image": (10, "structure", "no such image there", "No image of the layout or archive carries that name. A layout's names are those in its index.json; a Docker archive's are full ones, docker.io/library/app:latest for app.", "name one of those listed"),
    "oci-ambiguous": (10, "structure", "the layout holds several images", "Without a tag it is not said which one is meant.", "add :TAG, one of those listed"),
    "oci-json": (10, "structure", "a document of the image is not strict JSON", "Image documents are read strictly: two readers of a sloppy one could see two images."),
    "oci-manifest": (10, "structure", "a document of the image is not as it must be", "The OCI image specification fixes its members and their types."),
    "oci-both-kinds": (10, "structure", "a document is both an index and a manifest", "A document with both `manifests` and `layers` or `config` means one image to one reader and another to the next (CVE-2021-41190)."),
    "oci-digest": (10, "structure", "a digest is not lowercase sha256", "Only sha256 with 64 lowercase hexadecimal digits is accepted."),
    "oci-media-type": (10, "structure", "a media type contradicts its descriptor", "The mediaType inside the document and the one in the descriptor that names it must agree."),
    "oci-data": (10, "structure", "embedded data differs from the blob", "A descriptor's `data` must be the very bytes its digest names."),
    "oci-blob-absent": (10, "structure", "a blob of the image is absent", "The image names it but the source does not hold it. `urls` are never followed."),
    "oci-size": (10, "structure", "a blob is not as long as its descriptor says", "Size and digest of a descriptor must both hold."),
    "oci-platform": (10, "structure", "the image is not there for that platform", "An index must name an image for the platform that was asked for, and a single image must be for it.", "--platform one of those listed, or all"),
    "oci-artifact": (10, "structure", "not a container image", "The manifest has an artifact's config, not an image's."),
    "oci-too-large": (10, "structure", "the image's documents exceed the limit", "Documents of an image are held in memory to be checked, so they have a limit."),
    "platform-repeated": (0, "structure", "several images for one platform", "The index names more than one image for the platform. As podman does, the first is taken.", "skopeo inspect --raw", "ct pack NAME@DIGEST"),
    "mirrored": (0, "structure", "a mirror answered", "config.toml names a mirror for this reference, and the bundle says that its image came from there."),
    "attachment-left-behind": (0, "structure", "an attachment is left behind", "It is attached to the image in its registry, and is not in the bundle: only signed statements about this very image are taken along."),
    "metadata-left-out": (0, "structure", "metadata is left out", "An annotation or label of the image holds what a canonical manifest may not."),
    "reference": (64, "", "not an image reference", "A reference is [HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST] in the registry grammar. What lies here begins with its transport: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], dir:DIR, docker-daemon:NAME, containers-storage:NAME."),
    # -- signatures ----------------------------------------------------------------------------------------------------
    "unsigned": (2, "signatures", "nobody signed", "The bundle carries no bundle signature.", "ct sign FILE -k KEY"),
    "signature-invalid": (2, "signatures", "signature invalid", "The signature names a key in your store, and does not verify under it: the envelope or the manifest was altered, or it was never made by that key."),
    "signature-incomplete": (2, "signatures", "a signature of the key's suite is missing", "A suite's signatures are all required. Half a suite is no signature."),
    "keyid-mismatch": (2, "signatures", "a signature names another key than the one that made it", "It verifies under a key in your store, but its keyid does not say so: the envelope was altered."),
    "subject-mismatch": (2, "signatures", "a genuine signature over something else", "The signature verifies, but what it signs is not this manifest or this image. It was moved here from another bundle."),
    "statement-malformed": (2, "signatures", "a genuine signature over a malformed statement", "The key made this signature, but the statement is not as the specification requires, so it cannot count."),
    "attestation-removed": (2, "signatures", "an attestation the signer saw is gone", "The signature lists the lines that were there when it was made; one of them no longer is."),
    "key-ambiguous": (0, "signatures", "a key occurs twice in the store and is unusable", "An id, a key or a component that occurs twice makes every holder unusable: it is not said which one is meant.", "ct key list"),
    "key-unreadable": (0, "signatures", "a key file in the store is unusable", "It is not a well-formed public key file, so it is passed over."),
    # -- trust ---------------------------------------------------------------------------------------------------------
    "signer-unknown": (3, "trust", "signed by nobody you know", "No signature was made by a key in your store.", "ct explain FILE --signers", "ct key import KEY.pub --trust"),
    "signer-untrusted": (3, "trust", "key not trusted", "The signature is genuine, but no rule of your policy admits this key.", "ct explain FILE --signers", "ct policy add-signer --policy POLICY SIGNER"),
    "signer-denied": (3, "trust", "signer denied", "The policy denies this key."),
    "signer-required": (3, "trust", "a required signer is missing", "The policy requires a signature that admits this entry, and none counts."),
    "threshold": (3, "trust", "too few signers", "The policy asks for more distinct signers than have counted signatures.", "ct explain FILE --signers"),
    # -- policy --------------------------------------------------------------------------------------------------------
    "signature-expired": (4, "policy", "the signature has expired", "The signer set an end to it, and that time has passed."),
    "key-expired": (4, "policy", "the key had expired when it signed", "The signature's own time is after the key's expiry."),
    "signature-too-old": (4, "policy", "the signature is too old for the policy", "The policy limits a signature's age; an older one is not counted."),
    "signature-in-future": (4, "policy", "the signature is dated in the future", "The signing time is later than now by more than the clock skew the policy tolerates. One of the clocks is wrong."),
    "suite-not-allowed": (4, "policy", "the suite is not allowed", "The policy allows other signature suites, so this signature is not counted."),
    "registry-not-allowed": (4, "policy", "the registry is not allowed", "No pattern of the policy admits where this image came from."),
    "registry-blocked": (4, "policy", "the registry is blocked", "The policy blocks where this image came from."),
    "base-image-not-allowed": (4, "policy", "the base image is not allowed", "No pattern of the policy admits the base image, or the image does not name one."),
    "pin-mismatch": (4, "policy", "not the pinned digest", "The policy pins this name to a digest, and the bundle has another."),
    "pin-signer-missing": (4, "policy", "a pinned signer is missing", "The policy pins this name to signers that must all have signed."),
    "unpinned": (4, "policy", "no pin names this bundle", "The policy refuses whatever it does not pin."),
    "minimum-not-met": (4, "policy", "older than the policy's minimum", "The policy refuses signatures of this name made before a date (rollback protection)."),
    "not-expected": (4, "policy", "not the bundle that was asked for", "It may be valid, but --expect names another."),
    "policy-malformed": (10, "", "the policy is not well-formed", "A typo in a trust policy must be an error, never a rule that silently does nothing.", "ct policy check POLICY"),
    "policy-unreadable": (11, "", "the policy cannot be read", "A policy that was named and is missing, or cannot be read, is never taken for no policy.", "ct policy init --policy POLICY"),
    "policy-exists": (64, "", "there is a policy already", "A policy is never overwritten: its rules would be lost without a word.", "ct policy show", "ct policy add-signer ID"),
    "rule-not-found": (6, "", "the policy has no such rule", "What was to be removed is not there, or is spelled otherwise. The policy is as it was.", "ct policy show"),
    # -- attestations --------------------------------------------------------------------------------------------------
    "attestation-missing": (5, "attestations", "a required attestation is missing", "The policy requires it and it is absent or does not count."),
    # -- content -------------------------------------------------------------------------------------------------------
    "hash-mismatch": (1, "content", "hash mismatch", "The blob's bytes are not those the signed manifest names. They were damaged or replaced.", "fetch or copy the bundle again"),
    "derived-mismatch": (1, "content", "a derived member differs", "This member is determined by the manifest, and its bytes are not what the manifest gives."),
    "image-mismatch": (10, "content", "the manifest contradicts the image's own documents", "What the manifest says of the image must be what the image's own documents say."),
    # -- keys ----------------------------------------------------------------------------------------------------------
    "no-signing-key": (13, "", "no key to sign with", "No key was named and there is no default key.", "ct keygen", "ct key default ID"),
    "key-not-found": (13, "", "no such key", "There is no key of that id in the store, or no key file of that name.", "ct key list"),
    "key-locked": (13, "", "the private key cannot be opened", "The passphrase is wrong, or the file was altered."),
    "signer-failed": (13, "", "the signing command did not sign", "The command of --exec gets the bytes to sign on its standard input. It must write the raw signature by the key, and nothing else, to its standard output, and exit with 0."),
    "passphrase-missing": (13, "", "no passphrase", "The key is encrypted and there is no terminal to ask at.", "--passphrase-file F, --passphrase-fd N or CT_PASSPHRASE_FILE"),
    "store-unsafe": (13, "", "the key store is not safe", "Its directories and files must belong to you or root and be writable by nobody else, and a private key must be readable by nobody else either.", "chmod go-w PATH", "chmod 600 KEY.key"),
    "key-malformed": (10, "", "not a well-formed key", "The file is not a key in any form that is accepted."),
    "key-exists": (13, "", "there is such a key, or a file of that name, already", "A key file is never overwritten, and no key is taken in twice.", "ct key list", "choose another name, unless it is this very key"),
    "suite-unknown": (64, "", "no such suite", "The suite is not one this program has.", "man ct-keygen"),
    "suite-unavailable": (69, "", "the suite has no backend here", "The suite is in the registry, but this installation cannot make or check one of its signatures."),
    "passphrase-refused": (13, "", "the passphrase is not accepted", "It is empty or too long, or what was typed the second time differs. Nothing was written."),
    "already-signed": (64, "", "already signed by this key", "The bundle carries a signature by this key.", "ct sign FILE -k ANOTHER", "ct re-sign FILE -k SIGNER"),
    "already-attested": (64, "", "this very statement is there already", "The same key has signed the same document about this image. Once is enough.", "ct explain FILE"),
    "signing-key-expired": (13, "", "the key that is to sign has expired", "A signature made after the key's expiry counts nowhere, so none is made.", "ct key rotate ID", "ct key expires ID DATE"),
    "key-expiring": (0, "", "the key expires soon", "What it signs until then goes on counting; what is signed after that will not.", "ct key rotate SIGNER"),
    "key-superseded": (0, "", "the key was rotated into another", "Both count as one signer. The new key is meant to sign from now on.", "ct key show SIGNER"),
    "key-rotated": (13, "", "the key cannot be rotated into that one", "A key is rotated once, into one key, and never in a circle: what counts as one signer must be plain.", "ct key show ID"),
    "rotation-malformed": (10, "", "not a well-formed rotation", "A rotation is one line: an envelope around the statement in which a key names the one that takes over."),
    "rotation-invalid": (2, "signatures", "the rotation is not signed as it must be", "Both keys must have made every signature of their suites over the statement, and it must name these two keys."),
    "key-unreachable": (12, "", "the key cannot be fetched", "Its server gave no answer, refused, or led away from TLS."),
    "fingerprint-mismatch": (3, "", "not the key whose fingerprint was given", "The file holds another key than the one that was asked for. Somebody may have replaced it."),
    "vouch-malformed": (10, "", "not an OpenPGP signature, or not a keyring", "The one file must be a detached signature over the key file, the other public keys in OpenPGP's format."),
    "vouch-invalid": (2, "signatures", "the OpenPGP signature does not verify", "A key of the keyring is said to have signed this file, and did not: the key file or the signature was altered."),
    "vouch-untrusted": (3, "", "nobody in the keyring vouches for the key", "A signature counts if a key of the keyring made it, and neither that key nor the signature has expired or was revoked."),
    # -- moving --------------------------------------------------------------------------------------------------------
    "destination-exists": (11, "", "something else is there already", "What is there has the name that is wanted, and is something else. It was left as it is.", "--force replaces it"),
    "no-bundle": (12, "", "there is no bundle there", "The registry has the image and lists no bundle for it, or the git repository has none of that name.", "ct fetch --create REF -o NEW.ctp", "ct pack REF -o NEW.ctp"),
    "bundle-ambiguous": (10, "", "more than one bundle may be meant", "Exactly one must pass, and one that cannot be judged might.", "ct fetch --bundle DIGEST REF -o NEW.ctp"),
    "bundle-manifest": (10, "structure", "what is attached to the image as a bundle is not one", "A bundle's manifest in a registry names the image as its subject and has three layers: manifest.toml, summary.json and attestations.jsonl of a bundle of that very image."),
    "blob-unreachable": (12, "", "a blob of the bundle cannot be had", "The manifest names it, and it is not in the registry where it should lie. Of a bundle in git that is where the image came from."),
    "not-arrived": (12, "", "what was sent is not there as it was sent", "The push went through, and reading it back did not find it. It was not called done."),
    # -- archives, root file systems, runtimes ---------------------------------------------------------------------------
    "export-malformed": (10, "structure", "not a well-formed archive of bundles", "An archive that ct export made begins with ct-export.json, and every member of it has one place.", "ct export -o ARCHIVE FILE"),
    "list-malformed": (10, "", "the list of bundles is not well-formed", "A line is a path or a reference; a YAML file is one of Kubernetes or compose."),
    "part-missing": (11, "", "a part of the archive is missing", "Bundles that have a blob in it cannot be imported; the others are.", "ct import ARCHIVE"),
    "part-damaged": (10, "structure", "a part of the archive is damaged", "What it should hold there is not what it holds. Bundles that need it cannot be imported; the others are.", "copy the part again, then ct import ARCHIVE"),
    "layer-malformed": (10, "content", "a layer is not a well-formed archive", "Its digest is right, so it was made that way: it cannot be taken apart as the OCI image specification says."),
    "layer-unsafe": (10, "content", "a layer would write outside of the root file system", "An entry, a link or a whiteout leads out of it, or through something that is no directory. Nothing was written."),
    "diff-id-mismatch": (10, "content", "a layer does not unpack to what the image says", "The layer has its digest, and what it unpacks to does not have the diff_id of the image's configuration."),
    "rootfs-mapped": (0, "", "the root file system has less than the image", "Only root can make devices, give files away and set all their attributes. As anybody else everything is the caller's, devices are empty files, and owners are kept in the attribute user.rootlesscontainers.", "sudo ct unpack --rootfs -o DIR FILE"),
    "image-not-loaded": (11, "", "the runtime does not have the image as it was verified", "It did not load what it was given, or what it loaded has another id. Nothing was started."),
    "gateway-refused": (12, "", "the gateway did not take the image", "Its own words are above. Nothing is known to run."),
    "gateway-denied": (4, "", "the gateway's policy denies the image", "It may be valid here; the gatekeeper's policy of Svalinn has the last word there."),
    "log-entries-missing": (5, "attestations", "too few entries of a transparency log", "The gateway wants entries of logs in which the statements are included, the bundle has fewer, and none is invented."),
    "setting-doubtful": (0, "", "a setting is likely not meant as it is", "It is valid, and what it names is not there, or it allows more than is likely meant.", "ct config show"),
    "config-malformed": (10, "", "config.toml is not as it must be", "An unknown or mistyped setting is an error, never one that silently does nothing.", "ct config check"),
}  # fmt: skip


class Fail(Exception):
    """Something failed, and the catalogue has a name for it. `finding` is the whole finding."""

    def __init__(self, slug: str, detail: str = "", /, **context: Any) -> None:
        self.finding = finding(slug, detail, **context)
        super().__init__(detail or self.finding["summary"])

    def proposing(self, *tries: str) -> "Fail":
        """The same with other commands to try than the catalogue's: those that hold for what happened here."""
        self.finding["try"] = list(tries)
        return self


def finding(slug: str, detail: str = "", /, **context: Any) -> Finding:
    """Make a finding of the catalogue. `detail` says what exactly; `context` values are shown by name, in order."""
    status, check, summary, why, *tries = CATALOGUE[slug]
    made: Finding = {"finding": slug, "status": status, "check": check, "summary": summary}
    if detail:
        made["detail"] = detail
    made["context"] = {name.replace("_", " "): value for name, value in context.items() if value is not None}
    made["why"] = why
    made["try"] = tries
    return made


def rank(made: Finding) -> tuple[int, int]:
    """Sort key: the finding that decides the exit status comes first (spec/verdicts.adoc, "Order of checks")."""
    check = made.get("check", "")
    position = CHECKS.index(check) if check in CHECKS else 0
    return (position, SEVERITY.index(made["status"]))


def stops(made: Finding, check: str) -> bool:
    """Whether a finding ends the judging before `check`: one of an earlier check, of the same, or of none."""
    return made["status"] != 0 and CHECKS.index(made.get("check", "")) <= CHECKS.index(check)


def verdict(findings: list[Finding]) -> Finding | None:
    """The finding that decides, or None if nothing failed."""
    failed = [made for made in findings if made["status"] != 0]
    return min(failed, key=rank) if failed else None


# The order in which several bundles' statuses are ranked: those that could not be judged, then by the order of checks.
SEVERITY = (70, 130, 69, 64, 13, 12, 11, 10, 2, 3, 4, 5, 1, 6, 0)


def worst(statuses: list[int]) -> int:
    """The one exit status for several bundles."""
    return min(statuses, key=SEVERITY.index, default=0)
