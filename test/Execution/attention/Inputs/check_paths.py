#!/usr/bin/env python3
"""Attention with a path between queries and keys, and values less what attention
reads of the earlier ones, compiled, against their definitions in float64.

  check_paths.py [--seed N] [--count N] [--per-program N] [--flags "WEIRC FLAGS"]

Heads, features, masks, biases, factors up to 2, weights, the fill of a
buffer behind an offset, and forms and tiles of the schedule are drawn; rows of
paths are unit vectors, and some of them are equal. A line for each program. Ends
with `N passed, N failed`.
"""

import pathlib
import random
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, check_seeds, run, write_main

LENGTHS = (0, 1, 2, 23, 70)
# Positions that a buffer holds in front of the queries, at most, and behind.
PAST, REST = 19, 3
LIMIT = 3e-5
MASKS = {
    "full": lambda q, k: k == k,
    "causal": lambda q, k: k <= q,
    "causal and window<9>": lambda q, k: (k <= q) & (q - k < 9),
    "causal and (window<5> or first<3>)": lambda q, k: (k <= q) & ((q - k < 5) | (k < 3)),
}


def tensor(*extents, element="f32"):
    return f"tensor<{'x'.join(['?', '?', *map(str, extents)])}x{element}>"


class Case:
    """One attention op with a path, or one `weir.delta_values`."""

    def __init__(self, seed):
        draw = self.draw = random.Random(seed)
        self.seed = seed
        self.is_delta = draw.random() < 0.4
        self.key_heads = draw.choice([1, 2])
        self.heads = self.key_heads * draw.choice([1, 1, 3])
        self.dim, self.value_dim = draw.choice([1, 5, 12, 16]), draw.choice([1, 7, 16])
        self.offset = draw.random() < 0.4
        self.mask = draw.choice(list(MASKS))
        self.has_bias = draw.random() < 0.4
        self.has_score = draw.random() < 0.2
        self.has_sinks = draw.random() < 0.2
        self.normalize = "softmax"
        if not self.has_sinks:
            self.normalize = draw.choice(["softmax"] * 3 + ["sigmoid", "none"])
        self.schedule = None
        if draw.random() < 0.6:
            tiles = [draw.choice([1, 3, 4, 16]), draw.choice([1, 5, 16, 64])]
            self.schedule = f'<form = "{draw.choice(["flash", "row"])}", tiles = {tiles}>'

    def arguments(self):
        """Names of the inputs, with what they run along, and their extents."""
        keyed = "key" if self.offset else "time"
        found = {
            "q": ("time", self.heads, self.dim),
            "k": (keyed, self.key_heads, self.dim),
        }
        if self.is_delta:
            found["v"] = ("time", self.heads, self.value_dim)
            found["beta"] = ("time", self.heads)
            if self.offset:
                found["past"] = ("key", self.heads, self.value_dim)
        else:
            found["v"] = (keyed, self.key_heads, self.value_dim)
            found["w"] = (keyed, self.key_heads, self.dim)
            found["beta"] = (keyed, self.key_heads)
            if self.has_bias:
                found["bias"] = (keyed, self.heads)
        return found

    def type(self, name):
        return tensor(*self.arguments()[name][1:])

    def declare(self):
        inputs = [(name, self.type(name)) for name in self.arguments()]
        if self.offset:
            inputs.append(("offset", "tensor<?xi32>"))
        if self.has_sinks and not self.is_delta:
            inputs.append(("sinks", f"tensor<{self.heads}xf32>"))
        return [(f"{name}{self.seed}", type) for name, type in inputs]

    def write(self):
        at = self.seed
        schedule = f" schedule({self.schedule})" if self.schedule else ""
        offset = f" offset(%offset{at} : tensor<?xi32>)" if self.offset else ""
        result = tensor(self.heads, self.value_dim)
        if self.is_delta:
            past = f" past(%past{at} : {self.type('past')})" if self.offset else ""
            return (
                f"  %o{at} = weir.delta_values %q{at}, %k{at}, %v{at}, %beta{at} scale(0.5)\n"
                f"     {past}{offset}{schedule}\n"
                f"      : {self.type('q')}, {self.type('k')}, {self.type('v')}, "
                f"{self.type('beta')} -> {result}"
            )
        options = (
            f" path(%w{at}, %beta{at} : {self.type('w')}, {self.type('beta')})"
            f" normalize({self.normalize})"
        )
        if self.has_bias:
            options += f" key_bias(%bias{at} : {self.type('bias')})"
        if self.has_sinks:
            options += f" sinks(%sinks{at} : tensor<{self.heads}xf32>)"
        score = ""
        if self.has_score:
            score = """ score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %t = math.tanh %s : f32
    weir.yield %t : f32
  }"""
        return (
            f"  %o{at} = weir.attention %q{at}, %k{at}, %v{at} mask(<{self.mask}>) scale(0.5)\n"
            f"     {offset}{options}{schedule}{score}\n"
            f"      : {self.type('q')}, {self.type('k')}, {self.type('v')} -> {result}"
        )

    def make(self, numbers, time):
        """The inputs at `time` queries, by their short names."""
        capacity = time + PAST + REST
        made = {}
        for name, (axis, *extents) in self.arguments().items():
            shape = (2, capacity if axis == "key" else time, *extents)
            made[name] = numbers.standard_normal(shape)
        if "w" in made:
            made["w"][:, ::4] = made["w"][:, :1]
            made["w"] /= np.linalg.norm(made["w"], axis=-1, keepdims=True)
            made["beta"] = numbers.uniform(0, 2, made["beta"].shape)
        made = {name: values.astype(np.float32) for name, values in made.items()}
        if self.offset:
            made["offset"] = numbers.integers(0, PAST + 1, 2).astype(np.int32)
        if self.has_sinks and not self.is_delta:
            made["sinks"] = numbers.standard_normal(self.heads).astype(np.float32)
        return made

    def solve(self, inputs, time):
        """The definition, row by row."""
        get = {name: values.astype(np.float64) for name, values in inputs.items()}
        out = np.zeros((2, time, self.heads, self.value_dim))
        group = self.heads // self.key_heads
        for row in range(2):
            before = int(inputs["offset"][row]) if self.offset else 0
            for head in range(self.heads):
                one = {
                    name: values[row, :, head // group if name in ("k", "w") else head]
                    for name, values in get.items()
                    if name in ("q", "k", "w", "bias", "past")
                }
                shared = head // group if not self.is_delta else head
                one["v"], one["beta"] = get["v"][row, :, shared], get["beta"][row, :, shared]
                one["sink"] = get["sinks"][head] if "sinks" in get else None
                solve = self.correct if self.is_delta else self.attend
                out[row, :, head] = solve(one, before, time)
        return out

    def correct(self, one, before, time):
        results = np.zeros((before + time, self.value_dim))
        if before:
            results[:before] = one["past"][:before]
        for t in range(time):
            here = before + t
            results[here] = one["v"][t]
            if here:
                scores = 0.5 * one["k"][:here] @ one["q"][t]
                weights = np.exp(scores - scores.max())
                read = weights @ results[:here] / weights.sum()
                results[here] -= one["beta"][t] * read
        return results[before:]

    def attend(self, one, before, time):
        total = before + time
        out = np.zeros((time, self.value_dim))
        for t in range(time):
            here, query = before + t, one["q"][t].copy()
            scores = np.zeros(total)
            for key in reversed(range(total)):
                scores[key] = 0.5 * query @ one["k"][key]
                if key <= here:
                    share = one["beta"][key] * (query @ one["w"][key])
                    query -= share * one["w"][key]
            if "bias" in one:
                scores = scores + one["bias"][:total]
            if self.has_score:
                scores = np.tanh(scores)
            seen = MASKS[self.mask](here, np.arange(total))
            out[t] = self.weigh(scores, seen, one["sink"]) @ one["v"][:total]
        return out

    def weigh(self, scores, seen, sink):
        if self.normalize == "none":
            return np.where(seen, scores, 0)
        if self.normalize == "sigmoid":
            return np.where(seen, 1 / (1 + np.exp(-scores)), 0)
        weights = np.where(seen, np.exp(scores), 0)
        return weights / (weights.sum() + (0 if sink is None else np.exp(sink)))


def write_module(cases):
    return write_main(
        [value for case in cases for value in case.declare()],
        [case.write() for case in cases],
        [(f"o{case.seed}", tensor(case.heads, case.value_dim)) for case in cases],
    )


def check(seeds, options, work):
    cases = [Case(seed) for seed in seeds]
    source, program = work / "paths.mlir", work / "paths"
    source.write_text(write_module(cases))
    run("weirc", source, *options.flags.split(), "--quiet", "-o", program)
    numbers = np.random.default_rng(seeds[0])
    worst = 0.0
    for time in LENGTHS:
        made = {case.seed: case.make(numbers, time) for case in cases}
        save_file(
            {f"{name}{seed}": x for seed, inputs in made.items() for name, x in inputs.items()},
            work / "in.safetensors",
        )
        run(program, "--inputs", work / "in.safetensors", "--outputs", work / "out.safetensors")
        outputs = load_file(work / "out.safetensors")
        for case in cases:
            expected = case.solve(made[case.seed], time)
            found = outputs[f"o{case.seed}"]
            error = np.abs(found - expected).max(initial=0) / max(1, np.abs(expected).max(initial=0))
            worst = max(worst, error)
            if not error <= LIMIT:
                raise Failed(f"seed {case.seed}, length {time}: off by {error:.1e}\n{case.write()}")
    return f"{worst:.1e}"


if __name__ == "__main__":
    sys.exit(check_seeds(check, __doc__, count=200))
