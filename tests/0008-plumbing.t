#!/bin/sh
# Each tool by itself, in anyone's pipeline.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
for key in one two; do ct keygen --no-password --id $key >/dev/null; done
ct pack oci:image -q -o a.ctp
alter blob-layer a.ctp bad.ctp
alter derived-index a.ctp index.ctp
forge() { python3 -B "$tests/record.py" "$@"; }
# member NAME FILE...: that member of the first record of each, a line each.
member() {
	python3 -c '
import json, sys
for name in sys.argv[2:]:
    print(json.dumps(json.loads(open(name).readline()).get(sys.argv[1]), sort_keys=True))' "$@"
}
unchanged() { # MEMBER BEFORE AFTER
	yes "$1 is as it was" [ "$(member "$@" | uniq | wc -l)" -eq 1 ]
}
filters='ct-canon ct-check ct-policy ct-sign ct-hash attest'
# ct-attest takes no record without something to attach.
printf '#!/bin/sh\nexec ct-attest --sbom "%s/s.json" "$@"\n' "$PWD" >"$tmp/attest" && chmod 755 "$tmp/attest"
PATH=$PATH:$tmp
python3 -B "$tests/predicates.py" sbom >s.json
printf '{"record":"ct/end/1","records":0}\n' >empty

# Streams.
is 0 'ct-open' ct-open a.ctp
cp "$out" opened && json opened
is 11 'ct-open: one of two is missing' ct-open a.ctp nothing
yes 'both have a record, and the end counts them' [ "$(sed -n '$p' "$out")" = '{"record":"ct/end/1","records":2}' ]
is 64 'ct-open: nothing to open' ct-open
has 'ct/error/1'
printf '%s\n' '{"record":"ct/error/1","finding":{"finding":"network","status":12,"check":"","summary":"s","context":{},"why":"w","try":[]}}' \
	'{"record":"ct/end/1","records":1}' >failed
sed "\$d" opened >unended
printf "{\"record\":\"ct/other/1\"}\n" >other
for tool in $filters; do
	is 0 "$tool: an empty stream" "$tool" <empty
	same "$out" empty
	is 12 "$tool: an error passes" "$tool" <failed
	same "$out" failed
	is 70 "$tool: no end" "$tool" <unended
	hasnt 'ct/end/1'
	is 10 "$tool: no record" "$tool" <other
done
is 70 'ct-explain --verdict: no bundle is no valid bundle' ct-explain --verdict <empty
is 12 'ct-explain: an error' ct-explain --verdict <failed
has 'Failed: s' "$err"
is 12 'ct-write: an error' ct-write --new -o x <failed
is 64 'ct-write: nothing to write' ct-write --new -o x <empty
is 64 'ct-write: two to write' sh -c 'ct-open a.ctp a.ctp | ct-write --new -o x'
is 64 'ct-write: nowhere' ct-write --new <opened
is 70 'ct-write: a bundle that nobody judged' ct-write -o x <opened
yes 'nothing was written' [ ! -e x ]
is 0 'ct-write: a bundle that was judged' sh -c 'ct-open a.ctp | ct-check | ct-policy | ct-write -o x'
same a.ctp x
is 70 'ct-hash: a bundle that nobody judged' ct-hash <opened
has '"finding":"not-passed"'
is 0 'ct-hash --all: a bundle that nobody judged' ct-hash --all <opened
is 1 'ct-hash --all: a damaged one' sh -c 'ct-open bad.ctp | ct-hash --all'
has '"content":false'

# Owners: a tool writes its own members anew, and leaves the others as it found them.
printf '%s' '
import json, sys
first, *rest = sys.stdin.read().splitlines()
record = json.loads(first)
for name in sys.argv[1:]:
    record[name] = {"junk": [name]}
print(json.dumps(record, separators=(",", ":")), *rest, sep="\n")' >junk.py
others() { # TOOL OWN...: run it on a record with junk in its own members and in one that is nobody's
	tool=$1 && shift
	python3 junk.py "$@" x_other <opened | forge unknown >before
	is 0 "$tool: own members are written anew" "$tool" <before
	cp "$out" after
	hasnt '"junk":["'"$1"'"]'
	for name in record bundle canonical manifest manifest_digest content derived attestations signatures trust x_note x_int x_other; do
		case " $* " in *" $name "*) ;; *) unchanged $name before after ;; esac
	done
}
others ct-check signatures
others ct-canon canonical manifest_digest
ct-check <opened >opened2 && mv opened2 opened
others ct-policy trust
cp opened before
is 0 'ct-sign appends' ct-sign -k two <before
cp "$out" after
yes 'one more' [ "$(member attestations after | grep -o payloadType | wc -l)" -eq 2 ]
for name in canonical manifest manifest_digest content derived signatures passed; do unchanged $name before after; done
is 0 'ct-attest appends' attest <before
cp "$out" after
for name in record bundle canonical manifest manifest_digest content derived attestations signatures trust passed findings; do unchanged $name before after; done
yes 'one' [ "$(member statements after | grep -o predicate_type | wc -l)" -eq 1 ]
cp after before
is 0 'and once more' attest <before
yes 'two' [ "$(member statements "$out" | grep -o predicate_type | wc -l)" -eq 2 ]
is 0 'ct-sign takes them out' ct-sign -k two <before
cp "$out" after
yes 'none' [ "$(member statements after)" = null ]
yes 'both lines' [ "$(member attestations after | grep -o payloadType | wc -l)" -eq 3 ]
for name in canonical manifest manifest_digest content derived signatures passed; do unchanged $name before after; done
is 0 'unknown members arrive at the end' sh -c 'ct-open a.ctp | python3 -B "$1" unknown | ct-check | ct-policy | ct-hash' - "$tests/record.py"
has '"x_int":1152921504606846976'
has "$(printf '"x_note":{"deep":[1,{"a":"\303\251')"
is 0 'ct-canon changes nothing that is canonical' sh -c 'ct-open a.ctp | tee before | ct-canon'
cp "$out" after
for name in canonical manifest manifest_digest content; do unchanged $name before after; done

# A bundle that cannot be judged passes on untouched.
ct-open bad.ctp nothing a.ctp >mixed
is 11 'all of them arrive' sh -c 'ct-check <mixed | ct-policy | ct-hash | ct-explain --verdict --json'
json
yes 'three' [ "$(wc -l <"$out")" -eq 3 ]
sed -n 2p mixed >expected
ct-check <mixed | ct-policy | ct-hash | sed -n 2p >found
same expected found

# Plain files.
printf 'a\n' >one.txt && : >none.txt && head -c 3000000 /dev/zero >zeros
is 0 'ct-hash FILE...' ct-hash one.txt none.txt zeros
sha256sum one.txt none.txt zeros | sed 's/^/sha256:/' >expected
same expected "$(cp "$out" found && echo found)"
is 11 'ct-hash: no such file' ct-hash nothing
is 11 'ct-hash: a directory' ct-hash image
is 0 'ct-hash -- -file' sh -c 'cp one.txt ./-x && ct-hash -- -x'
printf 'b = 1\n\n"a"="x" # why\n[t.u]\nk = [1,2 , 3]\n' >m.toml
is 0 'ct-canon FILE' ct-canon m.toml
cp "$out" c.toml
is 0 'the same by standard input' ct-canon <m.toml
same "$out" c.toml
is 0 'canonical stays' ct-canon c.toml
same "$out" c.toml
is 0 '--check: canonical' ct-canon --check c.toml
empty "$out"
is 6 '--check: not canonical' ct-canon --check m.toml
is 0 '--json' ct-canon --json m.toml
has "$(ct-hash c.toml | cut -d' ' -f1)"
printf 'a = 1.5\n' >float.toml
is 10 'a float' ct-canon float.toml
is 10 'a float, --json' ct-canon --json float.toml
has '"finding":"canon-float"'
is 11 'no such file' ct-canon nothing
is 10 'no TOML' ct-canon a.ctp
tar -xf a.ctp manifest.toml
is 0 'the manifest of a bundle is canonical' ct-canon --check manifest.toml

# A tool says its failures in the stream, and to people where there is none.
is 64 'in a pipe' sh -c 'ct-check --nonsense <empty | ct-policy | ct-hash | ct-explain --verdict'
has 'nonsense' "$err"
is 13 'no such key, in a pipe' sh -c 'ct-open a.ctp | ct-sign -k nobody | ct-write --new -o x2'
has 'nobody' "$err"
is 11 'no such policy, in a pipe' sh -c 'ct-open a.ctp | ct-check | ct-policy -p nothing | ct-hash | ct-explain --verdict'
is 64 'a descriptor that is none' ct-open --fd x -
is 11 'a descriptor that is closed' ct-open --fd 77 -
plan
