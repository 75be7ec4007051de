#!/bin/sh
# SBOM and provenance: attached by pack and sign, shown by explain, judged by the policy; and what is refused.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
document() { python3 -B "$tests/predicates.py" "$@"; }
image single image
for key in one two; do ct keygen --no-password --id $key >/dev/null; done
keys=$HOME/.config/cerro/keys
export SOURCE_DATE_EPOCH=1779000000
document sbom >s.json
document provenance >p.json
document sbom 400 >large.json
ct pack --no-sign oci:image -q -o unsigned.ctp
ct pack -q oci:image -o plain.ctp
digest=$(ct pack --no-sign --json oci:image -o u.ctp | sed 's/.*"image_digest":"\(sha256:[0-9a-f]*\)".*/\1/')

# Attached, and said so.
is 0 'both' ct pack --sbom s.json --provenance=p.json oci:image -o a.ctp
empty "$err"
has 'SBOM:        SPDX 2.3, 1 package'
has 'Provenance:  SLSA v1, built by https://ci.example/builder/v3'
is 0 'it is valid' ct verify a.ctp
is 0 'what it is' ct explain a.ctp
has '  SBOM       SPDX 2.3, 1 package, signed by one'
has '  Provenance SLSA v1, built by https://ci.example/builder/v3, signed by one'
is 0 'what it is, --json' ct explain --json a.ctp
json
has '"about":{"version":"SPDX-2.3","packages":1,"name":"hello"}'
has '"about":{"builder":"https://ci.example/builder/v3","build_type":"https://ci.example/buildtype/v1"}'
has '"predicate_type":"https://slsa.dev/provenance/v1"'
is 0 '--json' ct pack --json --sbom s.json oci:image -o b.ctp
json
has '"attestations":[{"predicate_type":"https://spdx.dev/Document/v2.3","schema":"valid","about":{'
is 0 'again' ct pack -q --provenance p.json --sbom s.json oci:image -o b.ctp
same a.ctp b.ctp
is 0 'again, in another place and place of time' env TZ=Asia/Tokyo LC_ALL=C sh -c 'umask 077 && mkdir e && cp s.json p.json e && cd e &&
	touch -d 2001-01-01 s.json && ct pack -q --sbom ./s.json --provenance "$PWD/p.json" oci:../image -o b.ctp'
same a.ctp e/b.ctp
is 0 'to standard output' ct pack -q --sbom s.json --provenance p.json oci:image -o -
same a.ctp "$out"
rm -r e
is 0 'a SBOM too large for a record' ct pack --sbom large.json oci:image -o large.ctp
has 'SBOM:       SPDX 2.3, 400 packages'
is 0 'it is valid' ct verify large.ctp
is 0 'on a pipe too' sh -c 'ct verify - <large.ctp'
is 0 'what it is' ct explain large.ctp
has 'SPDX 2.3, 400 packages, signed by one'
yes 'nothing is left beside' [ -z "$(find . -maxdepth 1 -name '.?*')" ]

# A document may be a statement about the image.
document provenance "$digest" >statement.json
is 0 'a statement' ct pack -q --sbom s.json --provenance statement.json oci:image -o b.ctp
same a.ctp b.ctp
document sbom "sha256:$(printf %064d 0)" >other.json
is 10 'about another image' ct pack --sbom other.json oci:image -o no.ctp
has 'Not packed: the document is a statement about another image' "$err"
has "Expected:     $digest" "$err"
has 'Actual:       ' "$err"

# ct sign.
cp unsigned.ctp c.ctp
is 0 'ct sign --sbom' ct sign --sbom s.json --provenance p.json c.ctp
has 'SBOM:        SPDX 2.3'
same a.ctp c.ctp
is 0 'a large one' ct sign --sbom large.json -o c.ctp unsigned.ctp
same large.ctp c.ctp
cp c.ctp before.ctp
is 64 'by a key that signed already' ct sign --sbom s.json c.ctp
same c.ctp before.ctp
is 0 'by another key' ct sign -k two --provenance p.json c.ctp
is 0 'both are shown' ct explain c.ctp
has 'SPDX 2.3, 400 packages, signed by one'
has 'https://ci.example/builder/v3, signed by two'
is 0 'and it is valid' ct verify c.ctp
yes 'nothing is left beside' [ -z "$(find . -maxdepth 1 -name '.?*')" ]

# ct attest: to a bundle that is there.
is 0 'ct attest' ct attest --sbom s.json --provenance p.json -o e.ctp plain.ctp
has 'Attested image:1.0'
has 'SBOM:        SPDX 2.3'
is 0 'it is valid' ct verify e.ctp
is 0 'and says so' ct explain e.ctp
has 'SPDX 2.3, 1 package, signed by one'
is 0 'by another key, in place, a large one' ct attest --json -k two --sbom large.json e.ctp
json
has '"action":"attested"'
is 0 'it is valid' ct verify e.ctp
is 0 'three' ct explain e.ctp
has 'SPDX 2.3, 400 packages, signed by two'
cp e.ctp before.ctp
is 64 'the very same again' ct attest --sbom s.json e.ctp
has 'this very statement is there already' "$err"
is 64 'a pipe' sh -c 'ct attest --sbom s.json - <e.ctp'
is 64 'no document' ct attest e.ctp
is 64 'no bundle' ct attest --sbom s.json
is 10 'not valid' ct attest --provenance s.json e.ctp
same e.ctp before.ctp
is 0 'an unsigned one' ct attest --sbom s.json -o f.ctp unsigned.ctp
is 2 'stays unsigned' ct verify f.ctp
is 0 'and is signed later' ct sign f.ctp
is 0 'then it is valid' ct verify f.ctp
alter blob-layer plain.ctp bad.ctp
is 1 'damage gets no statement' ct attest --sbom s.json -o no.ctp bad.ctp
yes 'nothing is left beside' [ -z "$(find . -maxdepth 1 -name '.?*')" ] && rm bad.ctp
is 64 'ct-sign --statements: none waits' sh -c 'ct-open plain.ctp | ct-sign --statements | ct-write --new -o no.ctp'
is 64 'ct-sign --statements --expires' ct-sign --statements --expires 2999-01-01 </dev/null

# One use of the key: a passphrase on a pipe can be read once.
printf 'correct horse\n' >pass && chmod 600 pass
ct keygen --id locked --passphrase-file pass >/dev/null
is 0 'the passphrase is read once' sh -c 'cat pass | {
	exec 3<&0 </dev/null
	ct-open unsigned.ctp 3<&- | ct-attest --sbom s.json --provenance p.json 3<&- | ct-sign -k locked --passphrase-fd 3 | ct-write --new -q -o d.ctp
}'
is 0 'three envelopes by one key' ct explain d.ctp
has 'SPDX 2.3, 1 package, signed by locked'
has 'https://ci.example/builder/v3, signed by locked'

# What is refused, and that nothing is written.
refused() { # STATUS NAME TEXT ARGUMENT...
	r_status=$1 r_name=$2 r_text=$3 && shift 3
	is "$r_status" "$r_name" ct pack "$@" -o no.ctp oci:image
	has "$r_text" "$err"
	empty "$out"
	yes 'nothing was written' [ ! -e no.ctp ]
}
printf 'SPDXVersion: SPDX-2.3\n' >tag.spdx
printf '{"bomFormat":"CycloneDX","specVersion":"1.5"}' >cdx.json
sed 's/"CC0-1.0"/"MIT"/' s.json >bad.json
sed 's/"name": "hello",/"name": "hello", "name": "x",/' s.json >twice.json
refused 64 '--no-sign' 'unsigned they say nothing' --no-sign --sbom s.json
refused 64 'no value' '--sbom needs a value' --sbom ''
refused 64 'two of one kind' 'one --sbom at a time' --sbom s.json --sbom s.json
refused 11 'no such file' 'nowhere.json' --sbom nowhere.json
refused 11 'a directory' 'not a regular file' --provenance image
refused 10 'tag-value' 'pyspdxtools' --sbom tag.spdx
refused 10 'CycloneDX' 'spdx-json' --sbom cdx.json
refused 10 'not valid' '/dataLicense' --sbom bad.json
refused 10 'a key twice' 'duplicate key' --sbom twice.json
refused 10 'provenance that is an SBOM' 'buildDefinition' --provenance s.json
refused 10 'an SBOM that is provenance' 'spdxVersion' --sbom p.json
is 64 'ct sign: two of one kind' ct sign --provenance p.json --provenance p.json unsigned.ctp
is 10 'ct sign: not valid' ct sign --sbom bad.json unsigned.ctp
yes 'nothing is left beside' [ -z "$(find . -maxdepth 1 -name '.?*')" ]

# The tools by themselves.
is 64 'ct-attest: nothing to attach' ct-attest
is 0 'ct-attest' sh -c 'ct-open unsigned.ctp | ct-attest --sbom s.json | tee waiting'
has '"statements":[{"predicate_type":"https://spdx.dev/Document/v2.3","at":{"file":"'"$PWD"'/s.json"'
is 64 'ct-write: a statement that nobody signed' ct-write --new -o no.ctp <waiting
has 'waits for its signature' "$err"
is 0 'ct-sign takes it' ct-sign <waiting
hasnt '"statements"'
is 0 'another ct-attest adds to it' sh -c 'ct-attest --provenance p.json <waiting | ct-sign | ct-write --new -q -o b.ctp'
same a.ctp b.ctp
ct-open unsigned.ctp | ct-attest --sbom large.json >waiting
is 64 'ct-sign: no room for a large one' ct-sign <waiting
has 'it needs --workdir DIR'
mkdir work
is 0 'ct-sign --workdir' ct-sign --workdir work <waiting
yes 'a file that only its owner reads' [ "$(stat -c %a work/*)" = 600 ]
cp "$out" signed
is 0 'which is the same' ct-write --new -q -o b.ctp <signed
same large.ctp b.ctp
printf x >>work/"$(ls work)"
is 11 'a file that changed' ct-write --new -q -o no.ctp <signed
printf ' ' >>large.json
is 11 'a document that changed' sh -c 'ct-sign --workdir work <waiting | ct-write --new -o no.ctp'
has 'large.json' "$err"
document sbom >large.json
is 11 'no such directory' sh -c 'ct-open unsigned.ctp | ct-attest --sbom "$1" | ct-sign --workdir nowhere | ct-write --new -o no.ctp' - "$(document sbom 400 >l2.json && echo l2.json)"
yes 'nothing was written' [ ! -e no.ctp ]

# Damage.
line() { tar -xOf a.ctp attestations.jsonl; }
tampered() { # NAME FINDING: by what lies in `lines`
	python3 -c '
import sys, os
sys.path.insert(0, sys.argv[1])
lib = os.environ["CT_BUILD"] + "/lib/cerro-torre"
sys.path[:0] = [lib, lib + "/vendor"]
import alter
bundle = alter.Bundle(open("a.ctp", "rb").read())
bundle["attestations.jsonl"].data = open("lines", "rb").read()
open("t.ctp", "wb").write(bytes(bundle))' "$tests"
	is 2 "$1" ct verify --json t.ctp
	finding "$2"
	is 0 "$1: it can be explained" ct explain t.ctp
}
line | sed 1d >lines
tampered 'a statement that is gone' attestation-removed
line | sed 2d >lines
tampered 'the other is gone' attestation-removed
line | sed '1s/"payload":"eyJ/"payload":"eyK/' >lines
tampered 'a statement altered' signature-invalid
has 'INVALID'
alter sbom-other a.ctp t.ctp "$keys/one.key"
is 2 'a genuine statement about another image' ct verify --json t.ctp
finding subject-mismatch

# What people see of statements that nobody vouches for.
alter sbom-signed a.ctp t.ctp "$keys/one.key"
is 0 'a predicate that is none' ct explain t.ctp
has 'SBOM       signed by one, but not valid by its schema: the document: none instead of the member spdxVersion'
is 0 'nobody you know' env HOME=/nowhere ct explain a.ctp
has 'SBOM       present, signed by nobody you know: a claim'
hasnt 'SPDX 2.3'
mkdir -m 700 "$tmp/known" "$tmp/known/known" "$tmp/known/trusted"
cp "$keys/one.pub" "$tmp/known/known" && cp "$keys/two.pub" "$tmp/known/trusted"
ct sign -q -k two -o both.ctp a.ctp
is 0 'known by name only' env CT_HOME="$tmp/known" ct explain both.ctp
has 'SPDX 2.3, 1 package, signed by one (known by name only, not trusted)'

# Policies.
policy() { printf '{"version":"1",%s}\n' "$1" >policy.json; }
judged() { # STATUS NAME POLICY BUNDLE [TEXT]
	policy "$3"
	is "$1" "$2" ct verify -v --policy policy.json "$4"
	[ -z "${5-}" ] || has "$5"
}
judged 0 'an SBOM is there' '"require_attestations":{"sbom":true}' a.ctp '✓ require_attestations.sbom: SPDX 2.3, 1 package, signed by one'
judged 0 'both are there' '"require_attestations":{"sbom":true,"provenance":true}' a.ctp
judged 0 'by whom' '"require_attestations":{"sbom":{"from":["o*"]},"provenance":{"from":["x","one"],"builders":["https://ci.example/*"]}}' a.ctp
judged 5 'by somebody else' '"require_attestations":{"sbom":{"from":["two","x*"]}}' a.ctp 'that of one is not by one of two, x*'
judged 5 'by another builder' '"require_attestations":{"provenance":{"builders":["https://ci.example/builder/v4"]}}' a.ctp 'https://ci.example/builder/v3'
judged 5 'none is there' '"require_attestations":{"sbom":true}' plain.ctp 'there is none'
judged 5 'provenance is not' '"require_attestations":{"sbom":true,"provenance":true}' large.ctp 'the policy requires provenance'
judged 5 'not valid by its schema' '"require_attestations":{"sbom":true}' t.ctp 'not valid by its schema'
judged 5 'a log' '"require_attestations":{"transparency_log":true}' a.ctp 'this version reads none'
judged 0 'nothing is required' '"require_attestations":{"sbom":false}' plain.ctp
two='"signers":{"allowed":[{"key_id":"two"}]}'
judged 5 'by a key that is not allowed' "$two"',"require_attestations":{"sbom":true}' both.ctp 'no entry of signers.allowed admits one'
judged 5 'by a denied key' '"signers":{"denied":[{"key_id":"one"}]},"require_attestations":{"sbom":true}' both.ctp 'one is denied'
# A statement is as old as the signature of its key that lists it; one that none lists has no known time.
ct keygen --no-password --expires 2099-06-01 --id aging >/dev/null
ct pack -q -k aging --sbom s.json oci:image -o aging.ctp
ct attest -q -k aging --sbom s.json -o late.ctp plain.ctp
policy '"require_attestations":{"sbom":true}'
is 0 'made before its key expired' ct verify --policy policy.json --at 2100-01-01 aging.ctp
is 0 'before its key expires' ct verify --policy policy.json late.ctp
is 5 'nobody knows when, and its key has expired' ct verify --policy policy.json --at 2100-01-01 late.ctp
has 'aging expired 2099-06-01'

is 5 'by a key that is known by name only' env CT_HOME="$tmp/known" ct verify --policy policy.json both.ctp
has 'one is known by name only' "$out"
rm "$tmp/known/known/one.pub"
is 5 'by a key that is not known' env CT_HOME="$tmp/known" ct verify --policy policy.json both.ctp
has 'no key of your store made one that is there'
is 0 'whoever knows both' ct verify --policy policy.json both.ctp
is 0 'what a policy lacks' ct policy check policy.json
policy '"require_attestations":{"sbom":{"from":["nobody*"]},"transparency_log":true}'
is 0 'ct policy check' ct policy check policy.json
has 'no key in keys/ or trusted/ is nobody*'
has 'reads no log'
plan
