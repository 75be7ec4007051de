#!/bin/sh
# ct explain: what a bundle is and why it is trusted or not; and what a finding means.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image labelled image
ct keygen --no-password --id one >/dev/null
ct pack oci:image -q -o a.ctp 2>"$tmp/note"
keys=$HOME/.config/cerro/keys

is 0 'a bundle' ct explain a.ctp
empty "$err"
for line in 'Bundle: a.ctp' Package '  Name       image' '  Platforms  linux/amd64' Provenance '(claimed by one)' \
	'2026-11-20T02:11:09Z  (the image'"'"'s claim)' Content '  Layers     1, ' 'not by explain; run: ct verify a.ctp' Signatures \
	'✓ one  CT-SIG-01 (ed25519)' 'Trust chain' 'one signed, and is in keys'; do
	has "$line"
done
is 0 '--signers' ct explain --signers a.ctp
has 'Signatures'
hasnt 'Package'
is 0 '--layers' ct explain a.ctp --layers
has '[0] sha256:'
hasnt 'Signatures'
is 0 '--json' ct explain --json a.ctp
json
is 0 '--json and a part' ct explain --json --signers a.ctp
json
is 0 'two bundles' ct explain a.ctp a.ctp
is 0 'two bundles, --json' ct explain --json a.ctp a.ctp
json
yes 'a line each' [ "$(wc -l <"$out")" -eq 2 ]
is 0 'on a pipe' sh -c 'cat a.ctp | ct explain -'
has 'Name       image'
is 0 'under a policy' ct explain --policy /dev/null --list
printf '{"version":"1","registries":{"allowed":["docker.io/*"]}}' >p

# It exits 0 if it could explain, whatever it has to say.
explained() { # CHANGE TEXT
	alter "$1" a.ctp b.ctp "$keys/one.key"
	is 0 "$1 is explained" ct explain b.ctp
	has "$2"
	is 0 "$1 is explained, --json" ct explain --json b.ctp
	json
}
explained unsigned 'none'
explained signature-flipped 'INVALID'
explained manifest-other 'INVALID'
explained blob-layer 'Name       image'
explained derived-summary 'Name       image'
explained derived-index 'Name       image'
explained sbom-signed 'SBOM       signed by one, but not valid by its schema'
explained renamed-key-signed 'somebody-else by the signer'
explained expired-signed 'Expires'
explained ext-signed 'not interpreted'
is 0 'a registry that is not allowed' ct explain --policy p a.ctp
has 'registries.allowed'
is 0 'nobody you know' env HOME=/nowhere ct explain a.ctp
has 'claims to be; no key of your store made it'
has 'claimed by nobody you know'

# What cannot be explained says why not.
for change in header-mode cut trailing-byte manifest-version line-empty compressed; do
	alter $change a.ctp b.ctp
	is 10 "$change" ct explain b.ctp
	has 'Cannot be explained'
	is 10 "$change, --json" ct explain --json b.ctp
	json
done
is 11 'no such file' ct explain ./nothing
is 11 'one of two' ct explain a.ctp ./nothing
has 'Name       image'
is 11 'no such policy' ct explain --policy nothing a.ctp

# Findings.
is 0 '--list' ct explain --list
is 0 '--list --json' ct explain --list --json
json
cp "$out" list
for slug in $(sed 's/^{"finding":"\([a-z0-9-]*\)".*/\1/' list | awk 'NR % 8 == 1'); do
	is 0 "ct explain $slug" ct explain "$slug"
	has "$slug: "
	has '  Status  '
done
is 0 'a finding as JSON' ct explain --json hash-mismatch
has '"status":1'
cp a.ctp hash-mismatch
is 0 'a file of that name comes first' ct explain hash-mismatch
has 'Name       image'
plan
