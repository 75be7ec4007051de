#!/bin/sh
# ct verify: one bundle, every verdict. Run under several shells.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
for key in one two; do ct keygen --no-password --id $key >/dev/null; done
ct pack oci:image -q -o a.ctp
keys=$HOME/.config/cerro/keys

is 0 'valid' ct verify a.ctp
has 'a.ctp is valid'
has 'Package:    image 1.0   from oci:image:1.0'
has 'Signed by:  one  20'
has 'Policy:     none; keys in your store count'
empty "$err"
is 0 '--json' ct verify --json a.ctp
json
has '"valid":true,"status":0,"finding":null'
is 0 '-v' ct verify -v a.ctp
has 'Rules, at 20'
is 0 '--at' ct verify -v --at 2036-01-01 a.ctp
has 'Rules, at 2036-01-01T00:00:00Z:'

verdict() { # STATUS SLUG CHANGE [OPTION...]
	t_status=$1 t_slug=$2 t_change=$3 && shift 3
	alter "$t_change" a.ctp b.ctp "$keys/one.key"
	is "$t_status" "$t_change" ct verify --json "$@" b.ctp
	finding "$t_slug"
}
verdict 1 hash-mismatch blob-layer
has '"Expected":"sha256:'
has '"Actual":"sha256:'
verdict 1 derived-mismatch derived-index
verdict 2 signature-invalid signature-flipped
verdict 2 subject-mismatch manifest-other
verdict 2 unsigned unsigned
verdict 10 tar-header header-mode
verdict 10 tar-members member-extra
verdict 10 truncated cut
verdict 10 trailing-bytes trailing-byte
verdict 10 not-a-bundle compressed
verdict 10 unsupported-version manifest-version
verdict 10 image-mismatch platforms-signed
verdict 4 signature-in-future future-signed
verdict 4 signature-expired expired-signed
verdict 4 not-expected again-signed --expect=other
# What is short is a bundle cut short only if it begins as one does.
: >empty
echo hi >short
printf 'manifest.toml\0x' >other
head -c 13 a.ctp >begun
for file in empty short other begun; do
	expected=not-a-bundle
	[ "$file" != begun ] || expected=truncated
	is 10 "$file" ct verify --json "$file"
	finding "$expected"
	is 10 "$file on a pipe" sh -c "cat $file | ct verify --json -"
	finding "$expected"
done
is 11 'no such file' ct verify --json nothing.ctp
finding file-unreadable
is 11 'a directory' ct verify --json image
finding not-a-file
is 11 'a device' ct verify --json /dev/null
finding not-a-file
mkfifo fifo
is 11 'a FIFO nobody writes to' ct verify --json fifo
finding not-a-file
is 3 'nobody you know' env HOME=/nowhere ct verify --json a.ctp
finding signer-unknown

# The first failing check in the order decides, whatever options were given; --all names every one.
alter blob-layer a.ctp b.ctp && alter derived-index b.ctp c.ctp && alter unsigned c.ctp d.ctp
is 2 'unsigned and damaged' ct verify --json d.ctp
hasnt hash-mismatch
is 2 'unsigned and damaged, --all' ct verify --json --all --expect other d.ctp
finding unsigned
for slug in hash-mismatch derived-mismatch not-expected signer-unknown; do has "\"finding\":\"$slug\""; done
printf '{"version":"1","registries":{"allowed":["docker.io/*"]},"require_attestations":{"sbom":true}}' >p
is 4 'registry and attestation' ct verify --json --policy p --all c.ctp
finding registry-not-allowed
has '"finding":"attestation-missing"'
has '"finding":"hash-mismatch"'
printf '{"version":"1","require_attestations":{"sbom":true}}' >p
is 5 'attestation missing' ct verify --json --policy p c.ctp
finding attestation-missing
hasnt hash-mismatch
alter manifest-version d.ctp e.ctp
is 10 'structure before all' ct verify --json --all e.ctp
finding unsupported-version

# A policy that cannot be read is never no policy.
is 11 'no such policy' ct verify --policy nothing a.ctp
is 11 'no such policy, in CT_POLICY' env CT_POLICY=nothing ct verify a.ctp
is 11 'an empty CT_POLICY' env CT_POLICY= ct verify a.ctp
printf '{"version":"1","signer":{}}' >typo
is 10 'a typo in a policy' ct verify --policy typo a.ctp
has 'did you mean signers?' "$err"
is 10 'a policy that is not JSON' ct verify --policy a.ctp a.ctp
printf '{"version":"1","signers":{"allowed":[{"key_id":"two","required":true}]}}' >two
is 3 'another signer is required' ct verify --json --policy two a.ctp
printf '{"version":"1","signers":{"allowed":[{"key_id":"*"}],"denied":[{"key_id":"one"}]}}' >denied
is 3 'the signer is denied' ct verify --json --policy denied a.ctp
finding signer-denied
printf '{"version":"1","signers":{"threshold":2}}' >both
is 3 'too few signers' ct verify --json --policy both a.ctp
finding threshold
ct sign -k two -q -o both.ctp a.ctp
is 0 'two signers' ct verify --policy both both.ctp

# Trust is where the key lies.
mkdir -p "$tmp/other/known" && chmod -R 700 "$tmp/other" && cp "$keys/one.pub" "$tmp/other/known/"
is 3 'a key that is known by name only' env CT_HOME="$tmp/other" ct verify --json a.ctp
finding signer-untrusted
mv "$tmp/other/known" "$tmp/other/trusted"
is 0 'a key that is trusted' env CT_HOME="$tmp/other" ct verify a.ctp
is 2 'a good signature beside a bad one' ct verify --json "$(alter signature-flipped both.ctp bad.ctp && echo bad.ctp)"
finding signature-invalid
plan
