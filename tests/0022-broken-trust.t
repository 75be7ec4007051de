#!/bin/sh
# As 0020: however a pipeline or a tool breaks, ct re-sign, ct policy test, ct audit, ct doctor and verify --record say 70 or 11, and change nothing.
# shellcheck source=tests/lib.sh disable=SC2016,SC2046,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
ct keygen --no-password --id one >/dev/null
ct pack oci:image -q -o a.ctp
alter blob-layer a.ctp bad.ctp
cp a.ctp was.ctp
printf '{"version":"1"}\n' >policy.json && cp policy.json was.json
is 0 'a log' ct verify --record log a.ctp
real=$(CDPATH='' cd -- "$CT_BUILD" && pwd -P)
broken=$tmp/broken bin=$tmp/broken/bin library=$tmp/broken/lib/cerro-torre

# The installation, of which only the programs and the recipes are copied.
install() {
	rm -rf "$bin" "$library" && mkdir -p "$library" && cp -R "$real/bin" "$broken/bin"
	for part in "$real"/lib/cerro-torre/*; do ln -s "$part" "$library/${part##*/}"; done
}
stage() { cat >"$bin/$1" && chmod 755 "$bin/$1"; }

# What each command runs, in its order.
stages() {
	case $1 in
	re-sign) echo ct-open ct-check ct-sign ct-write ;;
	'policy test') echo ct-open ct-check ct-policy ct-explain ;;
	'policy threshold') echo ct-policy-edit ;;
	verify) echo ct-open ct-check ct-policy ct-hash ct-explain ;;
	*) echo "ct-$1" ;;
	esac
}
words() {
	case $1 in
	re-sign) echo -k one a.ctp ;;
	'policy test') echo --policy policy.json a.ctp ;;
	'policy threshold') echo --policy policy.json 1 ;;
	verify) echo --record log a.ctp ;;
	audit) echo log ;;
	doctor) echo --quick ;;
	esac
}
run() { # STATUS NAME COMMAND
	# shellcheck disable=SC2086
	is "$1" "$3: $2" "$bin/ct" $3 $(words "$3")
	{ cmp a.ctp was.ctp && cmp policy.json was.json; } >>"$err" 2>&1 || notok "$3: $2" 'something was changed'
	[ "$(ls log/decisions)" = 00000001.json ] || notok "$3: $2" 'it was kept'
	[ -z "$(find . -name '*.part')" ] || notok "$3: $2" 'something is left'
}
for command in re-sign 'policy test' 'policy threshold' verify audit doctor; do
	for tool in $(stages "$command"); do
		install && rm "$bin/$tool"
		case $tool in ct-audit | ct-doctor) want=64 ;; *) want=70 ;; esac
		run $want "$tool is missing" "$command"
		install && sed -i '1s|.*|#!/nonexistent/python3 -IS|' "$bin/$tool" && run 70 "$tool: no interpreter" "$command"
		for does in 'exit 0' 'exit 1' 'exit 2' 'exit 6' 'kill -9 $$'; do
			install && printf '#!/bin/sh\n%s\n' "$does" | stage "$tool" && run 70 "$tool: $does" "$command"
		done
	done
done
for tool in ct-sign ct-check; do
	install && printf '#!/bin/sh\n%s "$@" | head -c 300\n' "$real/bin/$tool" | stage $tool && run 70 "$tool stops in a line" re-sign
done
for tool in ct-check ct-policy; do
	install && printf '#!/bin/sh\n%s "$@" | head -c 300\n' "$real/bin/$tool" | stage $tool && run 70 "$tool stops in a line" 'policy test'
	install && printf '#!/bin/sh\n%s "$@" | head -c 300\n' "$real/bin/$tool" | stage $tool && run 70 "$tool stops in a line" verify
done
rm -rf "$broken"

# What cannot be said.
for words in 're-sign -k one -o b.ctp a.ctp' 'policy test --policy policy.json a.ctp' 'policy test --json --policy policy.json a.ctp' 'audit log' 'audit --json log' \
	'doctor --quick' 'doctor --quick --json' 'policy check policy.json' 'policy show --policy policy.json' 'verify --record log bad.ctp'; do
	is 11 "full standard output: $words" sh -c "ct $words >/dev/full"
	is 11 "closed standard output: $words" sh -c "ct $words >&-"
done
is 11 'a log that is no directory' ct verify --record a.ctp bad.ctp
is 0 'the log is whole' ct audit log
plan
