#!/bin/sh
# Descriptors, disks, signals and variables as a caller may leave them.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
ct keygen --no-password --id one >/dev/null
ct pack oci:image -q -o a.ctp
alter blob-layer a.ctp bad.ctp

# Closed and full descriptors. A verdict that could not be said is none.
for file in a.ctp bad.ctp; do
	is 11 "closed standard output: verify $file" sh -c "ct verify $file >&-"
	is 11 "full standard output: verify $file" sh -c "ct verify $file >/dev/full"
	is 11 "full standard output: verify --json $file" sh -c "ct verify --json $file >/dev/full"
done
is 11 'a reader that is gone' sh -c '{ sleep 0.3; ct verify a.ctp; echo $? >status; } | true; exit $(cat status)'
is 11 'full standard output: explain' sh -c 'ct explain a.ctp >/dev/full'
is 11 'closed standard output: help' sh -c 'ct help >&-'
is 11 'full standard output: help' sh -c 'ct help >/dev/full'
is 11 'full standard output: -h' sh -c 'ct verify -h >/dev/full'
is 11 'full standard output: -V' sh -c 'ct -V >/dev/full'
is 11 'full standard output: a tool' sh -c 'ct-open a.ctp >/dev/full'
is 11 'closed standard output: a tool' sh -c 'ct-open a.ctp >&-'
is 11 'full standard output: pack -o -' sh -c 'ct pack oci:image -o - >/dev/full'
is 11 'full standard output: the report of pack' sh -c 'ct pack oci:image -o b.ctp >/dev/full'
is 0 'closed standard error' sh -c 'ct verify a.ctp 2>&-'
is 1 'closed standard error, a bad one' sh -c 'ct verify bad.ctp 2>&-'
is 11 'closed standard error, no such file' sh -c 'ct verify nothing 2>&-'
is 64 'closed standard error, usage' sh -c 'ct verify 2>&-'
is 64 'full standard error, usage' sh -c 'ct verify 2>/dev/full'
is 64 'full standard error, usage of a tool' sh -c 'ct-open 2>/dev/full'
is 11 'full standard error, no such policy' sh -c 'ct verify --policy nothing a.ctp 2>/dev/full'
is 0 'closed standard input' sh -c 'ct verify a.ctp <&-'
is 0 'all closed but standard output' sh -c 'ct verify a.ctp <&- 2>&-'
is 11 'all closed' sh -c 'ct verify a.ctp <&- >&- 2>&-'
for tool in "$CT_BUILD"/bin/ct-*; do
	is 64 "${tool##*/}: closed standard error" sh -c "$tool --no-such-option 2>&-"
	is 0 "${tool##*/} -h: closed standard error" sh -c "$tool -h 2>&-"
done
is 11 'a tool that fails: closed standard error' sh -c 'ct-open nothing 2>&-'
is 11 'a tool that fails: all but standard output closed' sh -c 'ct-open nothing 2>&- <&-'
for tool in ct-check ct-policy ct-hash ct-explain ct-sign 'ct-write --new -o x'; do
	is 70 "$tool: empty standard input" sh -c "$tool </dev/null"
	is 11 "$tool: closed standard input" sh -c "$tool <&-"
done

# Descriptors of the caller's are nobody's to write to.
printf kept >three && cp three eight && cp three nine
is 0 'descriptors 3, 8 and 9' sh -c 'ct verify a.ctp 3>>three 8>>eight 9>>nine'
is 1 'descriptors 3, 8 and 9, a bad one' sh -c 'ct verify bad.ctp 3>>three 8>>eight 9>>nine'
is 0 'descriptors 3, 8 and 9, pack' sh -c 'ct pack oci:image -q -o b.ctp 3>>three 8>>eight 9>>nine'
is 0 'descriptors 3, 8 and 9, another tool' sh -c 'ct key list 3>>three 8>>eight 9>>nine'
for file in three eight nine; do yes "$file is untouched" [ "$(cat $file)" = kept ]; done
is 0 'descriptors for reading' sh -c 'ct verify a.ctp 3<a.ctp 8<a.ctp 9<a.ctp'

# Variables that are not the caller's to set, and junk.
is 1 'CT_STATUS_FD' env CT_STATUS_FD=1 ct verify --json bad.ctp
json
is 0 'CT_STATUS_FD of a plain command' env CT_STATUS_FD=1 ct key list --json
json
is 1 'CT_STATUS_FD: junk' env CT_STATUS_FD=99999999999 ct verify bad.ctp
is 0 'other CT_ variables' env CT_ALLOW=1 CT_NO_VERIFY=1 'CT_x=$(id)' ct verify a.ctp
is 1 'other CT_ variables, a bad one' env CT_ALLOW=1 CT_NO_VERIFY=1 CT_SKIP=content ct verify bad.ctp
is 0 'a line that looks like one' env "X=
CT_HOME=/nowhere" ct verify a.ctp
is 1 'PYTHON variables' env PYTHONPATH="$PWD" PYTHONSTARTUP=x PYTHONINSPECT=1 PYTHONHOME=/nowhere PYTHONOPTIMIZE=2 ct verify bad.ctp
printf 'import os\nos._exit(0)\n' >json.py && cp json.py sys.py && cp json.py cerrotorre.py && cp json.py sitecustomize.py
is 1 'modules in the working directory' ct verify bad.ctp
mkdir -p "$HOME/.local/lib/python3/site-packages" && cp json.py "$HOME/.local/lib/python3/site-packages/"
is 1 'modules in PYTHONPATH' env PYTHONPATH="$PWD" ct verify bad.ctp
is 1 'IFS' env IFS=aeiou/ ct verify bad.ctp
is 1 'CDPATH' env CDPATH=/tmp:/ ct verify bad.ctp
is 1 'ENV and BASH_ENV' env ENV="$PWD/env" BASH_ENV="$PWD/env" POSIXLY_CORRECT=1 ct verify bad.ctp
is 1 'an empty PATH after start' sh -c 'ct=$(command -v ct) && printf "ct() { :; }\nexit 0\n" >env && PATH=/usr/bin:/bin "$ct" verify bad.ctp'
is 3 'CT_HOME elsewhere' env CT_HOME=/nowhere ct verify a.ctp
is 0 'an empty CT_HOME is none' env CT_HOME= ct verify a.ctp
is 0 'no HOME, but CT_HOME' env -u HOME CT_HOME="$HOME/.config/cerro" ct verify a.ctp
is 0 'XDG_CONFIG_HOME' env HOME=/nowhere XDG_CONFIG_HOME="$HOME/.config" ct verify a.ctp
is 3 'a relative XDG_CONFIG_HOME is none' env HOME=/nowhere XDG_CONFIG_HOME=. ct verify a.ctp
is 64 'a relative HOME' env HOME=. ct verify a.ctp
is 1 'no verdict depends on SOURCE_DATE_EPOCH' env SOURCE_DATE_EPOCH=junk ct verify bad.ctp

# Signals: nothing is left, and no verdict.
rm -f json.py sys.py cerrotorre.py sitecustomize.py
python3 -B - "$tests" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import images
to = images.Layout("huge")
to.index(to.image(1, kind=images.TAR, size=300 << 20))
END
mkdir to
for signal in TERM INT HUP KILL; do
	(cd to && exec python3 -B - $signal <<'END'
import os, signal, subprocess, sys, time
child = subprocess.Popen(["ct", "pack", "oci:../huge", "-o", "new.ctp"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(0.25)
# The terminal's signal goes to the whole process group.
os.killpg(child.pid, getattr(signal, "SIG" + sys.argv[1]))
sys.exit(0 if child.wait(60) not in (0, 1, 2) else 1)
END
	)
	status=$?
	sleep 0.1
	yes "SIG$signal: no verdict" [ $status -eq 0 ]
	yes "SIG$signal: nothing is left" [ -z "$(ls -A to)" ]
done
is 0 'undisturbed it is written' ct pack oci:huge -q -o to/new.ctp
cp to/new.ctp before.ctp && SIZE=$(wc -c <before.ctp)
python3 -B - <<'END'
import os, signal, subprocess, time
child = subprocess.Popen(["ct", "pack", "oci:huge", "-o", "to/new.ctp"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(0.25)
os.killpg(child.pid, signal.SIGTERM)
child.wait(60)
END
yes 'what is replaced stays whole' [ "$(wc -c <to/new.ctp)" -eq "$SIZE" ]
yes 'and alone' [ "$(ls -A to)" = new.ctp ]
rm -rf before.ctp to/new.ctp

# A full disk.
mkdir full
if mount -t tmpfs -o size=1m none full 2>"$err"; then
	is 11 'a full disk' ct pack oci:huge -o full/new.ctp
	yes 'nothing is left on it' [ -z "$(ls -A full)" ]
	is 0 'a small one fits' ct pack oci:image -q -o full/new.ctp
	cp full/new.ctp full/old.ctp && head -c 10000000 /dev/zero >full/zero 2>/dev/null
	is 11 'a full disk: sign in place' ct sign -k "$HOME/.config/cerro/keys/one.key" full/none.ctp
	ct keygen --no-password --id two >/dev/null
	is 11 'a full disk: another signature' ct sign -k two full/new.ctp
	same full/new.ctp full/old.ctp
	is 11 'a full disk: a key' ct keygen --no-password --id three --output full/keys
	is 0 'it is valid still' ct verify full/new.ctp
	yes 'nothing else is there' [ "$(ls -A full | tr '\n' ' ')" = 'keys new.ctp old.ctp zero ' ]
	umount full
else
	skip 'a full disk' 'no tmpfs can be mounted here'
fi
plan
