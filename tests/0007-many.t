#!/bin/sh
# Several bundles: each is judged, and the one status is that of the worst.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
ct keygen --no-password --id one >/dev/null
ct pack oci:image -q -o good
keys=$HOME/.config/cerro/keys
made() { alter "$1" good "$2" "$keys/one.key"; }
made blob-layer s1
made unsigned s2
made expired-signed s4
made header-mode s10
CT_HOME=$tmp/other ct keygen --no-password --id stranger >/dev/null
alter again-signed good s3 "$tmp/other/keys/stranger.key"
printf '{"version":"1","require_attestations":{"sbom":true}}' >sbom

is 0 'all valid' ct verify good ./good "$PWD/good"
has '3 of 3 valid'
is 0 'all valid, --json' ct verify --json good ./good
json
yes 'a line each' [ "$(wc -l <"$out")" -eq 2 ]
is 10 'one of each kind' ct verify s1 s2 s3 s4 s10 good
has '1 of 6 valid'
for file in s1 s2 s3 s4 s10; do has "✗ $file  "; done
has '✓ good  image 1.0'
is 10 'one of each kind, -v' ct verify -v s1 s2 s3 s4 s10 good
has '✗ Verification failed: nobody signed'
is 10 'one of each kind, --json' ct verify --json s1 s2 s3 s4 s10 good
json
yes 'in the order given' [ "$(sed 's/^{"bundle":"\([a-z0-9]*\)","valid":[a-z]*,"status":\([0-9]*\).*/\1=\2/' "$out" | tr '\n' ' ')" = 's1=1 s2=2 s3=3 s4=4 s10=10 good=0 ' ]

# What could not be judged ranks first, then the order of checks.
is 11 'a missing file' ct verify s1 s2 s10 nothing good
has '1 of 5 valid'
is 10 'structure before signatures' ct verify s2 s10
is 2 'signatures before trust' ct verify s1 s4 s3 s2 good
is 3 'trust before policy' ct verify s4 s3 s1
is 4 'policy before content' ct verify s1 s4
is 5 'attestations before content' ct verify --policy sbom s1 good
is 1 'content before nothing' ct verify good s1 good
is 11 'several at once' ct verify image /dev/null nothing good
has '1 of 4 valid'
is 11 'a policy that is missing, of all' ct verify --policy nothing good s2

# Many.
set --
for _ in 1 2 3 4 5 6 7 8 9 10; do set -- "$@" good good good good good; done
is 0 'fifty' ct verify "$@"
has '50 of 50 valid'
is 1 'fifty-one' ct verify "$@" s1
has '50 of 51 valid'

# Each stands by itself: a name may be anything.
mkdir -p ' a dir' && cp good ' a dir/new
line' && cp good './-' && cp good ./-x && cp good '*' && cp good '$(id)'
is 0 'odd names' ct verify ' a dir/new
line' ./- ./-x '*' '$(id)'
has 'a dir/new\x0aline'
has '5 of 5 valid'
is 0 'a name that looks like an option' ct verify -- -x '*'
is 0 '- after -- is standard input still' ct verify -- - <good
plan
