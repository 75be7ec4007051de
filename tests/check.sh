#!/bin/sh
# check.sh BUILD - lint what Python's tools do not: shell, manual pages, and what the tree may hold.
set -eu
build=$1

for program in shellcheck mandoc; do
	command -v "$program" >/dev/null || { printf 'error: %s is not installed\nhint: make deps\n' "$program" >&2; exit 69; }
done
# $bin, $commands and usage() come from the dispatcher, which reads the recipes in.
shellcheck -e SC2154 -s sh tools/ct tools/ct-verify-minimal lib/commands/* lib/*.sh
find tests -name '*.sh' -o -name '*.t' | sort | xargs shellcheck -x -s sh -e SC1091
shellcheck -s bash .ci/run completions/*.bash
# "STYLE" messages are about taste; missing cross references are checked by the tests, with the pages of the build at hand.
mandoc -T lint -W warning man/*.[157] || exit 1
unexpected=$(git ls-files 2>/dev/null | sed 's#/.*##' | sort -u |
	grep -vxE 'pyproject.toml|tools|lib|tests|man|spec|completions|Makefile|README.md|LICENSE|\..*' || :)
[ -z "$unexpected" ] || { printf 'error: not at the top level: %s\n' "$unexpected" >&2; exit 1; }
for tool in tools/ct-*; do
	[ -x "$build/bin/${tool##*/}" ] || { printf 'error: %s was not built\n' "$tool" >&2; exit 1; }
done
