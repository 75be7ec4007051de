"""A tool notices that its `ct` has ended, even where the signal that says so goes unnoticed."""

import subprocess
import sys

from conftest import LIBRARY
from processes import PATIENCE, end

TOOL = f"""
import os, signal, sys
sys.path[:0] = [{str(LIBRARY)!r}, {str(LIBRARY / "vendor")!r}]
from cerrotorre import interrupt
interrupt.arm()
armed = signal.getsignal(signal.SIGTERM)

def once(*_):
    # As if it had come between Python's last look and the call that waits.
    signal.signal(signal.SIGTERM, armed)

signal.signal(signal.SIGTERM, once)
print("armed", flush=True)
try:
    os.read(0, 1)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_signal_that_goes_unnoticed_is_sent_again() -> None:
    ct = subprocess.Popen(["sleep", "60"])
    command = [sys.executable, "-IS", "-c", TOOL]
    tool = subprocess.Popen(command, env={"CT_PID": str(ct.pid)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with tool:
        assert tool.stdout and tool.stdout.readline() == "armed\n"
        end(ct)
        assert tool.wait(PATIENCE) == 130


# A program of which not the first thread starts another.
THREADED = """
import subprocess, threading
def start():
    print(subprocess.Popen(["sleep", "60"]).pid, flush=True)
    threading.Event().wait()
threading.Thread(target=start).start()
"""
# Who gets what belongs to nobody any more, as an init does: 36 is PR_SET_CHILD_SUBREAPER.
KEEPER = f"""
import ctypes, os, subprocess, sys
sys.path[:0] = [{str(LIBRARY)!r}, {str(LIBRARY / "vendor")!r}]
from cerrotorre import interrupt
ctypes.CDLL(None).prctl(36, 1)
child = subprocess.Popen([sys.executable, "-IS", "-c", {THREADED!r}], stdout=subprocess.PIPE)
below = int(child.stdout.readline())
interrupt.end(child, 5)
os.waitpid(below, 0)
"""


def test_what_any_thread_of_a_program_started_ends_with_it() -> None:
    subprocess.run([sys.executable, "-IS", "-c", KEEPER], check=True, timeout=PATIENCE)
