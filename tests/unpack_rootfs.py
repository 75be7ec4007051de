"""Unpacks the bundle whose record stands on standard input: `unpack_rootfs.py LIBRARY PATH`; says what is wrong as JSON lines."""

import json
import sys

sys.path[:0] = [sys.argv[1], f"{sys.argv[1]}/vendor"]

from cerrotorre import errors, rootfs  # noqa: E402

record = json.loads(sys.stdin.readline())
try:
    wrong = rootfs.write(record, sys.argv[2])
except errors.Fail as fail:
    wrong = [fail.finding]
for made in wrong:
    print(json.dumps(made))
sys.exit(wrong[0]["status"] if wrong else 0)
