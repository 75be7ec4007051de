#!/bin/sh
# ct pack: what it makes of every kind of layout, and what it refuses.
# shellcheck source=tests/lib.sh disable=SC2016,SC2154,SC2119,SC2012,SC2013,SC2002
. "$(dirname -- "$0")/lib.sh"
ct keygen --no-password --id key >/dev/null
export SOURCE_DATE_EPOCH=1700000000

# Every kind that is an image is packed, and what was packed is valid.
kinds='single plain-tar zstd-layers large no-layers repeated untagged full-name labelled docker umoci multi buildkit nested'
for kind in $kinds two-tags; do set -- "$@" "$kind" "$kind"; done
image "$@"
set --
for kind in $kinds; do
	is 0 "$kind is packed" ct pack "oci:$kind" -o "$kind.ctp"
	empty "$err"
	has 'Signed by:  key  (CT-SIG-01)  SHA256:'
	set -- "$@" "$kind.ctp"
done
for kind in multi buildkit nested; do
	is 0 "$kind: all of it" ct pack --platform all oci:$kind -q -o $kind-all.ctp
	is 0 "$kind: another platform" ct pack --platform=linux/arm/v7 oci:$kind -o $kind-arm.ctp
	has 'linux/arm/v7'
	is 0 "$kind: by os/arch, whatever variant" ct pack --platform linux/arm oci:$kind -q -o $kind-arm2.ctp
	same $kind-arm.ctp $kind-arm2.ctp
	is 10 "$kind: no such platform" ct pack --platform linux/vax oci:$kind -o no.ctp
	has 'linux/arm/v7' "$err"
	is 10 "$kind: no such variant" ct pack --platform linux/arm/v5 oci:$kind -o no.ctp
	is 0 "$kind: what all of it is" ct explain $kind-all.ctp
	hasnt 'unknown/unknown'
	has 'linux/s390x'
	set -- "$@" $kind-all.ctp
done
is 0 'all of them are valid' ct verify "$@"
for name; do has "✓ $name  "; done
yes 'nothing is left beside' [ -z "$(find . -maxdepth 1 -name '.?*')" ]

# Which image, and what it is called.
is 10 'several images and no tag' ct pack oci:two-tags -o no.ctp
has 'again, one, two' "$err"
is 10 'no such tag' ct pack oci:two-tags:three -o no.ctp
is 0 'one of them' ct pack oci:two-tags:two -o two.ctp
has 'Packed two-tags:two'
is 0 'without a tag the version is of the digest' ct verify untagged.ctp
cp -R untagged untagged2
digest=$(ct pack --no-sign --json oci:untagged2 -o u.ctp | sed 's/.*"image_digest":"sha256:\([0-9a-f]\{12\}\).*/\1/')
is 0 'twelve digits of it' ct verify --expect "untagged:$digest" untagged.ctp
is 0 'a full name in the layout splits like a reference' ct verify --expect app:2.5 full-name.ctp
is 0 '--name and --version' ct pack --name other --version 9 oci:single -o named.ctp
has 'Packed other:9'
for bad in '' A -a a/../b .git a/.git/b manifest.toml a/ 'a b' "$(printf %0129d 0)"; do
	is 64 "no name: '$bad'" ct pack --name "$bad" oci:single -o no.ctp
done
for bad in '' .a -a 'a b' a/b a:b "$(printf %0129d 0)"; do
	is 64 "no version: '$bad'" ct pack --version "$bad" oci:single -o no.ctp
done
mkdir deep && cp -R single 'deep/UPPER dir'
is 0 'a directory of an odd name' ct pack 'oci:deep/UPPER dir' -o odd.ctp
has 'Packed upper-dir:1.0'
is 1 'its path stays out of the bundle' grep -q deep odd.ctp
is 0 'a trailing slash' ct pack oci:single/ -o slash.ctp
has 'Packed single:1.0'
(cd single && is 0 'the working directory' ct pack oci:. -o ../dot.ctp && has 'Packed single:1.0')
count=$((count + 2))

# The same image, reference, platform and SOURCE_DATE_EPOCH give the same file.
cp -R single copy && touch -d 2001-01-01 copy/index.json && mkdir elsewhere && mv copy elsewhere/single
is 0 'again, elsewhere' env TZ=Asia/Tokyo LC_ALL=C sh -c 'umask 077 && ct pack oci:elsewhere/single -q -o again.ctp'
same single.ctp again.ctp
is 0 'to standard output' ct pack oci:single -o -
same "$out" single.ctp
has 'Packed single:1.0' "$err"
is 0 'over a file that is there' ct pack oci:single -q -o again.ctp
same single.ctp again.ctp
is 64 'SOURCE_DATE_EPOCH that is none' env SOURCE_DATE_EPOCH=tomorrow ct pack oci:single -o no.ctp
is 0 '--json' ct pack --json oci:single -o json.ctp
json
is 0 '-q' ct pack -q oci:single -o q.ctp
empty "$out"
empty "$err"

# A warning is no refusal.
is 0 'metadata that cannot be canonical' ct pack oci:labelled -o labelled.ctp
has 'org.opencontainers.image.description is left out'
hasnt "$(printf '\033')"
is 0 'annotations before labels' ct explain labelled.ctp
has 'Title      Title'
has 'Vendor     Vendor'
hasnt 'red '

# Signed, or not.
is 0 '--no-sign' ct pack --no-sign oci:single -o unsigned.ctp
has 'Signed by:  nobody'
is 2 'nobody signed' ct verify unsigned.ctp
is 13 'no such key' ct pack -k nobody oci:single -o no.ctp
is 13 'no key at all' env HOME=/nowhere ct pack oci:single -o no.ctp
has 'ct keygen' "$err"
is 0 '--expires' ct pack --expires 2999-12-31 oci:single -q -o expires.ctp
is 64 '--expires before now' ct pack --expires 2001-01-01 oci:single -o no.ctp
is 64 '--expires that is no day' ct pack --expires soon oci:single -o no.ctp
is 4 'it expires' ct verify --at 3000-01-01T00:00:00Z expires.ctp
is 0 'at the end of its day it has not' ct verify --at 2999-12-31T23:59:59Z expires.ctp

# What is refused, by its own name.
bad='marker empty index-json case config-case both digest sha512 path media-type schema data absent foreign size manifest-size layer config
	artifact depth large link platform'
set --
for kind in $bad; do set -- "$@" "bad-$kind" "bad-$kind"; done
image "$@"
refused() { # STATUS KIND SUMMARY
	is "$1" "$2 is refused" ct pack "oci:$2" -o no.ctp
	has "Not packed: $3" "$err"
	empty "$out"
}
refused 10 bad-marker 'not an OCI image layout'
refused 10 bad-empty 'no such image there'
refused 10 bad-index-json 'a document of the image is not strict JSON'
refused 10 bad-case 'a document of the image is not strict JSON'
refused 10 bad-config-case 'a document of the image is not strict JSON'
refused 10 bad-both 'a document is both an index and a manifest'
refused 10 bad-digest 'a digest is not lowercase sha256'
refused 10 bad-sha512 'a digest is not lowercase sha256'
refused 10 bad-path 'a digest is not lowercase sha256'
refused 10 bad-media-type 'a media type contradicts its descriptor'
refused 10 bad-schema 'a document of the image is not as it must be'
refused 10 bad-data "embedded data differs from the blob"
refused 10 bad-absent 'a blob of the image is absent'
refused 10 bad-foreign 'a blob of the image is absent'
has 'https://evil.example/layer' "$err"
refused 10 bad-size 'a blob is not as long as its descriptor says'
refused 10 bad-manifest-size 'a blob is not as long as its descriptor says'
refused 1 bad-layer 'hash mismatch'
has 'Expected:' "$err"
has 'Actual:' "$err"
refused 1 bad-config 'hash mismatch'
refused 10 bad-artifact 'not a container image'
refused 10 bad-depth "the image's documents exceed the limit"
refused 10 bad-large "the image's documents exceed the limit"
refused 10 bad-link 'a blob of the image is absent'
refused 10 bad-platform 'a document of the image is not as it must be'
is 11 'no layout there' ct pack oci:nowhere -o no.ctp
is 10 'a file' ct pack oci:single.ctp -o no.ctp
yes 'nothing was written' [ ! -e no.ctp ]
is 1 'to standard output, a bad layer' ct pack oci:bad-layer -o -
cp "$out" part.ctp
is 10 'what came is no bundle' ct verify --json part.ctp
finding truncated
yes 'nothing is left beside' [ -z "$(find . -maxdepth 1 -name '.?*')" ]
plan
