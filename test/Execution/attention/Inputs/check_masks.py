#!/usr/bin/env python3
"""Attention under random masks, compiled, against its definition in float64.

  check_masks.py [--seed N] [--count N] [--per-program N] [--flags "WEIRC FLAGS"]

A mask is a random expression of the algebra, a random predicate over row, head,
positions and a number that each token has, or both. Forms and tiles of the schedule are drawn too, so that
lengths leave tails. One program computes --per-program masks, which seeds from
--seed on stand for; a line for each program. Ends with `N passed, N failed`.
"""

import pathlib
import random
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, check_seeds, run, write_main

HEADS, KEY_HEADS, FEATURES = 4, 2, 8
LENGTHS = (1, 19, 70)
LIMIT = 2e-5


class Positions:
    """What a predicate may ask, as arrays over [batch, head, query, key];
    `numbers` are those of tokens, [batch, time]."""

    def __init__(self, numbers):
        batch, time = numbers.shape
        numbers = numbers.astype(np.int64)
        self.of_query = numbers.reshape(batch, 1, time, 1)
        self.of_key = numbers.reshape(batch, 1, 1, time)
        self.row = np.arange(batch).reshape(-1, 1, 1, 1)
        self.head = np.arange(HEADS).reshape(1, -1, 1, 1)
        self.query = np.arange(time).reshape(1, 1, -1, 1)
        self.key = np.arange(time).reshape(1, 1, 1, -1)


# An expression of the algebra is its text and a function of positions.
def draw_mask(draw, depth):
    kind = draw.randrange(8 if depth == 0 else 13)
    if kind == 0:
        return "full", lambda p: p.query == p.query
    if kind == 1:
        return "causal", lambda p: p.key <= p.query
    if kind == 2:
        left = draw.randrange(1, 30)
        return f"window<{left}>", lambda p: p.query - p.key < left
    if kind == 3:
        left, right = draw.randrange(20), draw.randrange(20)
        return (
            f"window<{left}, {right}>",
            lambda p: (p.query - p.key <= left) & (p.key - p.query <= right),
        )
    if kind == 4:
        count = draw.randrange(1, 20)
        return f"first<{count}>", lambda p: p.key < count
    if kind == 5:
        step = draw.randrange(1, 24)
        return f"dilated<{step}>", lambda p: (p.query - p.key) % step == 0
    if kind in (6, 7):
        length = draw.randrange(1, 40)
        return f"chunk<{length}>", lambda p: p.query // length == p.key // length
    text, mask = draw_mask(draw, depth - 1)
    if kind == 8:
        return f"not ({text})", lambda p: ~mask(p)
    other_text, other = draw_mask(draw, depth - 1)
    if kind < 11:
        return f"({text}) and ({other_text})", lambda p: mask(p) & other(p)
    return f"({text}) or ({other_text})", lambda p: mask(p) | other(p)


class Region:
    """Lines of a region's body as they are drawn."""

    def __init__(self):
        self.lines = []

    def emit(self, text, type):
        name = f"%n{len(self.lines)}"
        self.lines.append(f"    {name} = {text} : {type}")
        return name


def draw_number(draw, region, depth):
    """A number of a predicate: its name, and a function of positions."""
    if depth == 0 or draw.randrange(4) == 0:
        kind = draw.randrange(10)
        if kind > 7:
            name = ("query", "key")[kind - 8]
            number = region.emit(
                f"tensor.extract %numbers[%row, %{name}]", "tensor<?x?xi32>"
            )
            return (
                region.emit(f"arith.index_cast {number}", "i32 to index"),
                lambda p: getattr(p, f"of_{name}"),
            )
        if kind < 5:
            name = ("query", "key", "head", "query", "key")[kind]
            return f"%{name}", lambda p: getattr(p, name)
        if kind == 5:
            return "%row", lambda p: p.row
        number = draw.randrange(-8, 40)
        return region.emit(f"arith.constant {number}", "index"), lambda p: np.array(number)
    lhs, left = draw_number(draw, region, depth - 1)
    kind = draw.randrange(9)
    if kind < 3:
        number = draw.randrange(1, 30)
        by = region.emit(f"arith.constant {number}", "index")
        if kind == 0:
            return (
                region.emit(f"arith.floordivsi {lhs}, {by}", "index"),
                lambda p: left(p) // number,
            )
        if kind == 1:
            return (
                region.emit(f"arith.remsi {lhs}, {by}", "index"),
                lambda p: np.fmod(left(p), number),
            )
        return (
            region.emit(f"arith.divsi {lhs}, {by}", "index"),
            lambda p: np.trunc(left(p) / number).astype(np.int64),
        )
    rhs, right = draw_number(draw, region, depth - 1)
    name, function = {
        3: ("minsi", np.minimum),
        4: ("maxsi", np.maximum),
        5: ("muli", np.multiply),
        6: ("addi", np.add),
    }.get(kind, ("subi", np.subtract))
    return (
        region.emit(f"arith.{name} {lhs}, {rhs}", "index"),
        lambda p: function(left(p), right(p)),
    )


def draw_predicate(draw, region, depth):
    if depth > 0 and draw.randrange(2):
        lhs, left = draw_predicate(draw, region, depth - 1)
        rhs, right = draw_predicate(draw, region, depth - 1)
        name, function = draw.choice(
            [("andi", np.logical_and), ("ori", np.logical_or), ("xori", np.logical_xor)]
        )
        return (
            region.emit(f"arith.{name} {lhs}, {rhs}", "i1"),
            lambda p: function(left(p), right(p)),
        )
    lhs, left = draw_number(draw, region, 2)
    rhs, right = draw_number(draw, region, 1)
    name, function = draw.choice(
        [
            ("sle", np.less_equal),
            ("slt", np.less),
            ("sge", np.greater_equal),
            ("eq", np.equal),
            ("ne", np.not_equal),
        ]
    )
    return (
        region.emit(f"arith.cmpi {name}, {lhs}, {rhs}", "index"),
        lambda p: function(left(p), right(p)),
    )


def draw_case(seed):
    """The text of an attention op, and its mask as a function of positions."""
    draw = random.Random(seed)
    kind = draw.randrange(3)
    text, mask = draw_mask(draw, 3) if kind != 1 else ("full", lambda p: p.key == p.key)
    form = draw.choice(["flash", "flash", "row", "split"])
    tiles = [draw.choice([1, 4, 8, 16]), draw.choice([4, 8, 16, 32])]
    if form == "split":
        tiles.append(draw.choice([2, 3]))
    where = ""
    if kind != 0:
        region = Region()
        name, predicate = draw_predicate(draw, region, 2)
        where = (
            " where {\n  ^bb0(%row: index, %head: index, %query: index, %key: index):\n"
            + "\n".join(region.lines)
            + f"\n    weir.yield {name} : i1\n  }}"
        )
        shown = mask
        mask = lambda p: shown(p) & predicate(p)
    query = f"tensor<?x?x{HEADS}x{FEATURES}xf32>"
    key = f"tensor<?x?x{KEY_HEADS}x{FEATURES}xf32>"
    return (
        f"weir.attention %q, %k, %v mask(<{text}>) scale(0.5)\n"
        f'      schedule(<form = "{form}", tiles = {tiles}>){where}\n'
        f"      : {query}, {key}, {key} -> {query}",
        mask,
    )


def write_module(cases):
    query = f"tensor<?x?x{HEADS}x{FEATURES}xf32>"
    key = f"tensor<?x?x{KEY_HEADS}x{FEATURES}xf32>"
    return write_main(
        [("q", query), ("k", key), ("v", key), ("numbers", "tensor<?x?xi32>")],
        [f"  %o{i} = {text}" for i, (text, _) in enumerate(cases)],
        [(f"o{i}", query) for i in range(len(cases))],
    )


def attend(q, k, v, visible):
    group = HEADS // KEY_HEADS
    k, v = np.repeat(k, group, 2), np.repeat(v, group, 2)
    scores = 0.5 * np.einsum("bqhd,bkhd->bhqk", q, k)
    scores = np.where(visible, scores, -np.inf)
    top = np.maximum(scores.max(-1, keepdims=True), -1e30)
    weights = np.exp(scores - top)
    sums = weights.sum(-1, keepdims=True)
    weights = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
    return np.einsum("bhqk,bkhd->bqhd", weights, v)


def check(seeds, options, work):
    cases = [draw_case(seed) for seed in seeds]
    source, program = work / "masks.mlir", work / "masks"
    source.write_text(write_module(cases))
    run("weirc", source, *options.flags.split(), "--quiet", "-o", program)
    numbers = np.random.default_rng(seeds[0])
    worst = 0.0
    for time in LENGTHS:
        shapes = {"q": HEADS, "k": KEY_HEADS, "v": KEY_HEADS}
        inputs = {
            name: numbers.standard_normal((2, time, heads, FEATURES)).astype(np.float32)
            for name, heads in shapes.items()
        }
        # Few numbers, in runs: some tiles have one alone.
        inputs["numbers"] = np.sort(numbers.integers(0, 4, (2, time)), 1).astype(np.int32)
        save_file(inputs, work / "in.safetensors")
        run(program, "--inputs", work / "in.safetensors", "--outputs", work / "out.safetensors")
        outputs = load_file(work / "out.safetensors")
        wide = [inputs[name].astype(np.float64) for name in "qkv"]
        for i, (text, mask) in enumerate(cases):
            visible = mask(Positions(inputs["numbers"]))
            visible = np.broadcast_to(visible, (2, HEADS, time, time))
            expected = attend(*wide, visible)
            error = np.abs(outputs[f"o{i}"] - expected).max(initial=0)
            worst = max(worst, error)
            if not error <= LIMIT:
                raise Failed(f"seed {seeds[i]}, length {time}: off by {error:.1e}\n{text}")
    return f"{worst:.1e}"


if __name__ == "__main__":
    sys.exit(check_seeds(check, __doc__, count=1000))
