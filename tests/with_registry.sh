#!/bin/sh
# with_registry.sh LAYOUT REPOSITORY:TAG COMMAND [ARGUMENT...] - run a command beside a registry at localhost:5000 that holds the
# image of an OCI layout. Both live in a network of their own, where that port is free and nothing else can be reached.
set -eu
if [ "${CT_ALONE-}" != yes ]; then
	CT_ALONE=yes
	export CT_ALONE
	[ "$(id -u)" = 0 ] && exec unshare -n sh "$0" "$@"
	exec unshare -rn sh "$0" "$@"
fi
unset CT_ALONE
layout=$1 name=$2
shift 2
ip link set lo up
work=$(mktemp -d)
server=''
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cat >"$work/config.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/data}}
http: {addr: "127.0.0.1:5000"}
END
registry=$(command -v docker-registry || command -v registry)
"$registry" serve "$work/config.yml" >/dev/null 2>&1 &
server=$!
tries=0
until skopeo copy -q --all --preserve-digests --dest-tls-verify=false "oci:$layout" "docker://localhost:5000/$name" 2>"$work/said"; do
	tries=$((tries + 1))
	[ "$tries" -lt 50 ] || { cat "$work/said" >&2; exit 1; }
	sleep 0.1
done
"$@"
