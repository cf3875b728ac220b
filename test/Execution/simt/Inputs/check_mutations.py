"""Puts faults into kernels and sees whether the emulator notices.

  check_mutations.py FILE WORK_DIRECTORY

Each function of FILE is lowered once; weir-mutate lists the places for faults in
its kernels. Of each kind in each kernel one place is taken, of barriers up to
four. A mutant is caught when it ends with an error or with other numbers.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file

ROWS = {"product": 37, "matrices": 37, "warpgroups": 37, "row": 1}
FLAGS = {"warpgroups": ["--gpu-arch=sm_90a"]}
STEPS = (2, 70)
PLACES = {"drop-barrier": 4, "drop-phase-wait": 2, "drop-box": 2,
          "shift-parity": 2, "shift-box-target": 2, "change-arrivals": 4}


def save(path, tensors):
    """Writes safetensors; pairs of an array and a type, of which NumPy does not
    have all."""
    header, data = {}, b""
    for name, (values, dtype) in tensors.items():
        raw = values.tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def make_inputs(path, function, signature):
    random = np.random.default_rng(5)
    tensors = {}
    for shape, dtype, name in re.findall(
            r'tensor<([\dx?]+)x(\w+)> \{weir.name = "(\w)"\}', signature):
        if name == "y":
            continue
        extents = shape.split("x")
        lengths = iter([ROWS[function]] if function in ROWS else STEPS)
        extents = [int(next(lengths)) if e == "?" else int(e) for e in extents]
        values = random.standard_normal(extents).astype(np.float32)
        if name == "g":
            # Decays of the second sequence are too strong for the fast form.
            values = -np.abs(values) / 4
            values[1] *= 160
        if dtype == "bf16":
            tensors[name] = (values.view(np.uint32) >> 16).astype(
                np.uint16), "BF16"
        else:
            tensors[name] = values, "F32"
    save(path, tensors)


def run(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, **options)


def build_and_run(module, base, function):
    """The result of `module`, or what went wrong."""
    executable = module + ".exe"
    built = run(["weirc", module, "--quiet", "-o", executable])
    if built.returncode:
        return None, "does not compile: " + built.stderr
    try:
        ended = run([executable, "--inputs", base + ".in", "--outputs",
                     module + ".out", f"--function={function}"], timeout=20)
    except subprocess.TimeoutExpired:
        return None, "does not end"
    finally:
        os.remove(executable)
    if ended.returncode:
        return None, ended.stderr.strip() or f"ends with {ended.returncode}"
    return load_file(module + ".out")["y"], ""


def try_mutant(mutant):
    base, function, kernel, kind, place, good = mutant
    module = f"{base}.{kernel}.{kind}.{place}.mlir"
    run(["weir-mutate", base, f"--test-mutate-kernels=kernel={kernel} "
         f"kind={kind} place={place}", "-o", module], check=True)
    found, error = build_and_run(module, base, function)
    if error.startswith("does not compile"):
        return mutant, "error", error
    if error:
        return mutant, "fault", error
    wrong = not np.abs(found - good).max() <= 1e-4 * np.abs(good).max()
    return mutant, "numbers" if wrong else "survives", ""


def main():
    source, work = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    mutants = []
    for function, signature in re.findall(
            r"func.func @(\w+)\((.*?)\{$", open(source).read(), re.S | re.M):
        base = os.path.join(work, function + ".mlir")
        run(["weirc", source, f"--entry={function}", "--target=simt",
             *FLAGS.get(function, []),
             "--stop-after=lowered", "--emit=mlir", "--quiet", "-o", base],
            check=True)
        make_inputs(base + ".in", function, signature)
        good, error = build_and_run(base, base, function)
        if good is None:
            sys.exit(f"{function}: {error}")
        listed = run(["weir-mutate", "--test-mutate-kernels=list=true", base,
                      "-o", os.devnull], check=True).stderr
        for kernel, kind, count in re.findall(r"(\S+) (\S+) (\d+)", listed):
            # From the middle outwards, evenly.
            count = int(count)
            wanted = min(count, PLACES.get(kind, 1))
            places = {(2 * i + 1) * count // (2 * wanted)
                      for i in range(wanted)}
            mutants += [(base, function, kernel, kind, place, good)
                        for place in sorted(places)]
    caught, kinds, failed = 0, set(), False
    workers = min(2, len(os.sched_getaffinity(0)))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for mutant, outcome, text in pool.map(try_mutant, mutants):
            _, _, kernel, kind, place, _ = mutant
            kinds.add((kernel, kind))
            caught += outcome in ("fault", "numbers")
            failed |= outcome == "error"
            print(f"{outcome}: {kernel} {kind} {place} {text[:400]}")
    share = 100 * caught / len(mutants)
    print(f"{len(kinds)} kinds and kernels, {len(mutants)} mutants, "
          f"{caught} caught: {share:.1f} %")
    return failed or len(kinds) < 30 or share < 95


sys.exit(main())
