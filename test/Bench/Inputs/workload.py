"""Inputs of a small operator workload, and a check of what came out.

    workload.py write linear|attn|decode|moe FILE
    workload.py check linear|attn|decode|moe FILE REPORT

REPORT holds what bench/peer said.
"""

import json
import re
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

DIMS = {
    "linear": {"M": 3, "K": 20, "N": 7},
    "attn": {"H": 4, "KV": 2, "T": 9, "D": 8, "window": 4},
    "decode": {
        "H": 4, "KV": 4, "T": 9, "D": 8, "window": 0, "queries": 1, "scores": "alibi",
    },
    "moe": {"E": 4, "k": 2, "hidden": 20, "ffn": 12, "T": 9},
    "scan": {"T": 9, "D": 8},
}


def make(kind):
    """The workload's tensors."""
    dims = DIMS[kind]
    draw = np.random.default_rng(0).standard_normal
    if kind == "linear":
        shapes = {"x": (dims["M"], dims["K"]), "w": (dims["N"], dims["K"])}
    elif kind in ("attn", "decode"):
        keys = (1, dims["KV"], dims["T"], dims["D"])
        queries = dims.get("queries", dims["T"])
        shapes = {"q": (1, dims["H"], queries, dims["D"]), "k": keys, "v": keys}
    elif kind == "moe":
        count, hidden, inner = dims["E"], dims["hidden"], dims["ffn"]
        shapes = {
            "x": (dims["T"], hidden), "router": (count, hidden),
            "gate_up": (count, 2 * inner, hidden), "down": (count, hidden, inner),
        }
    else:
        shapes = {"x": (dims["T"], dims["D"])}
    return {name: draw(shape, np.float32) for name, shape in shapes.items()}


def expect(kind, tensors):
    """The workload's definition."""
    if kind == "linear":
        return tensors["x"] @ tensors["w"].T
    if kind == "moe":
        return expect_experts(tensors)
    dims = DIMS[kind]
    q = tensors["q"]
    k, v = (tensors[n].repeat(dims["H"] // dims["KV"], 1) for n in "kv")
    scores = q @ k.swapaxes(2, 3) / np.sqrt(dims["D"])
    if kind == "decode":
        # The bias of a query at position 0, which sees all keys.
        slopes = 2.0 ** (-8 * (np.arange(dims["H"]) + 1) / dims["H"])
        scores += slopes[:, None, None] * np.arange(dims["T"])
    else:
        back = np.arange(dims["T"])[:, None] - np.arange(dims["T"])
        scores[..., (back < 0) | (back >= dims["window"])] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def expect_experts(tensors):
    """Softmax, the best k renormalised, SwiGLU."""
    x = tensors["x"]
    logits = x @ tensors["router"].T
    scores = np.exp(logits - logits.max(-1, keepdims=True))
    out = np.zeros_like(x)
    for row, score in enumerate(scores):
        chosen = np.argsort(-score)[: DIMS["moe"]["k"]]
        for expert in chosen:
            gate, up = np.split(tensors["gate_up"][expert] @ x[row], 2)
            inner = gate / (1 + np.exp(-gate)) * up
            weight = score[expert] / score[chosen].sum()
            out[row] += weight * (tensors["down"][expert] @ inner)
    return out


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
    error = np.abs(out - wanted).max() / max(1, np.abs(wanted).max())
    assert error < 1e-5, error
    print(f"{kind}: within tolerance")


main()
