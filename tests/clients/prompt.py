"""Runs a program in a terminal of its own, types the keys of TYPED where it asks for a password, and prints what was shown.

Ends with the program's exit code; at the end the terminal has to show again what is typed.
"""

import os
import pty
import select
import sys
import termios
import time

child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])

shown, typed, until = b"", False, time.monotonic() + 60
while time.monotonic() < until:
    if select.select([terminal], [], [], 0.05)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    is_silent = not termios.tcgetattr(terminal)[3] & termios.ECHO
    if b"Password: " in shown and is_silent and not typed:
        os.write(terminal, os.environ["TYPED"].encode())
        typed = True

sys.stdout.write(shown.decode())
_, status = os.waitpid(child, 0)
assert termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal was left silent"
sys.exit(os.waitstatus_to_exitcode(status))
