#!/bin/sh
# The start of a tool in an archive of `make dist`, made from lib/launch.sh: finds the Python that the archive was made for. No other
# program is started where it lies in its usual place; PATH, which the caller chose as it chose where ct lies, is asked last.
found=''
for python in /usr/bin/python@MINOR@ /usr/local/bin/python@MINOR@; do
	[ -f "$python" ] && [ -x "$python" ] && exec "$python" -IS "$0" "$@"
done
for name in python@MINOR@ python3; do
	python=$(command -v "$name") || continue
	# What `.` in PATH finds is another's to choose: it is not even asked.
	case $python in /*) ;; *) continue ;; esac
	version=$("$python" -IS -c 'import sys; print("%d.%d" % sys.version_info[:2])' </dev/null 2>/dev/null) || continue
	case $version in @MINOR@) exec "$python" -IS "$0" "$@" ;; esac
	found="$found, and $python is $version"
done
# Of a pipeline only the last tool speaks: it alone has the descriptor on which a status is said.
tool=${0##*/}
if [ -n "${CT_STATUS_FD-}" ]; then
	{ printf '69\n' >&9; } 2>/dev/null || exit 69
	tool=ct
fi
printf '%s: error: this ct was made for Python @MINOR@, which is not here%s\n' "$tool" "$found" >&2
printf '%s: hint: install it (python@MINOR@), or get the archive for the Python that is here\n' "$tool" >&2
exit 69
