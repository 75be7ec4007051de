#!/bin/sh
# deps.sh [PYTHON] - install the system packages that the tests use. One list: Debian's name, Fedora's name (- where it has none).
set -eu
python=${1-python3} here=$(dirname -- "$0")

packages() {
	cat <<-'END'
		apache2-utils    httpd-tools
		bash             bash
		buildah          buildah
		busybox-static   busybox
		dash             dash
		docker.io        moby-engine
		docker-registry  docker-distribution
		fish             fish
		gnupg            gnupg2
		iproute2         iproute
		jq               jq
		libarchive-tools bsdtar
		mandoc           mandoc
		mmdebstrap       -
		nodejs           nodejs
		openssl          openssl
		podman           podman
		runc             runc
		shellcheck       ShellCheck
		skopeo           skopeo
		strace           strace
		umoci            -
		xz-utils         xz
		zsh              zsh
		zstd             zstd
		gcc              gcc
		libc6-dev        glibc-devel
		git              git
		man-db           man-db
	END
	# Some packages of Node.js hold npm, and conflict with one of its own.
	command -v npm >/dev/null || echo 'npm nodejs-npm'
	# What DEPS=system builds with.
	"$python" -B "$here/../lib/dependencies.py" names
}

[ "$(id -u)" = 0 ] || { printf 'error: installing packages needs root\nhint: sudo make deps\n' >&2; exit 69; }
if command -v apt-get >/dev/null; then
	missing=$(packages | while read -r debian _; do
		dpkg-query -W -f '${Status}' "$debian" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$debian"
	done)
	[ -n "$missing" ] || exit 0
	export DEBIAN_FRONTEND=noninteractive
	apt-get -o DPkg::Lock::Timeout=300 -qq update
	# shellcheck disable=SC2086
	apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends $missing
elif command -v dnf >/dev/null; then
	# shellcheck disable=SC2046
	dnf -q -y install $(packages | while read -r _ fedora; do [ "$fedora" = - ] || printf '%s ' "$fedora"; done)
else
	printf 'error: neither apt-get nor dnf is here\nhint: install by hand what this file lists: %s\n' "$0" >&2
	exit 69
fi
