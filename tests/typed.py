"""typed.py ANSWERS COMMAND [ARGUMENT...]: runs a command at a terminal of its own and types, at each question, the next answer.

ANSWERS are separated by `|`. A question is whatever waits with a line begun. Exits as the command does; 99 if answers are left,
and 98 if it has not ended after half a minute: it is killed.
"""

import os
import pty
import select
import signal
import sys
import time

QUIET = 0.2
PATIENCE = 30.0


def main(answers: list[str], command: list[str]) -> int:
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown = b""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        ready, _, _ = select.select([terminal], [], [], QUIET)
        if not ready:
            if answers and shown and not shown.endswith(b"\n"):
                os.write(terminal, answers.pop(0).encode() + b"\n")
                shown = b""
            continue
        try:
            more = os.read(terminal, 4096)
        except OSError:
            more = b""
        if not more:
            break
        shown += more
        sys.stdout.buffer.write(more)
    # What has closed its terminal may still go on.
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return 98
        time.sleep(0.01)
    _, status = ended
    return 99 if answers else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].split("|"), sys.argv[2:]))
