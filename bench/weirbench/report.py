"""Prints kept results as tables, or puts the newest into README.md."""

import argparse
import json
import sys
from pathlib import Path

from . import tables
from .machine import ROOT


def newest():
    """The kept result that was measured last."""
    kept = sorted(
        (ROOT / "bench" / "results").glob("*.json"),
        key=lambda path: json.loads(path.read_text())["machine"]["date"],
    )
    if not kept:
        sys.exit("bench/report: error: no result in bench/results; keep one with --json")
    return kept[-1]


def main():
    parser = argparse.ArgumentParser(prog="bench/report", description=__doc__)
    parser.add_argument(
        "results", nargs="*", type=Path, help="default: the newest of bench/results"
    )
    parser.add_argument(
        "--readme", action="store_true", help="fill README.md's table"
    )
    parser.add_argument(
        "--check", action="store_true", help="fail when README.md's table is stale"
    )
    arguments = parser.parse_args()
    files = arguments.results or [newest()]
    table = "\n".join(
        tables.markdown(json.loads(path.read_text())) for path in files
    )
    if not arguments.readme and not arguments.check:
        print(table)
        return 0
    readme = ROOT / "README.md"
    before = readme.read_text()
    after = tables.fill(before, table)
    if after is None:
        sys.exit(
            f"bench/report: error: README.md has no section between "
            f"'{tables.BEGIN}' and '{tables.END}'"
        )
    if arguments.check:
        if before != after:
            sys.exit("bench/report: error: README.md is stale: run bench/report --readme")
        return 0
    readme.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
