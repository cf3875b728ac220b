"""Runs a model in bf16 as GPUs of sm_80 and of sm_90a compute it.

  check_warpgroup_model.py MODEL WORK_PREFIX

Both must give what transformers did in f32, as far as bf16 goes, and the same as
each other but for the order of sums. Kernels of sm_90a must have products by
warpgroups, which begin copies of boxes of both operands.
"""

import os
import re
import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file


def compile_for(arch, model, *options):
    subprocess.run(
        ["weirc", model, "--target=simt", f"--gpu-arch={arch}",
         "--quantize=bf16", "--compute=bf16", "--quiet", *options], check=True)


def main():
    model, prefix = sys.argv[1:]
    inputs = os.path.join(model, "inputs.safetensors")
    expected = load_file(os.path.join(model, "outputs.safetensors"))["logits"]
    found = {}
    for arch in "sm_80", "sm_90a":
        executable = f"{prefix}.{arch}"
        compile_for(arch, model, "-o", executable)
        subprocess.run(
            [executable, "--inputs", inputs, "--outputs", executable + ".out",
             "--function=forward"], check=True)
        found[arch] = load_file(executable + ".out")["logits"]
    compile_for("sm_90a", model, "--stop-after=lowered", "--emit=mlir", "-o",
                prefix + ".mlir")
    text = open(prefix + ".mlir").read()
    products = len(re.findall("wgmma.mma_async", text))
    boxes = len(re.findall("cp.async.bulk.tensor", text))
    scale = np.sqrt((expected ** 2).mean())

    def differ(a, b):
        return np.sqrt(((a - b) ** 2).mean()) / scale

    between = differ(found["sm_80"], found["sm_90a"])
    reference = differ(found["sm_90a"], expected)
    # bf16 keeps 8 bits of a factor; a model of three layers multiplies thrice
    # seven of them.
    good = (between <= 1e-5 and 1e-4 <= reference <= 3e-2
            and products >= 4 and boxes * 2 >= products)
    print(f"{products} products and {boxes} copies, differences {between:g} and "
          f"{reference:g}: {'good' if good else 'bad'}")
    return not good


sys.exit(main())
