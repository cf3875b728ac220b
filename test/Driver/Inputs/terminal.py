"""Runs a command with a terminal as its standard error, and prints what it
shows there, a line for each time it starts the line afresh."""

import os
import pty
import subprocess
import sys

leader, follower = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stderr=follower)
os.close(follower)
shown = b""
while True:
    try:
        piece = os.read(leader, 4096)
    except OSError:  # the other end is closed
        break
    if not piece:
        break
    shown += piece
process.wait()
print(shown.decode().replace("\033[K", "").replace("\r", "\n"))
sys.exit(process.returncode)
