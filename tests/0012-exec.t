#!/bin/sh
# --exec: a command that has the key signs, wherever ct signs.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
ct keygen --no-password --id mine >/dev/null
python3 -B "$tests/predicates.py" sbom 400 >large.json
export SOURCE_DATE_EPOCH=1779000000
ct pack --no-sign oci:image -q -o unsigned.ctp
openssl genpkey -algorithm ed25519 -out token.pem 2>/dev/null
openssl pkey -in token.pem -pubout -out token.pub
by='openssl pkeyutl -sign -rawin -inkey token.pem -in /dev/stdin'

is 0 'a public key alone, by name' ct key import token.pub --id token
is 13 'is no key to sign with' ct sign -k token --exec "$by" -o no.ctp unsigned.ctp
has 'ct key trust token' "$err"
is 0 'until it is trusted' ct key trust token
is 13 'without --exec there is no private half' ct sign -k token -o no.ctp unsigned.ctp
is 0 'sign' ct sign -k token --exec "$by" -o a.ctp unsigned.ctp
has 'Signed by:  token '
is 0 'it is valid' ct verify a.ctp
has 'Signed by:  token '
is 0 'pack' ct pack -k token --exec="$by" --sbom large.json oci:image -o b.ctp
has 'Signed by:  token '
is 0 'valid, and the SBOM by the same' ct explain b.ctp
has 'SPDX 2.3, 400 packages, signed by token'
ct pack -q -k mine oci:image -o c.ctp
is 0 'attest' ct attest -k token --exec "$by" --sbom large.json c.ctp
is 0 're-sign' ct re-sign -k token --exec "$by" c.ctp
has 'Replaces:   mine '
is 0 'it is valid' ct verify c.ctp
has 'Signed by:  token '
is 0 'beside another' ct re-sign --add-signature -k mine c.ctp
cp "$HOME/.config/cerro/trusted/token.pub" ./moved.pub && sed 's/^Key-Id: token/Key-Id: moved/' moved.pub >there.pub && mv there.pub moved.pub
is 0 'a public key by its path' ct sign -k ./moved.pub --exec "$by" -o d.ctp unsigned.ctp
is 0 'which is the same key' ct verify d.ctp
has 'Signed by:  token '
is 13 'a path to something else' ct sign -k ./token.pem --exec "$by" -o no.ctp unsigned.ctp
is 13 'no such file' ct sign -k ./nothing.pub --exec "$by" -o no.ctp unsigned.ctp

# What the command gets, once for each thing that is signed.
cat >by <<'END_OF_COMMAND'
#!/bin/sh
# Keeps what it was given, and what it was told; and then signs.
number=$(($(cat count 2>/dev/null || echo 0) + 1)) && echo $number >count
cat >"signed.$number" && env | grep '^CT_' | sort >"told.$number"
ls /proc/self/fd | tr '\n' ' ' >descriptors
exec openssl pkeyutl -sign -rawin -inkey token.pem -in "signed.$number"
END_OF_COMMAND
chmod +x by
is 0 'a statement and a bundle' ct pack -q -k token --exec ./by --sbom large.json oci:image -o e.ctp
same b.ctp e.ctp
yes 'twice' [ "$(cat count)" -eq 2 ]
yes 'the very bytes' [ "$(head -c 39 signed.2)" = 'DSSEv1 28 application/vnd.in-toto+json ' ]
yes 'more than a pipe holds' [ "$(wc -c <signed.1)" -gt 65536 ]
openssl pkeyutl -sign -rawin -inkey token.pem -in signed.2 | base64 -w0 >signature
has "$(cat signature)" e.ctp
has 'CT_COMPONENT=ed25519' told.1
has 'CT_COMPONENT_NUMBER=1' told.1
has 'CT_KEY=token' told.1
has 'CT_SUITE=CT-SIG-01' told.1
has "CT_COMPONENT_FINGERPRINT=$(sed -n 's/^Fingerprint: //p' moved.pub)" told.1
hasnt CT_STATUS_FD told.1
hasnt CT_PID told.1
# The last is the directory that ls reads.
yes 'no descriptor but the standard ones' [ "$(cat descriptors)" = '0 1 2 3 ' ]
is 0 'what it says on standard error is seen' ct sign -q -k token --exec "echo touch the token >&2; $by" -o f.ctp unsigned.ctp
has 'touch the token' "$err"

# A command that does not sign.
for by in 'exit 3' false 'kill -9 $$' true 'echo no' 'head -c 64 /dev/zero' 'head -c 63 /dev/zero' 'cat' 'cat /dev/zero' 'nothing-of-this-name 2>/dev/null' \
	'openssl pkeyutl -sign -rawin -inkey token.pem -in /dev/stdin | base64' 'openssl pkeyutl -sign -rawin -inkey token.pem -in /dev/stdin; echo' \
	'openssl pkeyutl -sign -rawin -inkey token.pem -in /dev/stdin; exit 1' 'openssl pkeyutl -sign -rawin -inkey token.pem -in by' \
	'exec <&- >&-; exit 0' '-c'; do
	is 13 "$by" ct sign -k token --exec "$by 2>/dev/null" -o no.ctp unsigned.ctp
	has 'Not signed: the signing command did not sign' "$err"
done
has 'Component:' "$err"
is 13 'another key than -k says' ct sign -k mine --exec 'openssl pkeyutl -sign -rawin -inkey token.pem -in /dev/stdin' -o no.ctp unsigned.ctp
cp c.ctp before.ctp
is 13 'in place' ct re-sign -k token --exec 'cat' c.ctp
same c.ctp before.ctp
is 13 'attest' ct attest -k token --exec 'cat' --sbom large.json -o no.ctp a.ctp
is 13 'pack' ct pack -k token --exec 'cat' --sbom large.json oci:image -o no.ctp
yes 'nothing was written' [ ! -e no.ctp ]
yes 'nor left beside' [ -z "$(find . -maxdepth 1 -name '.?*')" ]
is 64 'a passphrase of what?' ct sign -k token --exec cat --passphrase-file token.pub -o no.ctp unsigned.ctp
is 64 '--no-sign' ct pack --no-sign --exec cat -o no.ctp oci:image
is 64 'no command' ct sign -k token --exec '' -o no.ctp unsigned.ctp

# Whoever waits for a token is not left behind when ct ends.
cat >waiting <<'END_OF_COMMAND'
#!/bin/sh
echo $$ >pid
exec sleep 60
END_OF_COMMAND
chmod +x waiting
ct sign -k token --exec ./waiting -o no.ctp unsigned.ctp >/dev/null 2>&1 &
ct=$!
# Not `kill -0`: the dead are there until whoever adopted them has waited for them.
running() { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }
n=0
until [ -s pid ] || [ "$n" -ge 200 ]; do sleep 0.05 && n=$((n + 1)); done
kill -9 "$ct"
n=0
while running "$(cat pid)" && [ "$n" -lt 100 ]; do sleep 0.05 && n=$((n + 1)); done
yes 'the command ended with it' [ "$n" -lt 100 ]
yes 'nothing was written' [ ! -e no.ctp ]
plan
