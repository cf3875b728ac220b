"""Writes and prints small safetensors files for tests.

  tensors.py write FILE name=2x3:1,2,3,4,5,6 ids=i32:2:7,8 ...
  tensors.py print FILE
"""

import sys

import numpy as np
from safetensors.numpy import load_file, save_file


def main():
    verb, path, *tensors = sys.argv[1:]
    if verb == "write":
        named = {}
        for text in tensors:
            name, rest = text.split("=")
            *kind, shape, values = rest.split(":")
            dtype = np.int32 if kind == ["i32"] else np.float32
            named[name] = np.array(
                [float(v) for v in values.split(",")], dtype
            ).reshape([int(n) for n in shape.split("x")])
        save_file(named, path)
        return
    for name, tensor in sorted(load_file(path).items()):
        shape = "x".join(map(str, tensor.shape))
        print(f"{name} {shape}:", *(f"{v:g}" for v in tensor.ravel()))


main()
