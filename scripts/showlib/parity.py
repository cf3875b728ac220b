"""Reference cases, as lines of several capabilities run them."""

import json
import os
import pathlib
import re
import subprocess

from showlib.lines import ROOT, Short, Skip
from showlib.models import WEIRC

PARITY = pathlib.Path(os.environ.get("WEIR_PARITY", ROOT.parent / "shared" / "parity"))


def check_presence():
    if not (PARITY / "public").is_dir():
        raise Skip(f"no reference cases at {PARITY}")


def find_families(*categories):
    """The reference checkpoints of these categories."""
    check_presence()
    metas = map(
        lambda path: json.loads(path.read_text()),
        sorted((PARITY / "public").glob("*/meta.json")),
    )
    return [meta["name"] for meta in metas if meta["category"] in categories]


def find_operators():
    """All operator cases."""
    check_presence()
    return sorted(path.name for path in (PARITY / "ops").iterdir() if path.is_dir())


def check_parity(names, flags):
    """The figure of scripts/parity, which counts what passed."""
    check_presence()
    command = [ROOT / "scripts" / "parity", "--weirc", WEIRC, "--flags", flags, *names]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True
    )
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
    failed = re.findall(r"^(\S+) .* FAIL ", done.stdout, re.MULTILINE)
    if done.returncode or not counts:
        errors = done.stderr.strip().splitlines() or ["no message"]
        if not counts:
            raise Short(errors[0])
        raise Short(
            f"{', '.join(map(' passed, '.join, counts))} failed: "
            f"{', '.join(dict.fromkeys(failed))}; {errors[0]}"
        )
    return f"{sum(int(passed) for passed, _ in counts)} passed, 0 failed"


def check_each(names, flags):
    """The same case by case: those that fail stop no others."""
    passed, short = 0, []
    for name in names:
        try:
            passed += int(check_parity([name], flags).split()[0])
        except Short as reason:
            short.append(f"{name} ({str(reason)[-80:]})")
    if short:
        raise Short(f"{passed} passed; short: {', '.join(short)}")
    return f"{passed} passed, 0 failed"
