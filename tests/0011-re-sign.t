#!/bin/sh
# ct re-sign: a genuine bundle gets a new signature in place of the old ones, and nothing else in it changes.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
for key in old new other; do ct keygen --no-password --id $key >/dev/null; done
keys=$HOME/.config/cerro/keys
python3 -B "$tests/predicates.py" sbom >s.json
python3 -B "$tests/predicates.py" provenance >p.json
python3 -B "$tests/predicates.py" sbom 400 >large.json
export SOURCE_DATE_EPOCH=1779000000
ct pack --no-sign oci:image -q -o unsigned.ctp
ct pack -k old --sbom s.json oci:image -q -o old.ctp
# lines BUNDLE: its attestation lines that are no signature on the bundle.
lines() {
	tar -xOf "$1" attestations.jsonl | python3 -c '
import base64, json, sys
for line in sys.stdin.buffer:
    payload = json.loads(line).get("payload")
    if not payload or b"bundle-signature/v1" not in base64.b64decode(payload):
        sys.stdout.buffer.write(line)'
}
# unchanged BEFORE AFTER: every member but attestations.jsonl, and every line that is no signature.
unchanged() {
	rm -rf x y && mkdir x y && tar -xf "$1" -C x && tar -xf "$2" -C y && lines "$1" >x/attestations.jsonl && lines "$2" >y/attestations.jsonl
	yes "the same but for its signatures: $1 $2" diff -r x y
	rm -rf x y
}

# A new key in place of the old.
cp old.ctp a.ctp && chmod 640 a.ctp
export SOURCE_DATE_EPOCH=1779000060
is 0 'in place' ct re-sign -k new a.ctp
has '✓ Re-signed image:1.0 → a.ctp'
has 'Signed by:  new '
has "Replaces:   old  (CT-SIG-01)  $(sed -n 's/^Fingerprint: //p' "$keys/old.pub")  2026-05-17T06:40:00Z"
hasnt 'Dropped'
unchanged old.ctp a.ctp
yes 'its mode is what it was' [ "$(stat -c %a a.ctp)" = 640 ]
yes 'only what was made is here' [ "$(ls -A | tr '\n' ' ')" = 'a.ctp image large.json old.ctp p.json s.json unsigned.ctp ' ]
is 0 'it is valid' ct verify a.ctp
has 'Signed by:  new '
hasnt 'Signed by:  old '
is 0 'into another file' ct re-sign -q -k new -o b.ctp old.ctp
empty "$out"
same a.ctp b.ctp
is 0 'to standard output' ct re-sign -k new -o - old.ctp
same a.ctp "$out"
has 'Re-signed' "$err"
is 0 'FILE is as it was' ct verify old.ctp
has 'Signed by:  old '
is 0 'the recipe by hand' sh -c 'ct-open old.ctp | ct-check | ct-sign --replace -k new | ct-write --new --report re-signed -o c.ctp'
same a.ctp c.ctp

# Whose it was.
is 0 'the chain' ct explain --signers a.ctp
has '✓ new  CT-SIG-01 (ed25519)'
has 'Supersedes   old  CT-SIG-01  signed 2026-05-17T06:40:00Z  (claimed by new)'
has "                   $(sed -n 's/^Fingerprint: //p' "$keys/old.pub")"
hasnt 'Before that'
export SOURCE_DATE_EPOCH=1779000120
is 0 'once more, by a third' ct re-sign -q -k other a.ctp
is 0 'the chain' ct explain --signers a.ctp
has 'Supersedes   new  CT-SIG-01  signed 2026-05-17T06:41:00Z  (claimed by other)'
has 'Before that  old  CT-SIG-01  signed 2026-05-17T06:40:00Z  (claimed by other)'
is 0 '--json' ct explain --json a.ctp
json
line=$(tar -xOf old.ctp attestations.jsonl | sed -n '$p' | tr -d '\n' | sha256sum | cut -d' ' -f1)
has "{\"level\":2,\"line\":\"sha256:$line\",\"fingerprint\":\"$(sed -n 's/^Fingerprint: //p' "$keys/old.pub")\",\"suite_id\":\"CT-SIG-01\",\"signed_at\":\"2026-05-17T06:40:00Z\",\"key_id\":\"old\"}"

# Rotation: the old key is gone, and nobody misses it.
cp old.ctp a.ctp
printf '{"version":"1","signers":{"allowed":[{"key_id":"new"}]}}\n' >policy.json
is 3 'not yet' ct verify -p policy.json a.ctp
is 0 're-signed' ct re-sign -q -k new a.ctp
is 0 'ct key delete' ct key delete --yes old
is 0 'valid by the new key alone' ct verify -p policy.json a.ctp
is 0 'the chain says the id that it had' ct explain --signers a.ctp
has 'Supersedes   old '
is 3 'what nobody signed anew is a stranger'"'"'s' ct re-sign -k new -o d.ctp old.ctp
has 'signed by nobody you know' "$err"
ct keygen --no-password --id old >/dev/null

# A key renews its own signature; beside it it signs once.
export SOURCE_DATE_EPOCH=1779000180
is 0 'again, by the same key' ct re-sign --expires 2999-01-01 -k new a.ctp
is 0 'it has an end now' ct verify --at 2998-01-01 a.ctp
has 'Signed by:  new  2026-05-17T06:43:00Z'
is 4 'it ends' ct verify --at 3000-01-01 a.ctp
is 0 'and may be renewed once it has ended' ct re-sign -q -k new a.ctp
is 0 'no end' ct verify --at 3000-01-01 a.ctp
cp a.ctp before.ctp
is 64 '--add-signature: signed by this key already' ct re-sign --add-signature -k new a.ctp
has 'ct re-sign a.ctp -k new' "$err"
same a.ctp before.ctp
is 0 '--add-signature' ct re-sign --add-signature -k other a.ctp
has '✓ Signed image:1.0 → a.ctp'
has 'Signed by:  new '
has 'Signed by:  other '
hasnt Replaces
unchanged before.ctp a.ctp
is 0 'by both' ct verify a.ctp
has 'Signed by:  new '
has 'Signed by:  other '
is 0 'nothing was superseded by it' ct explain --signers a.ctp
yes 'but what was before' [ "$(grep -c Supersedes "$out")" -eq 1 ]
is 0 'both are replaced' ct re-sign --json -k old a.ctp
json
has '"action":"re-signed"'
has '"replaced":[{"kind":"bundle-signature","status":"valid"'
is 0 'and named' ct explain --signers a.ctp
yes 'two' [ "$(grep -c Supersedes "$out")" -eq 2 ]
has 'Supersedes   new '
has 'Supersedes   other '
has 'Before that  new '
is 0 'valid' ct verify a.ctp
hasnt 'Signed by:  new '

# Statements that came after the signature are listed by the next one.
ct sign -q -k new -o a.ctp unsigned.ctp
is 0 'ct attest' ct attest -q -k other --provenance p.json --sbom large.json a.ctp
is 0 'not listed: it can be taken away' sh -c 'ct-open a.ctp | jq -c "if .attestations then .attestations |= .[:1] else . end" | ct-check'
cp a.ctp before.ctp
is 0 're-signed' ct re-sign -q -k new a.ctp
unchanged before.ctp a.ctp
is 0 'all are there' ct explain a.ctp
has 'SPDX 2.3, 400 packages, signed by other'
has 'Provenance SLSA v1, built by https://ci.example/builder/v3, signed by other'
is 2 'listed' sh -c 'ct-open a.ctp | jq -c "if .attestations then .attestations |= .[1:] else . end" | ct-check'
has attestation-removed

# Strangers.
CT_HOME=$tmp/stranger ct keygen --no-password --id stranger >/dev/null
ct pack -q -k new oci:image -o mine.ctp
cp mine.ctp both.ctp && CT_HOME=$tmp/stranger ct sign -q both.ctp
is 0 'a stranger signed it too' ct re-sign -k new both.ctp
has 'Replaces:   new '
has 'Dropped:    a signature by nobody you know, which claims to be by stranger'
is 0 'who is not named in the chain' ct explain --signers both.ctp
hasnt stranger
CT_HOME=$tmp/stranger ct sign -q -o theirs.ctp unsigned.ctp
cp theirs.ctp before.ctp
for how in --json --add-signature; do
	is 3 "$how: a stranger alone" ct re-sign $how -k new theirs.ctp
	has 'signed by nobody you know' "$err"
	same theirs.ctp before.ctp
done
CT_HOME=$tmp/stranger ct key export stranger --public -o stranger.pub
ct key import stranger.pub >/dev/null 2>&1
is 3 'a name alone is no trust' ct re-sign -k new theirs.ctp
has 'ct key trust stranger' "$err"
same theirs.ctp before.ctp
cp mine.ctp both.ctp && CT_HOME=$tmp/stranger ct sign -q both.ctp
is 0 'beside one that is trusted' ct re-sign -k new both.ctp
has 'Replaces:   stranger '
is 0 'once it is trusted' ct key trust stranger
is 0 'a bundle that a trusted key signed' ct re-sign -k new theirs.ctp
is 2 'nobody signed' ct re-sign -k new unsigned.ctp
has 'nobody signed' "$err"
has 'ct sign unsigned.ctp -k KEY' "$err"

# What is not whole or not genuine gets no fresh signature.
for case in blob-layer=1 blob-config=1 derived-index=1 derived-summary=1 signature-flipped=2 signature-keyid=2 header-mode=10 trailing-byte=10 manifest-comment=10; do
	alter "${case%=*}" mine.ctp bad.ctp && cp bad.ctp before.ctp
	for how in --json --add-signature; do
		is "${case#*=}" "${case%=*}: $how" ct re-sign $how -k other bad.ctp
		same bad.ctp before.ctp
	done
	is "${case#*=}" "${case%=*}: not elsewhere either" ct re-sign -k other -o e.ctp bad.ctp
done
head -c 5000 mine.ctp >torn.ctp
is 10 'torn' ct re-sign -k other torn.ctp
is 11 'absent' ct re-sign -k other absent.ctp
yes 'nothing was written' [ ! -e e.ctp ]

# The command line.
is 64 'a pipe' sh -c 'ct re-sign -k new - <mine.ctp'
is 64 'two' ct re-sign -k new mine.ctp a.ctp
is 64 'none' ct re-sign -k new
is 13 'no such key' ct re-sign -k nobody mine.ctp
is 64 '--statements --replace' sh -c 'ct-open mine.ctp | ct-check | ct-sign --statements --replace -k new | ct-write --new -o e.ctp'
is 70 'nobody checked' sh -c 'ct-open mine.ctp | ct-sign --replace -k other | ct-write --new -o e.ctp'
is 10 'a signature that came after the check' sh -c 'ct-open mine.ctp | ct-check | ct-sign -k other | ct-sign --replace -k old | ct-write --new -o e.ctp'
is 70 'what was checked is gone' sh -c 'ct-open mine.ctp | ct-check | ct-policy | ct-sign --replace -k other | ct-write -o e.ctp'
yes 'nothing was written' [ ! -e e.ctp ]
is 0 'what others say was replaced' sh -c 'ct-open unsigned.ctp | jq -c "if .bundle then .replaced = [1] else . end" | ct-sign -k new'
hasnt replaced
printf 'correct horse\n' >pass && chmod 600 pass
ct keygen --id locked --passphrase-file pass >/dev/null
is 0 'a passphrase file' ct re-sign -q -k locked --passphrase-file pass -o e.ctp mine.ctp
is 0 'a passphrase descriptor' sh -c 'ct re-sign -q -k locked --passphrase-fd 3 -o f.ctp mine.ctp 3<pass'
same e.ctp f.ctp
is 11 'a full disk' sh -c 'ct re-sign -k new -o - mine.ctp >/dev/full'
mkdir closed && cp mine.ctp closed/a.ctp && chmod 555 closed
if [ "$(id -u)" != 0 ]; then
	is 11 'a directory that is closed' ct re-sign -k other closed/a.ctp
	same closed/a.ctp mine.ctp
fi
chmod 755 closed
is 11 'no such directory' ct re-sign -k new -o nowhere/a.ctp mine.ctp
plan
