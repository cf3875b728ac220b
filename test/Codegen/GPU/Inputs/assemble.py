"""Assembles the kernels of each function of a file: assemble.py FILE PREFIX

Fails where a kernel spills registers or takes more than those below, and where
the file has a function of which they say nothing.
"""

import re
import subprocess
import sys

# Function, and its options: registers at most. 128 let four blocks of 128
# threads be on a multiprocessor at once.
MOST = {
    ("product", ""): 88,
    ("product", "--compute=tf32"): 72,
    ("matrices", ""): 72,
    ("warpgroups", ""): 96,
    ("warpgroups", "--compute=bf16"): 168,
    ("row", ""): 40,
    ("attention", ""): 80,
    ("recurrence", ""): 80,
    # 168 let three blocks be there at once.
    ("attention_64", ""): 168,
    ("attention_128", ""): 168,
    ("decay_64", ""): 168,
    ("delta_128", ""): 168,
}
# By function, option and, where it matters, architecture.
WARPGROUP = ["wgmma.mma_async.sync.aligned.m64n", "cp.async.bulk.tensor.",
             "mbarrier.try_wait", "mbarrier.arrive.expect_tx"]
MUST_HAVE = {
    ("product", ""): ["cp.async"],
    ("product", "--compute=tf32"): ["cp.async", "ldmatrix", "mma.sync"],
    ("matrices", "", "sm_80"): ["cp.async", "ldmatrix", "mma.sync"],
    ("matrices", "", "sm_90a"): WARPGROUP,
    ("warpgroups", "", "sm_90a"): WARPGROUP,
    ("warpgroups", "--compute=bf16", "sm_90a"): WARPGROUP + ["m64n128k16"],
    ("row", ""): ["cp.async"],
}


def main():
    source, prefix = sys.argv[1:]
    functions = re.findall(r"func\.func @(\w+)", open(source).read())
    unknown = set(functions) - {function for function, _ in MOST}
    if unknown or not functions:
        print(f"{source}: functions without a bound: {unknown or 'none at all'}")
        return True
    failed = False
    for (function, flag), most in MOST.items():
        if function not in functions:
            continue
        for arch in "sm_80", "sm_90a":
            ptx = f"{prefix}.{function}.{arch}.ptx"
            subprocess.run(
                ["weirc", source, f"--entry={function}", "--target=cuda",
                 f"--gpu-arch={arch}", "--emit=ptx", "--quiet", "-o", ptx,
                 *flag.split()], check=True)
            text = open(ptx).read()
            run = subprocess.run(
                ["ptxas", f"-arch={arch}", "-v", ptx, "-o", ptx + ".cubin"],
                capture_output=True, text=True)
            registers = [int(n) for n in
                         re.findall(r"Used (\d+) registers", run.stderr)]
            spills = [int(n) for n in re.findall(
                r"(\d+) bytes spill", run.stderr)]
            wanted = MUST_HAVE.get((function, flag), []) + MUST_HAVE.get(
                (function, flag, arch), [])
            absent = [word for word in wanted if word not in text]
            good = (run.returncode == 0 and registers and spills
                    and max(registers) <= most and not any(spills)
                    and not absent)
            print(f"{function} {flag} {arch}: registers {registers}, "
                  f"{sum(spills)} bytes spilled"
                  + (f", lacks {absent}" if absent else "")
                  + ("" if good else f"; expected at most {most}\n{run.stderr}"))
            failed |= not good
    return failed


sys.exit(main())
