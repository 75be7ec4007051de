#!/usr/bin/env python3
"""Compile the modules below a directory, in place, to the same bytes every time.

usage: bytecode.py DIRECTORY...

compileall's files differ from one run to the next: since its third version marshal marks the objects that happened to be referred to more
than once while it wrote. Version 2 knows no such marks, and loads as fast. The files are never compared with their sources
(PEP 552, unchecked): that saves a stat for each module at each start, and is right where both are installed together.
"""

import importlib.util
import marshal
import sys
from pathlib import Path

# PEP 552: bit 0 says that a hash follows instead of a time and a size; bit 1, unset, that nobody checks it.
UNCHECKED_HASH = (1).to_bytes(4, "little")


def compile_all(directory: Path) -> None:
    """Write __pycache__/NAME.TAG.pyc, mode 644, for each module below the directory. Raises SyntaxError."""
    for source in sorted(directory.rglob("*.py")):
        text = source.read_bytes()
        # Only a traceback of a module that was not loaded from where it lies would show this name.
        code = compile(text, str(source.relative_to(directory)), "exec", dont_inherit=True, optimize=0)
        head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(text)
        made = Path(importlib.util.cache_from_source(source, optimization=""))
        made.parent.mkdir(mode=0o755, exist_ok=True)
        made.parent.chmod(0o755)
        made.write_bytes(head + marshal.dumps(code, 2))
        made.chmod(0o644)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        compile_all(Path(name))
