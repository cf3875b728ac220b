"""What is timed: functions of tensors in the dialect, and their inputs.

A kind knows how its function reads, what it is given, and what it costs; a
workload is a kind at some size. Dimensions are those of the papers: B rows, T
tokens, H heads (G of keys), D features of a head; of a product M, N and K.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Argument:
    """A tensor by name, and what its numbers are drawn as (reference.DRAWS)."""

    name: str
    shape: tuple
    dtype: str  # f32, bf16
    draw: str = "normal"

    def type(self):
        return f"tensor<{'x'.join(map(str, self.shape))}x{self.dtype}>"

    def bytes(self):
        size = {"f32": 4, "bf16": 2}[self.dtype]
        for extent in self.shape:
            size *= extent
        return size


def function(arguments, result, body):
    """The text of the one function of a workload, `out` of named tensors."""
    given = ",\n    ".join(
        f'%{a.name}: {a.type()} {{weir.name = "{a.name}"}}' for a in arguments
    )
    return f"""func.func @f(
    {given})
    -> ({result.type()} {{weir.name = "out"}}) {{
{body.strip(chr(10))}
}}
"""


class Matmul:
    """x [M, K] times the rows of w [N, K], as cuBLAS multiplies by a transposed
    matrix. Weir takes weights in panels of 64 columns, which is how its models
    keep them; that packing is done ahead, and not timed."""

    peers = ("torch:matmul",)

    def inputs(self, d):
        return (
            Argument("x", (d["M"], d["K"]), d["dtype"]),
            Argument("w", (d["N"], d["K"]), d["dtype"]),
        )

    def given(self, d):
        x, _ = self.inputs(d)
        panels = (d["N"] // 64, d["K"], 64)
        if d["dtype"] == "bf16":
            panels = (d["N"] // 64, d["K"] // 2, 64, 2)
        return x, Argument("w", panels, d["dtype"])

    def pack(self, d, tensors):
        w = tensors["w"].reshape(d["N"] // 64, 64, d["K"] // 2, 2)
        w = w.transpose(0, 2, 1, 3)
        if d["dtype"] == "f32":
            # One row of a panel per step of the sum.
            w = w.transpose(0, 1, 3, 2).reshape(d["N"] // 64, d["K"], 64)
        return {**tensors, "w": w}

    def result(self, d):
        return Argument("out", (d["M"], d["N"]), d["dtype"])

    def text(self, d):
        x, w = self.given(d)
        sums = Argument("", (d["M"], d["N"]), "f32").type()
        out = self.result(d).type()
        form = "bits(16) group(2)" if d["dtype"] == "bf16" else "bits(32) group(16)"
        body = f"""
  %0 = weir.packed_linear %x, %w {form}
      : {x.type()}, {w.type()} -> {sums}"""
        if d["dtype"] == "f32":
            body += f"\n  return %0 : {sums}"
        else:
            body += f"""
  %1 = arith.truncf %0 : {sums} to {out}
  return %1 : {out}"""
        return function((x, w), self.result(d), body)

    def operations(self, d):
        return 2 * d["M"] * d["N"] * d["K"]


class Attention:
    """Causal attention of H heads that read G heads of keys and values, of the
    last `window` keys where that is not 0."""

    peers = ("torch:flash", "torch:cudnn", "torch:efficient", "torch:flex",
             "flash_attn")

    def inputs(self, d):
        keys = (d["B"], d["T"], d["G"], d["D"])
        return (
            Argument("q", (d["B"], d["T"], d["H"], d["D"]), d["dtype"]),
            Argument("k", keys, d["dtype"]),
            Argument("v", keys, d["dtype"]),
        )

    given = inputs

    def pack(self, d, tensors):
        return tensors

    def result(self, d):
        return Argument("out", (d["B"], d["T"], d["H"], d["D"]), d["dtype"])

    def text(self, d):
        q, k, v = self.inputs(d)
        mask = "causal" + (f" and window<{d['window']}>" if d["window"] else "")
        return function((q, k, v), self.result(d), f"""
  %0 = weir.attention %q, %k, %v mask(<{mask}>) scale({d["D"] ** -0.5!r})
      : {q.type()}, {k.type()}, {v.type()} -> {q.type()}
  return %0 : {q.type()}""")

    def operations(self, d):
        time, window = d["T"], d["window"] or d["T"]
        # The first rows see fewer keys than the window has.
        pairs = window * (window + 1) // 2 + (time - window) * window
        return 4 * d["B"] * d["H"] * d["D"] * pairs


class Recurrence:
    """A state of keys by values per head, read by queries: `weir.recurrence`."""

    def __init__(self, peers, per_feature=False, delta=False, shared=False):
        self.peers = peers
        self.per_feature = per_feature  # the decay, or one for a head
        self.delta = delta  # values are corrected by what the state has of a key
        self.shared = shared  # one head of queries and keys for all of values

    def inputs(self, d):
        rows = (d["B"], d["T"])
        heads = 1 if self.shared else d["H"]
        keys = (*rows, heads, d["K"])
        decay = (*rows, d["H"], d["K"]) if self.per_feature else (*rows, d["H"])
        found = [
            Argument("q", keys, d["dtype"], "unit"),
            Argument("k", keys, d["dtype"], "unit"),
            Argument("v", (*rows, d["H"], d["V"]), d["dtype"]),
            Argument("g", decay, "f32", "log gate"),
        ]
        if self.delta:
            found.append(Argument("beta", (*rows, d["H"]), d["dtype"], "gate"))
        return tuple(found)

    given = inputs

    def pack(self, d, tensors):
        return tensors

    def result(self, d):
        return Argument("out", (d["B"], d["T"], d["H"], d["V"]), d["dtype"])

    def text(self, d):
        arguments = self.inputs(d)
        q, k, v, g = (a.type() for a in arguments[:4])
        state = f"tensor<{d['B']}x{d['H']}x{d['K']}x{d['V']}xf32>"
        more = f" delta(%beta : {arguments[4].type()})" if self.delta else ""
        return function(arguments, self.result(d), f"""
  %o, %s = weir.recurrence %q, %k, %v decay(%g : {g}){more}
      scale({d["K"] ** -0.5!r})
      : {q}, {k}, {v} -> {v}, {state}
  return %o : {v}""")

    def operations(self, d):
        """Of the step by step form: what a chunk computes beyond is its own."""
        per_state = 6 if self.delta else 4
        return per_state * d["B"] * d["T"] * d["H"] * d["K"] * d["V"]


KINDS = {
    "matmul": Matmul(),
    "attention": Attention(),
    "gdn": Recurrence(("fla:chunk_gated_delta_rule",), delta=True),
    "gla": Recurrence(("fla:chunk_gla",), per_feature=True),
    "mamba2": Recurrence(
        ("fla:chunk_simple_gla", "mamba_ssm:chunk_scan"), shared=True
    ),
}

#: The largest error allowed, relative to the root mean square of the results:
#: a rounding to bf16 alone is 0.002 of a number at most, and factors of products
#: inside are rounded too. A delta rule corrects by what was rounded: its worst
#: token of 1500 is off by 0.015. A wrong kernel is off by 1.
TOLERANCES = {"bf16": 2e-2, "f32": 2e-3}
RECURRENT = 5e-2


@dataclass(frozen=True)
class Workload:
    name: str
    kind: str
    dims: dict = field(hash=False)
    compute: str = "bf16"  # what factors are rounded to, --compute

    @property
    def maker(self):
        return KINDS[self.kind]

    def tolerance(self):
        if isinstance(self.maker, Recurrence):
            return RECURRENT
        return TOLERANCES[self.dims["dtype"]]

    def bytes(self):
        """Of all inputs and results, once each."""
        moved = (*self.maker.inputs(self.dims), self.maker.result(self.dims))
        return sum(argument.bytes() for argument in moved)

    def describe(self):
        return {"name": self.name, "kind": self.kind, "dims": self.dims,
                "compute": self.compute}


def product(size, dtype):
    name = f"matmul-{'tf32' if dtype == 'f32' else dtype}-{size}"
    dims = {"M": size, "N": size, "K": size, "dtype": dtype}
    return Workload(name, "matmul", dims, "tf32" if dtype == "f32" else dtype)


def attention(name, groups, window=0):
    dims = {"B": 1, "T": 8192, "H": 16, "G": groups, "D": 128, "window": window,
            "dtype": "bf16"}
    return Workload(f"attention-{name}-8k", "attention", dims)


def recurrence(kind, rows, time, heads, keys=128, values=128):
    dims = {"B": rows, "T": time, "H": heads, "K": keys, "V": values,
            "dtype": "bf16"}
    return Workload(f"{kind}-b{rows}-t{time}-h{heads}", kind, dims)


#: Recurrences at sizes of flash-linear-attention's own benchmarks
#: (benchmarks/ops), Mamba-2's heads as its 1.3B model has them.
WORKLOADS = (
    product(4096, "bf16"),
    product(8192, "bf16"),
    product(4096, "f32"),
    product(8192, "f32"),
    attention("mha", 16),
    attention("gqa", 4),
    attention("window1k", 16, 1024),
    recurrence("gdn", 4, 2048, 16),
    recurrence("gdn", 1, 8192, 96),
    recurrence("gdn", 2, 16384, 16),
    recurrence("gla", 4, 2048, 16),
    recurrence("gla", 2, 16384, 16),
    recurrence("mamba2", 4, 2048, 64, values=64),
    recurrence("mamba2", 1, 8192, 64, values=64),
)


def shrink(workload):
    """The workload at a size for the emulator, of which no extent fills its
    tiles."""
    small = {"M": 37, "N": 128, "K": 80, "B": 2, "T": 45, "H": 4, "G": 2, "D": 32,
             "window": 7, "V": 24}
    if workload.kind != "attention":
        small["K"] = 80 if workload.kind == "matmul" else 32
    dims = {name: small.get(name, value) if value else value
            for name, value in workload.dims.items()}
    if workload.kind == "attention" and workload.dims["G"] == workload.dims["H"]:
        dims["G"] = dims["H"]
    return Workload(workload.name, workload.kind, dims, workload.compute)


#: SmolLM2-135M's shape, for a peer of its own weights; they are drawn here too.
SMOLLM2 = {"layers": 30, "hidden": 576, "heads": 9, "groups": 3, "inner": 1536,
           "vocabulary": 49152, "theta": 100000.0}
#: Tokens of a prompt, and of what is decoded behind it.
PROMPT, STEPS = 512, 32
