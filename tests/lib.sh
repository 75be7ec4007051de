# lib.sh - TAP for tests/*.t, each in an empty directory with an empty $HOME.   . "$(dirname -- "$0")/lib.sh"
# shellcheck shell=sh disable=SC2034,SC2012
# CT_BUILD is the build that is tested; CT_SHELL, if set, the shell that runs ct (`busybox sh`, `bash --posix`).

tests=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
CT_BUILD=${CT_BUILD:-${tests%/*}/build}
tmp=$(mktemp -d) || exit 1
# What was made unreadable or unwritable on purpose goes too.
trap 'chmod -R u+rwX "$tmp"; rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM
out=$tmp/out err=$tmp/err count=0
for name in $(env | sed -n 's/^\(\(CT\|XDG\)_[A-Z_]*\)=.*/\1/p') SOURCE_DATE_EPOCH NO_COLOR TZ LANG LC_CTYPE; do
	case $name in CT_BUILD | CT_SHELL) ;; *) unset "$name" ;; esac
done
export HOME="$tmp/home" LC_ALL=C.UTF-8 PATH="$CT_BUILD/bin:$PATH"
umask 022
mkdir "$HOME" "$tmp/work" && cd "$tmp/work" || exit 1
exec </dev/null
if [ -n "${CT_SHELL-}" ]; then
	mkdir "$tmp/bin" && PATH=$tmp/bin:$PATH
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$CT_SHELL" "$CT_BUILD/bin/ct" >"$tmp/bin/ct" && chmod 755 "$tmp/bin/ct"
fi

plan() { printf '1..%d\n' "$count"; }
ok() { count=$((count + 1)) && printf 'ok %d - %s\n' "$count" "$1"; }
skip() { count=$((count + 1)) && printf 'ok %d - %s # SKIP %s\n' "$count" "$1" "$2"; }
notok() { # NAME WHY: with what the last command said
	count=$((count + 1)) && printf 'not ok %d - %s\n' "$count" "$1"
	{ printf '%s\n' "$2" && sed 's/^/out: /' "$out" && sed 's/^/err: /' "$err"; } 2>&1 | head -40 | cut -c -400 | sed 's/^/# /'
}

# is STATUS NAME COMMAND...: exactly this status. What a program says when it crashes is never a refusal.
is() {
	t_want=$1 t_name=$2 && shift 2
	"$@" >"$out" 2>"$err"
	t_got=$?
	if [ "$t_got" != "$t_want" ]; then
		notok "$t_name" "status $t_got instead of $t_want: $*"
	elif [ "$t_want" != 70 ] && grep -aqE 'Traceback|[Ss]yntax error|: not found|core dumped' "$err"; then
		notok "$t_name" "it crashed: $*"
	else
		ok "$t_name"
	fi
}

# has TEXT [FILE], hasnt TEXT [FILE]: in what the last command wrote to standard output, or in FILE.
has() { if grep -qF -e "$1" "${2:-$out}"; then ok "says: $1"; else notok "says: $1" "it is not in ${2:-the output}"; fi; }
hasnt() { if grep -qF -e "$1" "${2:-$out}"; then notok "does not say: $1" "it is in ${2:-the output}"; else ok "does not say: $1"; fi; }
empty() { if [ -s "$1" ]; then notok "empty: ${1##*/}" "it is not"; else ok "empty: ${1##*/}"; fi; }
same() { if cmp -s "$1" "$2"; then ok "the same: $1 $2"; else notok "the same: $1 $2" "they differ"; fi; }
yes() { t_name=$1 && shift && if "$@"; then ok "$t_name"; else notok "$t_name" "false: $*"; fi; } # NAME TEST...
# json [FILE]: every line of it is JSON.
json() {
	if python3 -c 'import json, sys; sys.exit(not [json.loads(line) for line in open(sys.argv[1])])' "${1:-$out}" 2>"$err"; then
		ok 'is JSON'
	else
		notok 'is JSON' 'it is not'
	fi
}
# finding SLUG: what the last `ct verify --json` decided by.
finding() { has "\"finding\":\"$1\",\"package\""; }
# lists EXPECTED: exactly these files are here.
lists() { t_listed=$(ls -A | tr "\n" " ") && yes "only this here: $1" [ "$t_listed" = "${1:+$1 }" ]; }

# The build's interpreter, as its tools call it: one that is found by PATH may be a script, and look for packages that nobody needs.
interpreter=$(sed -n '1s/^#!//p' "$CT_BUILD/bin/ct-open")
case ${interpreter##* } in *S*) site=-S ;; *) site=-B ;; esac
python3() { "${interpreter% *}" $site "$@"; }
image() { python3 -B "$tests/images.py" "$@"; }
alter() { python3 -B "$tests/alter.py" "$@"; }
