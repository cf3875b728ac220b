"""Inputs of a small operator workload, and a check of what came out.

    workload.py write linear|attn FILE
    workload.py check linear|attn FILE REPORT    REPORT holds what bench/peer said
"""

import json
import re
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

DIMS = {
    "linear": {"M": 3, "K": 20, "N": 7},
    "attn": {"H": 4, "KV": 2, "T": 9, "D": 8, "window": 4},
    "scan": {"T": 9, "D": 8},
}


def make(kind):
    """The workload's tensors."""
    dims = DIMS[kind]
    draw = np.random.default_rng(0).standard_normal
    if kind == "linear":
        shapes = {"x": (dims["M"], dims["K"]), "w": (dims["N"], dims["K"])}
    elif kind == "attn":
        keys = (1, dims["KV"], dims["T"], dims["D"])
        shapes = {"q": (1, dims["H"], *keys[2:]), "k": keys, "v": keys}
    else:
        shapes = {"x": (dims["T"], dims["D"])}
    return {name: draw(shape, np.float32) for name, shape in shapes.items()}


def expect(kind, tensors):
    """The workload's definition."""
    if kind == "linear":
        return tensors["x"] @ tensors["w"].T
    dims = DIMS[kind]
    q = tensors["q"]
    k, v = (tensors[n].repeat(dims["H"] // dims["KV"], 1) for n in "kv")
    scores = q @ k.swapaxes(2, 3) / np.sqrt(dims["D"])
    back = np.arange(dims["T"])[:, None] - np.arange(dims["T"])
    scores[..., (back < 0) | (back >= dims["window"])] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def main():
    action, kind, path = sys.argv[1:4]
    tensors = make(kind)
    if action == "write":
        metadata = {"dtype": "f32", "dims": json.dumps(DIMS[kind])}
        save_file(tensors, path, metadata)
        return
    report = open(sys.argv[4]).read()
    assert float(re.search(r"^median_ms=(\S+)$", report, re.M)[1]) > 0
    out = load_file(re.search(r"^out=(\S+)$", report, re.M)[1])["out"]
    wanted = expect(kind, tensors)
    assert out.shape == wanted.shape, out.shape
    error = np.abs(out - wanted).max()
    assert error < 1e-5, error
    print(f"{kind}: within tolerance")


main()
