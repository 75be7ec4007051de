#!/bin/sh
# pip.sh PYTHON SCRATCH ARGUMENT... - run pip with this Python, also where the system has split pip off.
# Debian's python3 comes without pip; its wheel can be fetched and used in place without being root.
set -eu
python=$1 scratch=$2
shift 2

if "$python" -m pip --version >/dev/null 2>&1; then
	exec "$python" -m pip "$@"
fi
if ! [ -d "$scratch/usr" ]; then
	mkdir -p "$scratch"
	if ! { command -v apt-get >/dev/null && (cd "$scratch" && apt-get -qq download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .); }; then
		rm -rf "$scratch"
		printf '%s\n' "error: $python has no pip, and apt-get could not download it" \
			"hint: as root: apt-get update && apt-get install python3-pip   (or: dnf install python3-pip)" >&2
		exit 69
	fi
fi
set -- "$scratch"/usr/share/python-wheels/pip-*.whl -- "$@"
wheel=$1
shift 2
exec "$python" "$wheel/pip" "$@"
