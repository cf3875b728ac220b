"""Lines: what a capability must show, one function each."""

import dataclasses
import importlib.util
import pathlib
import time
import traceback
from typing import Callable

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Skip(Exception):
    """Raised by a line that cannot run here; its text says what is absent."""


class Short(Exception):
    """Raised by a line that does not hold; its text is the figure."""


@dataclasses.dataclass
class Line:
    name: str
    check: Callable
    slow: bool
    about: str


class Capability:
    """The lines of one file of scripts/show.d, which calls its `LINES` so."""

    def __init__(self):
        self.lines = []

    def line(self, name, slow=False):
        """Adds a function that takes the options of scripts/show and returns
        its figure, or raises Short or Skip."""

        def add(check):
            about = (check.__doc__ or "").strip().split("\n")[0]
            self.lines.append(Line(name, check, slow, about))
            return check

        return add


def at_most(figure, limit, what, unit="s"):
    """The text of a figure that has a limit; raises Short beyond it."""
    text = f"{figure:.3g} {unit} {what}, at most {limit:g} {unit}"
    if not figure <= limit:
        raise Short(text)
    return text


def at_least(figure, limit, what):
    """The same for a figure that should be large."""
    text = f"{figure:.3g} {what}, at least {limit:g}"
    if not figure >= limit:
        raise Short(text)
    return text


def load_capability(name):
    path = ROOT / "scripts" / "show.d" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"show_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LINES


def run_line(line, options):
    if options.quick and line.slow:
        return "SKIP", "takes many minutes; run without --quick"
    try:
        return "held", line.check(options)
    except Skip as reason:
        return "SKIP", str(reason)
    except Short as figure:
        return "short", str(figure)
    except Exception as error:  # A line that breaks is short, not the end.
        where = traceback.extract_tb(error.__traceback__)[-1]
        return "short", f"{type(error).__name__} at {where.name}: {error}"


def run_capabilities(names, options):
    counts = {"held": 0, "short": 0, "SKIP": 0}
    for name in names:
        for line in load_capability(name).lines:
            if options.only and line.name not in options.only:
                continue
            label = f"{name}/{line.name}"
            if options.list:
                print(f"{label:24s} {line.about}")
                continue
            begin = time.monotonic()
            verdict, figure = run_line(line, options)
            counts[verdict] += 1
            figure = " ".join(str(figure).split())
            print(f"{verdict:6s} {label:24s} {figure}", flush=True)
            if time.monotonic() - begin > 60:
                print(f"       (took {(time.monotonic() - begin) / 60:.1f} min)")
    if options.list:
        return 0
    print(
        f"{counts['held']} held, {counts['short']} short, {counts['SKIP']} skipped"
    )
    return 1 if counts["short"] or not counts["held"] else 0
