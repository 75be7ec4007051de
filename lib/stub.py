# [locked] #!@PYTHON@ -IS
# [system] #!@PYTHON@ -I
# [pip] #!python
# The start of an installed tool, made from lib/stub.py: -I and -S keep PYTHONPATH, the user's site and the working directory out of it.
# Python exits 1 for an uncaught exception, and 1 is a verdict here, so an import that fails must become 70.
import sys

try:
    import os

    # [pip]
    # pip put its own Python into the first line, and drops what stood behind it.
    if not sys.flags.isolated:
        os.execv(sys.executable, [sys.executable, "-I", os.path.abspath(__file__)] + sys.argv[1:])
    # [all]
    # OpenSSL, which hashes, would load whatever module these name: a verifier's code is not the environment's to choose.
    for _name in ("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"):
        os.environ.pop(_name, None)
    _lib = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + "/lib/cerro-torre"
    # [locked dist]
    sys.path[:0] = [_lib, _lib + "/vendor"]
    # [system pip]
    sys.path[:0] = [_lib]
    # [pip]
    # Isolated, Python does not look where `pip install --user` puts things; a tool that lies there does.
    sys.path.append("%s/python%d.%d/site-packages" % ((os.path.dirname(_lib),) + sys.version_info[:2]))
    # [dist]
    sys.dont_write_bytecode = True
    from cerrotorre import built, host

    _refused = host.refusal(built.MADE_FOR, host.facts())
    if _refused:
        _name = "@NAME@"
        if os.environ.get("CT_STATUS_FD"):
            # Of a pipeline only the last tool speaks: it alone has the descriptor on which a status is said.
            _name = "ct"
            try:
                os.write(9, b"69\n")
            except OSError:
                os._exit(69)
        sys.stderr.write("%s: error: %s\n%s: hint: %s\n" % (_name, _refused[0], _name, _refused[1]))
        os._exit(69)
    # [all]
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
