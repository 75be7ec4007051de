#!@PYTHON@ -IS
# The start of an installed tool: -I and -S keep PYTHONPATH, the user's site and the working directory out of it.
# Python exits 1 for an uncaught exception, and 1 is a verdict here, so an import that fails must become 70.
import sys

try:
    import os

    # OpenSSL, which hashes, would load whatever module these name: a verifier's code is not the environment's to choose.
    for _name in ("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"):
        os.environ.pop(_name, None)
    _lib = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + "/lib/cerro-torre"
    sys.path[:0] = [_lib, _lib + "/vendor"]
    import cerrotorre.tools.@MODULE@  # noqa: F401
except SystemExit:
    raise
except KeyboardInterrupt:
    # It may have come before `os` was there.
    import posix

    posix._exit(130)
except BaseException as error:
    try:
        sys.stderr.write("@NAME@: error: this installation is broken: %r\n" % (error,))
    finally:
        os._exit(70)
