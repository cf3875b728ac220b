"""Checks that each block of MLIR in a page is in a module beside it, as it is.

    check_quotes.py PAGE
"""

import pathlib
import re
import sys


def main():
    page = pathlib.Path(sys.argv[1])
    modules = [path.read_text() for path in sorted(page.parent.glob("*.mlir"))]
    quotes = re.findall(r"^```mlir\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    missing = [quote for quote in quotes if not any(quote in text for text in modules)]
    for quote in missing:
        print(f"in no module:\n{quote}")
    print(f"{len(quotes) - len(missing)} quotes found, {len(missing)} missing")
    return 1 if missing or not quotes else 0


sys.exit(main())
