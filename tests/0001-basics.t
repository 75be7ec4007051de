#!/bin/sh
# Help, versions, usage errors and options, of ct and of every tool.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"

for tool in "$CT_BUILD"/bin/ct-*; do
	name=${tool##*/}
	is 0 "$name -h" "$name" -h
	has "usage: $name"
	cp "$out" "$tmp/help"
	is 0 "$name --help" "$name" --help
	same "$tmp/help" "$out"
	is 0 "$name -V" "$name" -V
	has "$name "
	cp "$out" "$tmp/version"
	is 0 "$name --version" "$name" --version
	same "$tmp/version" "$out"
	is 64 "$name: an unknown option" "$name" --no-such-option
done
for tool in ct-check ct-policy ct-sign ct-oci2ctp ct-write ct-key ct-policy-edit; do
	is 64 "$tool: an operand too many" "$tool" one two three
done

is 0 'ct -h' ct -h
has 'usage: ct '
empty "$err"
is 0 'ct help' ct help
while IFS='	' read -r name class _; do
	case $class in
	plumbing) yes "the tool ct-$name is there" [ -x "$CT_BUILD/bin/ct-$name" ] ;;
	*) has "  $name " ;;
	esac
done <"$CT_BUILD/lib/cerro-torre/commands.txt"
is 0 'ct -V' ct -V
has 'ct'
is 0 'ct --version' ct --version
is 64 'ct alone' ct
empty "$out"
has 'usage: ct ' "$err"

for name in pack sign verify explain keygen policy; do
	is 0 "ct $name -h" ct "$name" -h
	has "usage: ct $name"
	is 0 "ct $name --help" ct "$name" --help
	is 0 "ct help $name" ct help "$name"
	has "usage: ct $name"
	is 64 "ct $name: an unknown option" ct "$name" --no-such-option
	empty "$out"
	has 'error: ' "$err"
done
for name in pack sign verify explain policy key; do
	is 64 "ct $name alone" ct "$name"
	empty "$out"
done

is 64 'an unknown option of ct' ct --no-such-option verify
is 64 'an unknown command' ct frobnicate
has 'no command frobnicate' "$err"
hasnt 'did you mean' "$err"
is 64 'a mistyped command' ct verfy x.ctp
has 'did you mean ct verify?' "$err"
is 64 'another' ct exlpain x.ctp
has 'did you mean ct explain?' "$err"
is 64 'help on no command' ct help verfy
has 'did you mean ct verify?' "$err"
for name in ../bin/ct-open ./verify /bin/sh '' ' ' 'ver*' Verify '$(id)' verify.; do
	is 64 "no command: '$name'" ct "$name" x
done

for value in --policy --at --expect; do
	is 64 "ct verify x $value: no value" ct verify x "$value"
	is 64 "ct verify $value= x: an empty value" ct verify "$value=" x
done
is 64 '--at: no time' ct verify --at yesterday x.ctp
has 'yesterday' "$err"
is 64 '--at: no day' ct verify --at 2026-02-30 x.ctp
is 64 '--expect: no name' ct verify --expect 'no name' x.ctp
is 64 'ct pack: two images' ct pack oci:a oci:b -o c
is 64 'ct pack: no output' ct pack oci:a
is 64 'ct pack: --no-sign with a key' ct pack --no-sign -k key oci:a -o c
is 64 'ct pack: no reference' ct pack 'Not A Reference' --no-sign -o c
is 64 'ct pack: -o last' ct pack oci:a -o
is 64 'ct sign: two bundles' ct sign a b
is 64 'ct explain: neither a file nor a finding' ct explain no-such-finding
is 64 'ct key: no subcommand' ct key frobnicate
is 64 'ct policy: no subcommand' ct policy frobnicate
is 64 'ct keygen: no id' ct keygen --no-password --id 'a b'
is 64 'ct keygen: an operand' ct keygen --no-password id
is 64 'ct keygen: no suite' ct keygen --no-password --suite CT-SIG-99
is 64 'ct key export without --public' ct key export id
lists ''

# Options where people put them, and both spellings.
image single image && ct keygen --no-password --id key >/dev/null
is 0 'options after the operand' ct pack oci:image -o a.ctp --name one --version 2 -q
empty "$out"
is 0 'options before it, with =' ct pack --name=one --version=2 -q -oa.ctp oci:image
is 0 '-kKEY' ct pack -kkey -q oci:image -ob.ctp
printf '{"version":"1"}' >p
is 0 'ct verify FILE --policy P' ct verify a.ctp --policy p
has 'Policy:     p'
is 0 'ct verify --policy=P FILE -v' ct verify --policy=p a.ctp -v
is 0 'ct verify --at=T --expect=E' ct verify --at=2036-01-01 --expect=one:2 a.ctp
is 0 'ct verify -- FILE' ct verify --json -- a.ctp
has '"valid":true'
cp a.ctp ./--json
is 0 'ct verify -- --json' ct verify -- --json
has '--json is valid'
is 11 'after -- there are no options' ct verify a.ctp -- --policy
is 0 'ct --color=always verify' ct --color=always verify a.ctp
has "$(printf '\033[')"
is 0 'ct verify --color=never' ct --color=always verify --color=never a.ctp
hasnt "$(printf '\033')"
is 0 'no colour but on a terminal' ct verify a.ctp
hasnt "$(printf '\033')"
is 0 'NO_COLOR' env NO_COLOR=1 ct --color=auto verify a.ctp
is 64 'no such colour' ct --color=pink verify a.ctp
has '--color=auto, --color=always or --color=never' "$err"
is 64 'no such format' ct --format=yaml verify a.ctp
has '--format=text or --format=json' "$err"
is 64 'no such format in the environment' env CT_FORMAT=yaml ct verify a.ctp
has 'CT_FORMAT is text or json, not yaml' "$err"
is 64 'letters exchanged' ct kye
has 'did you mean ct key?' "$err"
is 64 'a letter missing' ct plicy
has 'did you mean ct policy?' "$err"
is 64 'nothing near' ct launch
hasnt 'did you mean' "$err"
is 0 'ct help TOOL' ct help ct-open
has 'usage: ct-open'
cp a.ctp held.ctp
for command in "sign held.ctp" "attest held.ctp" "pack oci:image"; do
	# shellcheck disable=SC2086
	is 11 "$command: nowhere to write" ct $command --sbom x -o nowhere/x.ctp
	has "cannot write 'nowhere/x.ctp': there is no directory './nowhere'" "$err"
done
mkdir shared && chmod 777 shared
is 13 'others could put another image into the private directory' env TMPDIR="$PWD/shared" ct attest --sbom x -o shared/x.ctp held.ctp
has 'set TMPDIR to a directory of your own' "$err"
is 11 'which lies elsewhere then' ct attest --sbom x -o shared/x.ctp held.ctp
has "cannot open 'x'" "$err"
plan
