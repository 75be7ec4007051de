#!/bin/sh
# However a pipeline breaks, no verdict comes out of it: 70, or 11 where nothing can be written. Never 0, 1 or 2.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
ct keygen --no-password --id one >/dev/null
ct pack oci:image -q -o a.ctp
alter blob-layer a.ctp bad.ctp
real=$(CDPATH='' cd -- "$CT_BUILD" && pwd -P)

# An installation to break: the programs are copies, the rest is where it was until it is changed.
broken=$tmp/broken bin=$tmp/broken/bin library=$tmp/broken/lib/cerro-torre
install() {
	rm -rf "$broken" && mkdir -p "$library" && cp -R "$real/bin" "$broken/bin"
	for part in "$real"/lib/cerro-torre/*; do ln -s "$part" "$library/${part##*/}"; done
}
own() { # PART
	install && rm "$library/$1" && cp -R "$real/lib/cerro-torre/$1" "$library/"
}
# Compiled modules are never compared with their sources, so those of what is changed go.
changed() { # MODULE: more of it on standard input
	own cerrotorre && cat >>"$library/cerrotorre/$1.py" && rm "$library/cerrotorre/__pycache__/$1".*
}
stage() { cat >"$bin/$1" && chmod 755 "$bin/$1"; }
breaks() { # NAME [STATUS]
	is "${2-70}" "$1" "$bin/ct" verify a.ctp bad.ctp
}

install
is 0 'the copy works' "$bin/ct" verify a.ctp
is 1 'the copy tells a bad one' "$bin/ct" verify bad.ctp

# What is missing or cannot be read.
own cerrotorre && rm "$library/cerrotorre/bundle.py" "$library/cerrotorre/__pycache__/bundle".* && breaks 'a module is missing'
is 70 'a module is missing, standard error is closed' sh -c "'$bin/ct-open' a.ctp 2>&-"
printf 'def (:\n' | changed dsse && breaks 'a module has a syntax error'
printf 'raise SystemExit(0)\n' | changed dsse && breaks 'a module exits 0'
printf 'raise SystemExit(2)\n' | changed report && breaks 'a module exits 2'
printf 'raise KeyboardInterrupt\n' | changed errors && breaks 'a module is interrupted' 130
printf 'import os\nos._exit(1)\n' | changed report && breaks 'a module ends the process'
install && rm "$library/vendor" && breaks 'no vendored libraries'
install && rm "$library/cerrotorre" && breaks 'no library'
install && rm "$library/commands.txt" && breaks 'no list of commands'
install && rm "$library/commands" && breaks 'no recipes' 64
own commands && printf 'if then\n' >"$library/commands/verify" && breaks 'a recipe with a syntax error'
own commands && : >"$library/commands/verify" && breaks 'an empty recipe'
own commands && head -n 35 "$real/lib/cerro-torre/commands/verify" >"$library/commands/verify" && breaks 'half a recipe'
own commands && printf '#!/bin/sh\n. /nonexistent\n' >"$library/commands/verify" && breaks 'a recipe that reads nothing'
for tool in ct-open ct-check ct-policy ct-hash ct-explain; do
	install && rm "$bin/$tool" && breaks "$tool is missing"
	install && sed -i '1s|.*|#!/nonexistent/python3 -IS|' "$bin/$tool" && breaks "$tool: no interpreter"
done

# A stage that is not what it should be.
for tool in ct-open ct-check ct-policy ct-hash ct-explain; do
	for does in 'exit 0' 'exit 2' 'kill -9 $$' 'echo 0 >&9'; do
		# What says 0 on descriptor 9 in place of ct-explain is an installation that was replaced, no broken pipeline.
		case $tool:$does in ct-explain:echo*) continue ;; esac
		install && printf '#!/bin/sh\n%s\n' "$does" | stage $tool
		is 70 "$tool: $does" "$bin/ct" verify a.ctp
	done
done
for tool in ct-check ct-policy ct-hash; do
	# The next one says what nobody said.
	install && printf '#!/bin/sh\nexec cat\n' | stage $tool
	is 70 "$tool passes on what it never judged" "$bin/ct" verify a.ctp
	install && printf '#!/bin/sh\n%s "$@" | head -c 300\n' "$real/bin/$tool" | stage $tool
	is 70 "$tool stops in a line" "$bin/ct" verify a.ctp
	install && printf '#!/bin/sh\nexec echo garbage\n' | stage $tool
	is 10 "$tool writes garbage" "$bin/ct" verify a.ctp
	# How a stage in the middle ends is not seen, so what it says in the stream must be all.
	install && printf '#!/bin/sh\n%s "$@"; exit 1\n' "$real/bin/$tool" | stage $tool
	is 0 "$tool says all and exits 1" "$bin/ct" verify a.ctp
done
install && printf '#!/bin/sh\n%s "$@"; exit 2\n' "$real/bin/ct-explain" | stage ct-explain
is 70 'ct-explain says valid and exits 2' "$bin/ct" verify a.ctp
install && printf '#!/bin/sh\n%s "$@"; exit 0\n' "$real/bin/ct-explain" | stage ct-explain
is 70 'ct-explain says hash mismatch and exits 0' "$bin/ct" verify bad.ctp

# What a stage between could forge. Whatever it says, nothing that was not judged is called valid.
forge() { # TOOL CHANGE
	install && printf '#!/bin/sh\n%s "$@" | %s -IS %s %s\n' "$real/bin/$1" "${interpreter% *}" "$tests/record.py" "$2" | stage "$1"
}
for change in half-counted no-end miscounted counted-text counted-not end-twice end-first after-end none garbage unended nan duplicate \
	deep long kind kind-2 array passed-list finding-0 finding-99 finding-check finding-text findings-none; do
	case $change in
	unended | no-end | miscounted | counted-text | counted-not | none | half-counted | end-first) want=70 ;;
	*) want=10 ;;
	esac
	forge ct-hash $change
	is $want "ct-hash, $change" "$bin/ct" verify a.ctp
done

# What does not follow from the signed manifest, right after ct-open and right before ct-hash.
install
for change in manifest digest content-true content-none derived-less derived-name canonical canonical-text attestation; do
	forge ct-open $change
	is 10 "ct-open, $change" "$bin/ct" verify --json a.ctp
done
# A manifest and digest that fit each other are another manifest, which nobody signed.
for change in manifest digest content content-digest content-size content-less derived-none derived-empty canonical canonical-none place-negative; do
	forge ct-policy $change
	is 10 "ct-policy, $change" "$bin/ct" verify --json a.ctp
done
for case in place=1 place-first=1 place-derived=1 place-id=11 place-file=11 place-beyond=10 place-fd=10 unpassed=70 passed-word=70 unattested=2 \
	attestation-place=10; do
	forge ct-open "${case%=*}"
	is "${case#*=}" "ct-open, ${case%=*}" "$bin/ct" verify --json a.ctp
done
# Checks that others pass for a bad bundle, and findings that they take away.
for change in passed believed; do
	for tool in ct-open ct-check ct-policy; do
		forge $tool $change
		is 1 "$tool, $change: the content is hashed still" "$bin/ct" verify --json bad.ctp
		finding hash-mismatch
	done
	forge ct-open $change
	alter unsigned a.ctp b.ctp
	is 2 "ct-open, $change: signatures are checked still" "$bin/ct" verify --json b.ctp
	is 3 "ct-open, $change: trust is judged still" env HOME=/nowhere "$bin/ct" verify --json a.ctp
done
forge ct-hash unfound
is 70 'findings taken away' "$bin/ct" verify --json bad.ctp
finding not-passed
forge ct-hash finding-1
is 1 'a finding added' "$bin/ct" verify --json a.ctp
forge ct-hash unknown
is 0 'members that nobody knows' "$bin/ct" verify a.ctp
forge ct-open twice
is 0 'a record twice is two bundles' "$bin/ct" verify a.ctp

# Making a bundle: nothing is written by a pipeline that broke.
makes() { # NAME STATUS
	is "$2" "$1: pack" "$bin/ct" pack oci:image -o new.ctp
	is "$2" "$1: sign" "$bin/ct" sign -k two -o new.ctp a.ctp
	yes 'nothing is left' [ -z "$(find . -name 'new.ctp' -o -name '.?*')" ]
}
ct keygen --no-password --id two >/dev/null
for tool in ct-oci2ctp ct-canon ct-sign ct-write; do
	case $tool in ct-sign | ct-write) both=makes ;; *) both='is 70' ;; esac
	for does in 'exit 0' 'kill -9 $$'; do
		install && printf '#!/bin/sh\n%s\n' "$does" | stage $tool
		case $both in
		makes) makes "$tool: $does" 70 ;;
		*) is 70 "$tool: $does: pack" "$bin/ct" pack oci:image -o new.ctp ;;
		esac
	done
done
for change in no-end miscounted unended; do forge ct-sign $change && makes "ct-sign, $change" 70; done
for change in content-size canonical manifest place-negative; do forge ct-sign $change && makes "ct-sign, $change" 10; done
forge ct-sign place-first && makes 'ct-sign, place-first' 1
forge ct-sign twice && makes 'ct-sign, twice' 64
yes 'nothing was written' [ ! -e new.ctp ]
rm -rf "$broken"
plan
