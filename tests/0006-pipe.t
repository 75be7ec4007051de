#!/bin/sh
# A bundle on a pipe is judged in one pass, nothing spooled. Run under several shells.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image large image
ct keygen --no-password --id one >/dev/null
ct pack oci:image -q -o a.ctp
keys=$HOME/.config/cerro/keys
piped() { cat "$1" | { shift && ct verify "$@"; }; }

is 0 'valid' piped a.ctp -
has 'standard input is valid'
is 0 'from a file' ct verify --json - <a.ctp
has '"bundle":"-","valid":true'
is 0 'among files' piped a.ctp a.ctp - ./a.ctp
has '3 of 3 valid'
is 64 'twice' piped a.ctp - -
is 0 'a slow writer' sh -c '{ dd bs=700 count=3 && sleep 0.2 && cat; } <a.ctp 2>/dev/null | ct verify -'
image single small
ct pack oci:small -q -o small.ctp
is 0 'three bytes at a time' sh -c 'dd bs=3 <small.ctp 2>/dev/null | ct verify -'
is 0 'without a place for temporary files' env TMPDIR=/nowhere sh -c 'cat a.ctp | ct verify -'
is 0 'in a directory that cannot be written to' sh -c 'chmod 555 . && cat a.ctp | ct verify -; status=$?; chmod 755 .; exit $status'

for change in blob-layer derived-index trailing-byte cut end-half blob-missing members-swapped unsigned header-blob not-there; do
	case $change in
	blob-layer) status=1 slug=hash-mismatch ;;
	derived-index) status=1 slug=derived-mismatch ;;
	unsigned) status=2 slug=unsigned ;;
	trailing-byte) status=10 slug=trailing-bytes ;;
	cut | end-half) status=10 slug=truncated ;;
	header-blob) status=10 slug=tar-header ;;
	not-there) status=10 slug=not-a-bundle ;;
	*) status=10 slug=tar-members ;;
	esac
	if [ $change = not-there ]; then : >b.ctp; else alter $change a.ctp b.ctp; fi
	is $status "$change" piped b.ctp --json -
	finding $slug
done
alter attestations-large a.ctp b.ctp
is 10 'attestations that fit no record' piped b.ctp --json -
finding stream-too-large
has 'save it to a file first'
is 0 'in a file they do' ct verify b.ctp
is 3 'nobody you know: refused before the blobs' env HOME=/nowhere sh -c '{ head -c 20000 a.ctp; } | ct verify --json -'
finding signer-unknown
is 10 'nothing on standard input' ct verify - </dev/null
is 10 'a closed standard input' ct verify - <&-

# ct-open takes the trust members, and not a byte more.
trust=$(($(alter again-signed a.ctp "$tmp/x" "$keys/one.key" && python3 -c '
import sys
data, at = open("a.ctp", "rb").read(), 0
for _ in range(3):
    size = int(data[at + 124 : at + 135], 8)
    at += 512 + size + -size % 512
print(at)')))
is 0 'ct-open - and what it leaves' sh -c 'cat a.ctp | { ct-open - >record; cat >rest; }'
tail -c +$((trust + 1)) a.ctp >expected
same rest expected
is 0 'ct-open --fd' sh -c 'ct-open --fd 7 - 7<a.ctp'
same "$out" "$(sed 's/"fd":0/"fd":7/g' record >record7 && echo record7)"
is 0 'ct explain - takes no more either' sh -c 'cat a.ctp | { ct explain - >said; cat >rest; }'
same rest expected
has 'Name       image' said
plan
