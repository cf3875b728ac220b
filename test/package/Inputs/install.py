"""Installs a build of Weir once per run of lit, for all tests that need it.

install.py BUILD PREFIX RUN

RUN names the run; tests of one run that start at once wait for each other.
"""

import fcntl
import pathlib
import shutil
import subprocess
import sys


def main():
    build, prefix, run = sys.argv[1:]
    prefix = pathlib.Path(prefix)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    stamp = prefix.with_suffix(".run")
    with open(prefix.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == run:
            return
        shutil.rmtree(prefix, ignore_errors=True)
        subprocess.run(
            ["cmake", "--install", build, "--prefix", prefix],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        stamp.write_text(run)


main()
