"""One contender in a process of its own.

Reads a line of JSON with settings, then one per burst; answers each with one.
Libraries may print: only the answers go to what was standard output.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from . import contenders, smollm2
from .machine import set_realtime
from .smollm2 import STEPS

#: Seconds a call may take to be timed ahead of other load.
LONGEST = 3

def check(contender, logits):
    """How far the contender's logits are from the reference's.

    `error` is the root mean square of the difference over that of the
    reference's spread. The largest logit counts where the reference's two
    largest are more than a hundredth of its range apart.
    """
    contender.prefill()
    errors, agreed, counted = [], 0, 0
    for i, expected in enumerate(logits):
        if i:
            contender.step(i - 1)
        found = np.array(contender.logits(), np.float64)
        wanted = expected.astype(np.float64)
        errors.append(np.sqrt(np.mean((found - wanted) ** 2)) / wanted.std())
        second, first = np.partition(wanted, -2)[-2:]
        if first - second > 0.01 * (wanted.max() - wanted.min()):
            counted += 1
            agreed += int(found.argmax() == wanted.argmax())
    return {"error": float(max(errors)), "agreed": agreed, "counted": counted}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**content):
        print(json.dumps(content), file=answers, flush=True)

    settings = json.loads(sys.stdin.readline())
    settings["weirc"] = settings["weirc"] and Path(settings["weirc"])
    try:
        begin = time.perf_counter()
        settings["tokens"], logits = smollm2.reference()
        contender = contenders.build(settings["name"], settings)
        result = check(contender, logits)
        answer(setup_seconds=time.perf_counter() - begin, check=result)
    except Exception as error:  # whatever an engine throws is its result
        traceback.print_exc()
        answer(failed=f"{type(error).__name__}: {error}".split("\n")[0])
        return
    # What takes longer would keep others from running for too long.
    set_realtime(True)
    contender.wake()
    short = {
        "prefill": contender.prefill() < LONGEST,
        "decode": contender.decode() < LONGEST,
    }
    set_realtime(False)
    for line in sys.stdin:
        request = json.loads(line)
        phase = request["phase"]
        run, scale = {
            "prefill": (contender.prefill, 1e3),
            "decode": (contender.decode, 1e3 / STEPS),
        }[phase]
        set_realtime(short[phase])
        contender.wake()
        samples, begin = [], time.perf_counter()
        while not samples or time.perf_counter() - begin < request["seconds"]:
            samples.append(run() * scale)
        set_realtime(False)
        answer(ms=samples)


if __name__ == "__main__":
    main()
