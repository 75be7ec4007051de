#!/bin/sh
# ct sign: a signature more, in place or elsewhere; and who may sign.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
image single image
for key in one two; do ct keygen --no-password --id $key >/dev/null; done
ct pack --no-sign oci:image -q -o unsigned.ctp
ct pack -k one oci:image -q -o one.ctp

cp unsigned.ctp a.ctp && chmod 640 a.ctp
is 0 'in place, by the default key' ct sign a.ctp
has 'Signed image:1.0'
has 'Signed by:  one '
is 0 'it is valid' ct verify a.ctp
has 'Signed by:  one '
is 0 'by another key too' ct sign -k two a.ctp
has 'Signed by:  one '
has 'Signed by:  two '
is 0 'by both' ct verify a.ctp
has 'Signed by:  one '
has 'Signed by:  two '
yes 'only the files that were made are here' [ "$(ls -A | tr '\n' ' ')" = 'a.ctp image one.ctp unsigned.ctp ' ]

is 0 'into another file' ct sign -k two -o b.ctp one.ctp
is 0 'the other is as it was' ct verify one.ctp
hasnt 'Signed by:  two '
is 0 'by both, again' ct verify b.ctp
has 'Signed by:  two '
is 0 'to standard output' ct sign -k two -o - one.ctp
cp "$out" piped.ctp
is 0 'which is a bundle' ct verify piped.ctp
rm piped.ctp
is 64 'signed by this key already' ct sign one.ctp
has 'already signed' "$err"
same one.ctp one.ctp
is 0 '--json' ct sign --json -k two -o c.ctp one.ctp
json
is 64 'a pipe' sh -c 'ct sign -k two - <one.ctp'
is 0 '-q' ct sign -q -k two -o c.ctp one.ctp
empty "$out"
is 0 '--expires' ct sign --expires=2999-01-01 -k two -o c.ctp unsigned.ctp
is 4 'expires' ct verify --at 3000-01-01 c.ctp
is 64 '--expires in the past' ct sign --expires 2001-01-01 -o d.ctp unsigned.ctp

# The manifest, and every digest, stay as they were.
for file in unsigned.ctp b.ctp; do tar -xOf $file manifest.toml >$file.toml && tar -xOf $file summary.json >$file.json; done
same unsigned.ctp.toml b.ctp.toml
same unsigned.ctp.json b.ctp.json

# Damage never gets a fresh signature.
for change in blob-layer blob-config derived-index derived-summary; do
	alter $change unsigned.ctp bad.ctp && cp bad.ctp before.ctp
	is 1 "$change: not signed" ct sign bad.ctp
	same bad.ctp before.ctp
	is 1 "$change: not elsewhere either" ct sign -o d.ctp bad.ctp
	yes 'nothing was written' [ ! -e d.ctp ]
done
for change in header-mode trailing-byte manifest-comment line-empty manifest-version; do
	alter $change one.ctp bad.ctp && cp bad.ctp before.ctp
	is 10 "$change: not signed" ct sign -k two bad.ctp
	same bad.ctp before.ctp
done
alter platforms-signed one.ctp bad.ctp "$HOME/.config/cerro/keys/one.key"
is 10 'a manifest that contradicts its image' ct sign -k two -o d.ctp bad.ctp
has "contradicts the image's own documents" "$err"

# Who may sign.
is 11 'no such bundle' ct sign nothing.ctp
is 13 'no such key' ct sign -k nobody -o d.ctp one.ctp
is 13 'no key at all' env HOME=/nowhere ct sign -o d.ctp unsigned.ctp
is 0 'a key by its path' ct sign -k "$HOME/.config/cerro/keys/two.key" -o d.ctp one.ctp
is 0 'ct key export' ct key export one --public -o one.pub
ct key import one.pub --id three >/dev/null 2>&1
is 13 'a public key alone signs nothing' ct sign -k one.pub -o e.ctp unsigned.ctp
cp "$HOME/.config/cerro/keys/one.pub" "$tmp/one.pub"
cp "$HOME/.config/cerro/keys/two.pub" "$tmp/two.pub"
sed 's/^Key-Id: two/Key-Id: one/' "$tmp/two.pub" >"$HOME/.config/cerro/keys/one.pub"
is 13 'a .pub that is not of the .key' ct sign -k one -o e.ctp unsigned.ctp
cp "$tmp/one.pub" "$HOME/.config/cerro/keys/one.pub"
chmod 644 "$HOME/.config/cerro/keys/one.key"
is 13 'a private key that others can read' ct sign -k one -o e.ctp unsigned.ctp
chmod 600 "$HOME/.config/cerro/keys/one.key"
yes 'none of them wrote' [ ! -e e.ctp ]

# Passphrases: from a file or descriptor, never from argv or an environment value.
printf 'correct horse\n' >pass && chmod 600 pass
is 0 'an encrypted key' ct keygen --id locked --passphrase-file pass
has 'encrypted'
is 0 'CT_PASSPHRASE_FILE' env CT_PASSPHRASE_FILE=pass ct sign -k locked -o e.ctp unsigned.ctp
is 0 'which is valid' ct verify e.ctp
printf 'wrong\n' >wrong && chmod 600 wrong
is 0 'the passphrase of a file' ct sign --passphrase-file pass -k locked -o e1.ctp unsigned.ctp
is 0 'the passphrase of a descriptor' sh -c 'ct sign --passphrase-fd=3 -k locked -o e2.ctp unsigned.ctp 3<pass'
is 13 'a wrong passphrase file' ct sign --passphrase-file wrong -k locked -o f.ctp unsigned.ctp
is 13 'a wrong passphrase' env CT_PASSPHRASE_FILE=wrong ct sign -k locked -o f.ctp unsigned.ctp
is 11 'no passphrase file' env CT_PASSPHRASE_FILE=absent ct sign -k locked -o f.ctp unsigned.ctp
is 13 'an empty passphrase' env CT_PASSPHRASE_FILE=/dev/null ct sign -k locked -o f.ctp unsigned.ctp
is 13 'no terminal to ask at' setsid ct sign -k locked -o f.ctp unsigned.ctp
yes 'none of them wrote' [ ! -e f.ctp ]
plan
