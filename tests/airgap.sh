#!/bin/sh
# airgap.sh PROGRAM ARCHIVE FINGERPRINT SUMS - what somebody does at a site without a network who was brought PROGRAM, which `make dist` made,
# and ARCHIVE, which `ct export` made, and was told the signer's FINGERPRINT on the telephone; SUMS is what must come out of it.
set -eu
program=$1 archive=$2 fingerprint=$3 sums=$4

step() { printf '== %s\n' "$*"; }
fail() {
	printf 'airgap: %s\n' "$*" >&2
	exit 99
}
refused() { # status command...: it must end with this status
	expected=$1 status=0
	shift
	"$@" >"$HOME/refused" 2>&1 || status=$?
	[ "$status" = "$expected" ] || { cat "$HOME/refused" >&2; fail "status $status instead of $expected: $*"; }
}

step nothing is here
[ -z "$(awk -F: 'NR > 2 && $1 !~ /^ *lo$/' /proc/net/dev)" ] || fail 'there is an interface'
[ -z "$(ls -A "$HOME")" ] || fail 'HOME is not empty'
cd "$HOME"
! command -v ct >/dev/null || fail 'there is a ct'

step install
tar -xzf "$program"
PATH=$(echo "$HOME"/cerro-torre-*/bin):$PATH
ct -V

step nobody is trusted yet
refused 3 ct import --verify "$archive"
[ ! -e .local/share/cerro/bundles ] || [ -z "$(ls .local/share/cerro/bundles)" ] || fail 'something was imported all the same'

step keys
ct import --keys-only "$archive"
ct key show packer | grep -F "$fingerprint" || fail 'another key'
ct key trust packer
ct policy init --yes
ct config set audit.dir "$HOME/decisions"

step import
ct import --verify "$archive"
cd .local/share/cerro/bundles
sha256sum -c --quiet "$sums"
[ "$(find . -type f | wc -l)" = "$(wc -l <"$sums")" ] || fail 'other bundles than were exported'

step verify
ct verify ./*.ctp
ct explain debian.ctp
[ "$(ct explain --signers ./*.ctp | grep -c "Fingerprint  $fingerprint")" = "$(wc -l <"$sums")" ] || fail 'somebody else signed'
cp v1.ctp "$HOME/damaged.ctp"
printf X | dd of="$HOME/damaged.ctp" bs=1 seek=$(($(wc -c <v1.ctp) - 1536)) conv=notrunc status=none
refused 1 ct verify "$HOME/damaged.ctp"

step 'verify without ct'
mkdir "$HOME/by-hand"
tar -C "$HOME/by-hand" -xf "$archive" ct-verify-minimal keys/packer.pub
sh "$HOME/by-hand/ct-verify-minimal" "$HOME/by-hand/keys/packer.pub" debian.ctp
refused 1 sh "$HOME/by-hand/ct-verify-minimal" "$HOME/by-hand/keys/packer.pub" "$HOME/damaged.ctp"

step run
[ "$(ct run -q v3.ctp -- --rm --network=none -- cat /etc/variant)" = 'variant 3' ] || fail 'another image'
ct run -q debian.ctp -- --rm --network=none -- cat /etc/debian_version
status=0
ct run -q base.ctp -- --rm --network=none -- sh -c 'exit 7' || status=$?
[ "$status" = 7 ] || fail "the container ended with 7, and ct run with $status"
refused 1 ct run -q "$HOME/damaged.ctp" -- --rm --network=none -- true

step audit
ct audit
count=$(ct audit | grep -c '\.ctp')
[ "$count" -ge 24 ] || fail "$count decisions"

step 'all done'
