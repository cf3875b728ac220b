"""Inputs from a seed, and what is to come out of them, in f64.

Of a large result a part is computed: rows of products, queries of attention,
heads of recurrences, each over the whole length.
"""

import json
import struct

import numpy as np


def to_bf16(values):
    """To nearest even, as the upper halves of f32."""
    words = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((words + 0x7FFF + (words >> 16 & 1)) >> 16).astype(np.uint16)


def to_f32(values):
    """What the element type of a tensor's numbers is read as."""
    if values.dtype == np.uint16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def log_sigmoid(x):
    # Of numbers that are normal: no exponential of them is infinite.
    return -np.log1p(np.exp(-x))


#: How numbers are drawn: from normal ones of the tensor's shape.
DRAWS = {
    "normal": lambda x: x,
    # Features of length 1, as delta rules want keys.
    "unit": lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
    "gate": lambda x: np.exp(log_sigmoid(x)),
    "log gate": lambda x: np.maximum(log_sigmoid(x), -5),
}


def draw(workload, seed=0):
    """The inputs of `workload` by name; bf16 as uint16."""
    random = np.random.default_rng(seed)
    tensors = {}
    for argument in workload.maker.inputs(workload.dims):
        x = random.standard_normal(argument.shape, np.float32)
        x = DRAWS[argument.draw](x).astype(np.float32)
        tensors[argument.name] = to_bf16(x) if argument.dtype == "bf16" else x
    return tensors


def some(count, extent, random):
    """Both ends of an extent's indices and up to `count` others."""
    found = {0, extent - 1, *random.integers(0, extent, count).tolist()}
    return np.array(sorted(found))


def product(d, tensors, random):
    rows = some(16, d["M"], random)
    x = to_f32(tensors["x"][rows]).astype(np.float64)
    # By parts of the columns: all of a large matrix in f64 is much memory.
    parts = [
        x @ to_f32(tensors["w"][at:at + 1024]).astype(np.float64).T
        for at in range(0, d["N"], 1024)
    ]
    return (rows,), np.concatenate(parts, axis=1)


def attention(d, tensors, random):
    positions = some(12, d["T"], random)
    group = d["H"] // d["G"]
    row = d["B"] - 1
    k, v = (to_f32(tensors[name][row]).astype(np.float64) for name in "kv")
    out = np.empty((len(positions), d["H"], d["D"]))
    for i, t in enumerate(positions):
        first = max(0, t + 1 - d["window"]) if d["window"] else 0
        q = to_f32(tensors["q"][row, t]).astype(np.float64)
        for h in range(d["H"]):
            keys, values = (x[first:t + 1, h // group] for x in (k, v))
            scores = keys @ q[h] * d["D"] ** -0.5
            weights = np.exp(scores - scores.max())
            out[i, h] = weights @ values / weights.sum()
    return (row, positions), out


def recurrence(d, tensors, random):
    """Token by token, for two heads of one row."""
    row, heads = d["B"] - 1, some(1, d["H"], random)

    def take(name, head):
        x = tensors[name][row]
        # A head that all share.
        head = head % x.shape[1]
        return to_f32(x[:, head]).astype(np.float64)

    out = np.empty((d["T"], len(heads), d["V"]))
    for i, head in enumerate(heads):
        q, k, v, g = (take(name, head) for name in "qkvg")
        keep = np.exp(g).reshape(d["T"], -1, 1)
        beta = take("beta", head) if "beta" in tensors else None
        state = np.zeros((d["K"], d["V"]))
        for t in range(d["T"]):
            state *= keep[t]
            new = v[t] if beta is None else beta[t] * (v[t] - k[t] @ state)
            state += np.outer(k[t], new)
            out[t, i] = q[t] @ state
    return (slice(row, None), slice(None), heads), out[None] * d["K"] ** -0.5


PARTS = {"matmul": product, "attention": attention, "gdn": recurrence,
         "gla": recurrence, "mamba2": recurrence}


class Reference:
    """Some of what a workload's inputs give."""

    def __init__(self, workload, tensors):
        self.at, self.expected = PARTS[workload.kind](
            workload.dims, tensors, np.random.default_rng(1)
        )

    def error(self, out):
        """The largest difference of a feature's vector (the last axis), over the
        root mean square of all that is expected; infinite where a number is
        none."""
        found = to_f32(out[self.at]).astype(np.float64)
        if not np.isfinite(found).all():
            return float("inf")
        size = np.sqrt((self.expected**2).mean())
        apart = np.sqrt(((found - self.expected) ** 2).mean(axis=-1))
        return float(apart.max() / size)


NAMES = {np.dtype(np.float32): "F32", np.dtype(np.uint16): "BF16"}


def write_tensors(path, tensors):
    """A safetensors file, without its package."""
    header, at, blobs = {}, 0, []
    for name, values in tensors.items():
        values = np.ascontiguousarray(values)
        header[name] = {"dtype": NAMES[values.dtype], "shape": list(values.shape),
                        "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
        blobs.append(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in blobs:
            values.tofile(file)


def read_tensor(path, name):
    """One tensor of a safetensors file; bf16 as uint16."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        entry = json.loads(file.read(size))[name]
        dtype = {text: dtype for dtype, text in NAMES.items()}[entry["dtype"]]
        begin, end = entry["data_offsets"]
        file.seek(8 + size + begin)
        values = np.fromfile(file, dtype, (end - begin) // dtype.itemsize)
    return values.reshape(entry["shape"])
