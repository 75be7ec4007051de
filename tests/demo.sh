#!/bin/sh
# demo.sh BUILD [IMAGE] - the main job: make a key, pack an image, verify it, explain it; then three refusals.
set -eu
PATH=$(cd "$1" && pwd)/bin:$PATH
python=$(sed -n '1s/^#!\([^ ]*\).*/\1/p' "$1/bin/ct-open")
# A relative path in IMAGE is meant from here, and what follows happens elsewhere.
case ${2-} in
oci:/* | oci-archive:/* | docker-archive:/* | dir:/*) image=$2 ;;
oci:* | oci-archive:* | docker-archive:* | dir:*) image=${2%%:*}:$PWD/${2#*:} ;;
*) image=${2-} ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
HOME=$work/home
export HOME
unset CT_HOME CT_POLICY XDG_CONFIG_HOME
mkdir "$HOME"

say() { printf '\n# %s\n' "$*"; }
# Run a command, show it as it is typed, and insist on its exit status.
expect() {
	wanted=$1
	shift
	printf '$ %s\n' "$*"
	status=0
	"$@" || status=$?
	printf '  exit status %s\n' "$status"
	[ "$status" = "$wanted" ] || { printf 'demo: error: expected %s\n' "$wanted" >&2; exit 1; }
}

# A busybox: Debian's static one where it can be had, else one that is installed, else this machine's sh with its libraries.
shell_image() {
	if command -v apt-get >/dev/null && apt-get -qq download busybox-static >/dev/null 2>&1 && dpkg-deb -x busybox-static_*.deb tree; then
		used="Debian's busybox-static" program=$(find tree -type f -path '*bin/busybox')
		"$python" "$here/demo_image.py" "$program" demo-image
	elif program=$(command -v busybox) && ! ldd "$program" >/dev/null 2>&1; then
		used="this machine's $program"
		"$python" "$here/demo_image.py" "$program" demo-image
	else
		program=$(readlink -f /bin/sh) used="this machine's $program and its libraries"
		# shellcheck disable=SC2046
		"$python" "$here/demo_image.py" "$program" demo-image $(ldd "$program" | grep -o '/[^ ]*')
	fi
	say "No IMAGE was given: an image made around $used"
}

if [ -z "$image" ]; then
	shell_image
	image=oci:demo-image:demo
fi
printf 'correct horse battery staple\n' >passphrase && chmod 600 passphrase
CT_PASSPHRASE_FILE=$work/passphrase
export CT_PASSPHRASE_FILE

say 'A key pair, encrypted under a passphrase (here from a file)'
expect 0 ct keygen --id demo-2026
say 'The image becomes one signed file'
expect 0 ct pack "$image" -o demo.ctp
say 'Is it whole, genuine and trusted?'
expect 0 ct verify demo.ctp
say 'A policy: only this key'
expect 0 ct policy init --yes
expect 0 ct verify -v demo.ctp
say 'What is it?'
expect 0 ct explain demo.ctp

say 'Refusal 1: one bit of the largest blob flipped on the way'
cp demo.ctp damaged.ctp
"$python" - damaged.ctp <<-'END'
	import os, sys
	with open(sys.argv[1], "r+b") as file:
	    file.seek(-20000, os.SEEK_END)
	    byte = file.read(1)[0]
	    file.seek(-1, os.SEEK_CUR)
	    file.write(bytes([byte ^ 1]))
END
expect 1 ct verify damaged.ctp
say 'Refusal 2: a site that does not know the key'
mkdir elsewhere
chmod 700 elsewhere
expect 3 env CT_HOME="$work/elsewhere" ct verify demo.ctp
say 'Refusal 3: not the bundle that was asked for'
expect 4 ct verify demo.ctp --expect something-else
printf '\nAll as it should be.\n'
