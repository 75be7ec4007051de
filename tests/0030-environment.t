#!/bin/sh
# Masks, locales, places and names; and where an output may go.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002,SC2015
. "$(dirname -- "$0")/lib.sh"
image single image
ct keygen --no-password --id one >/dev/null
SOURCE_DATE_EPOCH=1700000000 ct pack oci:image -q -o a.ctp
store=$HOME/.config/cerro
mode() { stat -c %a "$1"; }

# The umask decides a bundle's mode, and nothing of the key store's.
for mask in 022 077 000 027; do
	(umask $mask && ct pack oci:image -q -o m$mask.ctp && CT_HOME=$tmp/h$mask ct keygen --no-password --id k >/dev/null)
	yes "umask $mask: the key" [ "$(mode "$tmp/h$mask/keys/k.key")" = 600 ]
	yes "umask $mask: the directory" [ "$(mode "$tmp/h$mask/keys")" = 700 ]
done
yes 'umask 022: 644' [ "$(mode m022.ctp)" = 644 ]
yes 'umask 077: 600' [ "$(mode m077.ctp)" = 600 ]
yes 'umask 027: 640' [ "$(mode m027.ctp)" = 640 ]

# Locale and time zone change no byte, and only the marks.
for locale in C POSIX C.UTF-8 de_DE.ISO-8859-1 nonsense; do
	is 0 "LC_ALL=$locale: pack" env SOURCE_DATE_EPOCH=1700000000 LC_ALL=$locale ct pack oci:image -q -o b.ctp
	same a.ctp b.ctp
	is 0 "LC_ALL=$locale: verify" env LC_ALL=$locale ct verify a.ctp
	case $locale in C.UTF-8) has '✓ a.ctp is valid' ;; *) has 'ok a.ctp is valid' ;; esac
	is 11 "LC_ALL=$locale: a name that is not ASCII" env LC_ALL=$locale ct verify --json ä.ctp
	has '"bundle":"ä.ctp"'
done
is 0 'no locale at all' env -i PATH="$PATH" HOME="$HOME" ct verify a.ctp
has 'ok a.ctp is valid'
for zone in Asia/Kathmandu America/St_Johns Nonsense ''; do
	is 0 "TZ=$zone" env SOURCE_DATE_EPOCH=1700000000 TZ=$zone ct pack oci:image -q -o b.ctp
	same a.ctp b.ctp
	is 0 "TZ=$zone" env TZ=$zone ct verify a.ctp
	has '2023-11-14T22:13:20Z'
done

# Where one is, and what things are called.
for name in 'a dir' '-rf' '*' 'new
line' ' ' '$(id)' "it's" '"' '\n' 'ünïcode' '#x' '~' 'a:b' 'a=b' '%s'; do
	label=$(printf %s "$name" | tr '\n' '?')
	mkdir -p "$tmp/w/$name" && cp -R image "$tmp/w/$name/image" && cd "$tmp/w/$name" || continue
	is 0 "in '$label': pack" ct pack oci:image -q -o "$name.ctp"
	is 0 "in '$label': verify" ct verify -- "$name.ctp"
	has 'is valid'
	cd "$tmp/work" || exit 1
	is 0 "'$label' from elsewhere" ct verify --json "$tmp/w/$name/$name.ctp"
	json
done
is 0 'a layout of an odd name' ct pack --name x "oci:$tmp/w/new
line/image" -q -o odd.ctp
is 0 'HOME of an odd name' env HOME="$tmp/w/new
line" ct keygen --no-password --id odd
is 0 'signs' env HOME="$tmp/w/new
line" ct pack oci:image -q -o odd.ctp
is 0 'and verifies' env HOME="$tmp/w/new
line" ct verify odd.ctp
latin=$(printf 'l\344tin.ctp') && cp a.ctp "$latin"
is 64 'a name that is not UTF-8' ct verify "$latin"
has 'not UTF-8' "$err"
is 64 'an output that is not UTF-8' ct pack oci:image -q -o "$latin"
is 64 'a policy that is not UTF-8' ct verify --policy "$latin" a.ctp
mkdir "$tmp/d$latin" && cp a.ctp "$tmp/d$latin/" && cd "$tmp/d$latin" || exit 1
yes 'where the path is not UTF-8: no crash and no verdict but valid' sh -c 'ct verify a.ctp >/dev/null 2>&1; case $? in 0 | 11 | 64) ;; *) exit 1 ;; esac'
cd "$tmp/work" || exit 1
long=$(printf %0200d 0)
is 11 'a name too long' ct pack oci:image -q -o "$long$long.ctp"
is 0 'a long name' ct pack oci:image -q -o "$long$(printf %051d 0).ctp"
is 11 'a directory that is gone' sh -c 'mkdir gone && cd gone && rmdir ../gone && ct pack "oci:$OLDPWD/image" -q -o x.ctp'
is 0 'a bundle by an absolute path where the directory is gone' sh -c 'mkdir gone && cd gone && rmdir ../gone && ct verify "$OLDPWD/a.ctp"'

# ct by other ways.
mkdir bin && ln -s "$CT_BUILD/bin/ct" bin/ct && ln -s ct bin/ct2 && ln -s ../bin "$tmp/work/bin/loop"
is 0 'by a link' bin/ct verify a.ctp
is 0 'by a link to a link' bin/ct2 verify a.ctp
is 0 'by a link in PATH' env PATH="$PWD/bin:/usr/bin:/bin" ct2 verify a.ctp
is 0 'by a relative PATH' env PATH="bin:/usr/bin:/bin" ct verify a.ctp
is 0 'with nothing but coreutils in PATH' env PATH=/usr/bin:/bin "$CT_BUILD/bin/ct" verify a.ctp

# Where an output may go.
target=$tmp/target && mkdir "$target"
ln -s "$target/new.ctp" link.ctp
is 0 'a link that dangles' ct pack oci:image -q -o link.ctp
yes 'the link is a link' [ -L link.ctp ]
is 0 'its target was made' ct verify "$target/new.ctp"
is 0 'a link to a bundle' ct pack --version 2 oci:image -q -o link.ctp
yes 'the link is a link still' [ -L link.ctp ]
is 0 'its target was replaced' ct verify --expect image:2 "$target/new.ctp"
is 0 'sign through a link' sh -c 'CT_HOME=$1/h022 ct sign link.ctp' - "$tmp"
yes 'the link is a link yet' [ -L link.ctp ]
ln -s loop.ctp loop.ctp
is 11 'a link to itself' ct pack oci:image -q -o loop.ctp
for where in /dev/null /dev/full image .; do is 11 "to $where" ct pack oci:image -q -o $where; done
mkfifo fifo
is 11 'to a FIFO' ct pack oci:image -q -o fifo
yes '/dev/null is a device' [ -c /dev/null ]
is 11 'to a directory that is not there' ct pack oci:image -q -o nowhere/x.ctp
is 11 'below a file' ct pack oci:image -q -o a.ctp/x.ctp
printf 'some other file' >other && chmod 600 other
is 0 'over another file' ct pack oci:image -q -o other
is 0 'replaced' ct verify other
yes 'its mode stays' [ "$(mode other)" = 600 ]
cp m077.ctp secret.ctp && chmod 600 secret.ctp
is 0 'sign in place' env CT_HOME="$tmp/h022" ct sign -q secret.ctp
yes 'its mode stays, too' [ "$(mode secret.ctp)" = 600 ]
ln a.ctp hard.ctp
is 0 'over one of two links' ct pack --version 3 oci:image -q -o hard.ctp
is 0 'the other is as it was' ct verify --expect image:1.0 a.ctp

# A store that others can write to is nobody's.
cp -R "$store" "$tmp/good"
unsafe() { # NAME COMMAND...: 13 after it
	name=$1 && shift
	rm -rf "$store" && cp -R "$tmp/good" "$store" && chmod -R go-w "$store" && chmod 600 "$store/keys/one.key"
	"$@" || return
	is 13 "$name: verify" ct verify --json a.ctp
	is 13 "$name: sign" ct sign -q -o y.ctp m022.ctp
}
unsafe 'the directory is writable by the group' chmod g+w "$store"
unsafe 'keys/ is writable by others' chmod o+w "$store/keys"
unsafe 'a .pub is writable by the group' chmod g+w "$store/keys/one.pub"
printf '{"version":"1"}' >"$tmp/good/policy.json"
unsafe_policy() {
	rm -rf "$store" && cp -R "$tmp/good" "$store" && "$@" && is 13 "a policy: $*" ct verify --json a.ctp
}
unsafe_policy chmod g+w "$store/policy.json"
printf '[output]\n' >"$tmp/good/config.toml"
unsafe_policy chmod o+w "$store/config.toml"
if [ "$(id -u)" = 0 ]; then
	unsafe 'the directory is a stranger'"'"'s' chown 12345 "$store"
	unsafe 'keys/ is a stranger'"'"'s' chown 12345 "$store/keys"
	unsafe 'a .pub is a stranger'"'"'s' chown 12345 "$store/keys/one.pub"
	unsafe_policy chown 12345 "$store/policy.json"
	unsafe_policy chown -h 12345 "$store/config.toml"
else
	skip 'a store of a stranger'"'"'s' 'not root'
fi
rm -rf "$store" && cp -R "$tmp/good" "$store" && chmod -R go-w "$store"
is 0 'and safe again' ct verify a.ctp

# Who may not read or write.
as() { setpriv --reuid=12345 --regid=12345 --clear-groups env HOME="$tmp/theirs" "$@"; }
chmod 755 "$tmp" "$tmp/work"
if [ "$(id -u)" = 0 ] && ! as "$CT_BUILD/bin/ct-check" -V >/dev/null 2>&1; then
	# The build's interpreter is in a private place: the same build, then, by the system's, where anybody can reach it.
	mkdir "$tmp/public" && cp -R "$CT_BUILD/bin" "$CT_BUILD/lib" "$tmp/public/" && chmod -R go+rX "$tmp/public"
	for tool in "$tmp"/public/bin/ct-*; do sed -i '1s|.*|#!/usr/bin/python3 -IS|' "$tool"; done
	PATH=$tmp/public/bin:$PATH
fi
if [ "$(id -u)" = 0 ] && as ct-check -V >/dev/null 2>&1; then
	mkdir "$tmp/theirs" && chown 12345 "$tmp/theirs" && chmod 711 "$HOME"
	chmod -R go+rX image
	CT_HOME=$tmp/h022 ct pack oci:image -q -o secret022.ctp
	is 0 'another user' as ct keygen --no-password --id two
	is 0 'packs' as ct pack oci:image -q -o "$tmp/theirs/x.ctp"
	is 0 'verifies' as ct verify "$tmp/theirs/x.ctp"
	is 11 'a directory that is not writable' as ct pack oci:image -q -o x.ctp
	yes 'nothing is left' [ -z "$(find . -maxdepth 1 -name '.?*')" ]
	is 11 'a bundle that is not readable' as ct verify m077.ctp
	is 13 'a store of the other user, by root' env CT_HOME="$tmp/theirs/.config/cerro" ct verify "$tmp/theirs/x.ctp"
	chmod -R go+rX "$tmp/h022"
	is 0 'root'"'"'s store is good for anybody' as env CT_HOME="$tmp/h022" ct verify --json secret022.ctp
	printf '{"version":"1"}' >p && chmod 600 p
	is 11 'a policy that is not readable' as ct verify --policy "$PWD/p" "$tmp/theirs/x.ctp"
else
	skip 'another user' 'not root, or another user cannot run this build'
fi
plan
