"""Runs kernels and compares with what a file says of them.

  run_kernels.py EXECUTABLE INPUTS FILE

Lines of FILE: `GIVES name: numbers` (those that its results begin with), `FAILS
name: pattern` (of its error, with regular expressions in {{ }}), and `COUNTS
name: text` (of its report of conflicts). Kernels run with copies that complete
late and, once more, at issue.
"""

import re
import subprocess
import sys

from safetensors.numpy import load_file


def main():
    executable, inputs, path = sys.argv[1:]
    outputs = executable + ".out"
    failures = checked = 0
    for verb, name, expected in re.findall(
        r"^(GIVES|FAILS|COUNTS) (\w+): (.*)$", open(path).read(), flags=re.M
    ):
        for mode in "count-conflicts", "copy-at-issue,count-conflicts":
            run = subprocess.run(
                [executable, "--inputs", inputs, "--outputs", outputs,
                 f"--function={name}", f"--simt={mode}"],
                capture_output=True, text=True,
            )
            if verb == "FAILS":
                pattern = "".join(
                    part[2:-2] if part.startswith("{{") else re.escape(part)
                    for part in re.split(r"(\{\{.*?\}\})", expected)
                )
                where = rf"kernel '{name}_kernel', block 0, thread \d+ .*, at "
                good = run.returncode == 1 and re.search(
                    pattern, run.stderr) and re.search(where, run.stderr)
                found = run.stderr
            elif run.returncode:
                good, found = False, run.stderr
            elif verb == "COUNTS":
                good, found = expected in run.stderr, run.stderr
            else:
                found = " ".join(
                    f"{v:g}" for v in load_file(outputs)["y"].ravel())
                good = found.startswith(expected)
            checked += 1
            if not good:
                failures += 1
                print(f"{name} ({mode}): expected {verb} {expected}\n"
                      f"  found {run.returncode}: {found}")
    print(f"{checked} runs, {failures} failures")
    return failures > 0 or checked == 0


sys.exit(main())
