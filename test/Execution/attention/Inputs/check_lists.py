#!/usr/bin/env python3
"""Attention over lists of blocks, with weights of every kind, and the choice of
such lists, compiled, against their definitions in float64.

  check_lists.py [--seed N] [--count N] [--per-program N] [--flags "WEIRC FLAGS"]

Heads, features, sizes of blocks, lists, masks, biases, sinks, logarithms of sums
and forms of the schedule are drawn; lists are drawn with entries that are no block, or lie behind the
keys, and once more chosen by `weir.select_blocks`. A line for each program. Ends
with `N passed, N failed`.
"""

import pathlib
import random
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, check_seeds, run, write_main

LENGTHS = (1, 23, 70)
LIMIT = 3e-5
MASKS = {
    "full": lambda q, k: k == k,
    "causal": lambda q, k: k <= q,
    "causal and window<9>": lambda q, k: (k <= q) & (q - k < 9),
    "causal and (window<5> or first<3>)": lambda q, k: (k <= q) & ((q - k < 5) | (k < 3)),
    "dilated<3>": lambda q, k: (q - k) % 3 == 0,
}


def tensor(*extents, element="f32"):
    return f"tensor<{'x'.join(['?', '?', *map(str, extents)])}x{element}>"


class Case:
    """One attention op, and perhaps the choice of its list."""

    def __init__(self, seed):
        draw = self.draw = random.Random(seed)
        self.seed = seed
        self.key_heads = draw.choice([1, 2])
        self.heads = self.key_heads * draw.choice([1, 3, 16])
        self.dim, self.value_dim = draw.choice([4, 12]), draw.choice([4, 8])
        self.normalize = draw.choice(["softmax"] * 3 + ["sigmoid", "none", "stick_breaking"])
        self.listed = self.normalize != "stick_breaking" and draw.random() < 0.8
        self.chosen = self.listed and draw.random() < 0.5
        self.block = draw.choice([1, 4, 7, 16, 40])
        self.rows = 1 if self.chosen else draw.choice([1, 1, 4])
        divisors = [
            n for n in range(1, self.heads + 1)
            if self.heads % n == 0 and (n % self.key_heads == 0 or self.key_heads % n == 0)
        ]
        self.lists = draw.choice(divisors)
        self.entries = draw.choice([1, 3, 6])
        self.mask = "causal" if self.chosen else draw.choice(list(MASKS))
        self.has_bias = draw.random() < 0.4
        self.has_score = draw.random() < 0.3
        self.has_where = draw.random() < 0.3
        if self.chosen:
            self.choose_heads = self.lists * draw.choice([1, 2, 5])
            self.choose_keys = draw.choice([n for n in (1, 2, 3) if self.lists % n == 0])
            self.score = draw.choice(["raw", "relu", "softmax"])
            self.weighted = draw.random() < 0.5
            self.forced = draw.random() < 0.5
            self.pool = draw.choice(["last", "max"])
        is_softmax = self.normalize == "softmax"
        self.has_sums = is_softmax and draw.random() < 0.5
        self.sinks = None
        if is_softmax and draw.random() < 0.3:
            self.sinks = [round(draw.uniform(-2, 2), 3) for _ in range(self.heads)]
        # By hand, since small blocks would not be sorted.
        self.sorted = None
        if self.listed and draw.random() < 0.5:
            self.sorted = [draw.choice(sizes) for sizes in ((5, 16, 64), (8, 24), (3, 16))]

    def list_type(self):
        return tensor(self.lists, self.entries, element="i32")

    def arguments(self):
        """Names of the inputs, with the extents behind batch and time."""
        found = {
            "q": (self.heads, self.dim),
            "k": (self.key_heads, self.dim),
            "v": (self.key_heads, self.value_dim),
        }
        if self.has_bias:
            found["bias"] = (self.heads,)
        if self.chosen:
            found["cq"] = (self.choose_heads, self.dim)
            found["ck"] = (self.choose_keys, self.dim)
            if self.weighted:
                found["cw"] = (self.choose_heads,)
        return {f"{name}{self.seed}": extents for name, extents in found.items()}

    def write_choice(self):
        at = self.seed
        weights = (
            f" weights(%cw{at} : {tensor(self.choose_heads)})" if self.weighted else ""
        )
        adjust = ""
        if self.forced:
            adjust = f""" adjust {{
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %c: index):
    %always = arith.constant 0x7F800000 : f32
    %size = arith.constant {self.block} : index
    %own = arith.divui %i, %size : index
    %is = arith.cmpi eq, %own, %c : index
    %t = arith.select %is, %always, %s : f32
    weir.yield %t : f32
  }}"""
        return (
            f"  %list{at} = weir.select_blocks %cq{at}, %ck{at} block_size({self.block})\n"
            f"      scale(0.5) score({self.score}){weights} pool({self.pool}){adjust}\n"
            f"      : {tensor(self.choose_heads, self.dim)}, "
            f"{tensor(self.choose_keys, self.dim)} -> {self.list_type()}\n"
        )

    def write(self):
        at = self.seed
        text = self.write_choice() if self.chosen else ""
        options = f" normalize({self.normalize})"
        if self.has_bias:
            options += f" key_bias(%bias{at} : {tensor(self.heads)})"
        results, sums = f"%o{at}", ""
        if self.has_sums:
            results, sums = f"%o{at}, %l{at}", f", {tensor(self.heads)}"
        if self.sinks:
            text += f"  %sinks{at} = arith.constant dense<{self.sinks}> : tensor<{self.heads}xf32>\n"
            options += f" sinks(%sinks{at} : tensor<{self.heads}xf32>)"
        if self.listed:
            options += (
                f" block_list(%list{at} : {self.list_type()})"
                f" block_size({self.block}) query_block({self.rows})"
            )
        if self.sorted:
            options += (
                f' schedule(<form = "list_sorted", tiles = {self.sorted}, parallel = true>)'
            )
        if self.has_where:
            options += """ where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %three = arith.constant 3 : index
    %sum = arith.addi %h, %j : index
    %part = arith.remui %sum, %three : index
    %is = arith.cmpi ne, %part, %b : index
    weir.yield %is : i1
  }"""
        if self.has_score:
            options += """ score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %t = math.tanh %s : f32
    weir.yield %t : f32
  }"""
        return (
            f"{text}  {results} = weir.attention %q{at}, %k{at}, %v{at} mask(<{self.mask}>)"
            f" scale(0.5)\n     {options}\n"
            f"      : {tensor(self.heads, self.dim)}, {tensor(self.key_heads, self.dim)}, "
            f"{tensor(self.key_heads, self.value_dim)} -> {tensor(self.heads, self.value_dim)}{sums}"
        )

    def draw_list(self, numbers, time):
        """Different blocks in any order, or -1; some lie behind the keys."""
        blocks = -(-time // self.block) + 2
        shape = (2, -(-time // self.rows), self.lists)
        drawn = np.full((*shape, self.entries), -1, np.int32)
        for place in np.ndindex(shape):
            order = numbers.permutation(blocks)[: self.entries]
            drawn[place][: len(order)] = order
        drawn[numbers.random(drawn.shape) < 0.2] = -1
        return drawn

    def choose(self, inputs, time):
        """The lists of `weir.select_blocks`."""
        get = lambda name: inputs[f"{name}{self.seed}"].astype(np.float64)
        blocks = -(-time // self.block)
        last = np.arange(1, blocks + 1) * self.block - 1
        at = np.arange(time)
        keys = np.repeat(get("ck"), self.choose_heads // self.choose_keys, 2)
        products = 0.5 * np.einsum("bthd,bkhd->bthk", get("cq"), keys)
        scores = products[..., np.minimum(last, time - 1)]
        complete = last <= at[:, None]
        if self.pool == "max":
            products = np.where(at <= at[:, None, None], products, -np.inf)
            products = np.pad(
                products,
                ((0, 0),) * 3 + ((0, blocks * self.block - time),),
                constant_values=-np.inf,
            )
            scores = products.reshape(*products.shape[:3], blocks, -1).max(-1)
            complete = last + 1 - self.block <= at[:, None]
            scores = np.where(complete[:, None], scores, 0)
        if self.score == "relu":
            scores = np.maximum(scores, 0)
        if self.score == "softmax":
            hidden = np.where(complete[:, None], scores, -np.inf)
            top = np.maximum(hidden.max(-1, keepdims=True), -1e30)
            scores = np.exp(hidden - top)
            scores /= np.maximum(scores.sum(-1, keepdims=True), 1e-300)
        if self.weighted:
            scores = scores * get("cw")[..., None]
        scores = scores.reshape(2, time, self.lists, -1, blocks).sum(3)
        scores = np.where(complete[:, None], scores, -np.inf)
        own = np.arange(blocks) == (at // self.block)[:, None]
        if self.forced:
            scores = np.where(own[:, None], np.inf, scores)
        return scores

    def check_choice(self, scores, found):
        """Fails unless the lists hold the best blocks, but for rounding."""
        for place in np.ndindex(found.shape[:3]):
            row, chosen = scores[place], found[place]
            named = chosen[chosen >= 0]
            possible = int((row > -np.inf).sum())
            right = len(named) == min(possible, self.entries)
            right &= bool((np.diff(named) > 0).all()) and (chosen[len(named):] == -1).all()
            if right and len(named):
                rest = np.delete(row, named)
                right = row[named].min() >= rest.max(initial=-np.inf) - 1e-5
            if not right:
                raise Failed(f"seed {self.seed}: row {place} has {chosen} of {row}\n{self.write()}")

    def attend(self, inputs, time, lists):
        get = lambda name: inputs[f"{name}{self.seed}"].astype(np.float64)
        group = self.heads // self.key_heads
        k, v = np.repeat(get("k"), group, 2), np.repeat(get("v"), group, 2)
        scores = 0.5 * np.einsum("bqhd,bkhd->bhqk", get("q"), k)
        if self.has_bias:
            scores = scores + get("bias").transpose(0, 2, 1)[:, :, None]
        if self.has_score:
            scores = np.tanh(scores)
        at = np.arange(time)
        visible = np.broadcast_to(MASKS[self.mask](at[:, None], at), scores.shape)
        if self.has_where:
            part = (np.arange(self.heads)[:, None] + at) % 3
            visible = visible & (part[None] != np.arange(2)[:, None, None])[:, :, None]
        if self.listed:
            named = (lists[..., None] == at // self.block) & (lists[..., None] >= 0)
            named = np.repeat(named.any(3), self.rows, 1)[:, :time]
            named = np.repeat(named, self.heads // self.lists, 2)
            visible = visible & named.transpose(0, 2, 1, 3)
        results = {}
        if self.normalize == "softmax":
            weights, sums = self.weigh_softmax(scores, visible)
            if self.has_sums:
                results["l"] = sums.transpose(0, 2, 1)
        else:
            weights = self.weigh(scores, visible)
        results["o"] = np.einsum("bhqk,bkhd->bqhd", weights, v)
        return results

    def weigh_softmax(self, scores, visible):
        scores = np.where(visible, scores, -np.inf)
        weights = np.exp(scores)
        sums = weights.sum(-1, keepdims=True)
        if self.sinks:
            sums = sums + np.exp(self.sinks)[:, None, None]
        shares = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
        with np.errstate(divide="ignore"):
            return shares, np.log(sums[..., 0])

    def weigh(self, scores, visible):
        if self.normalize == "none":
            return np.where(visible, scores, 0)
        shares = np.where(visible, 1 / (1 + np.exp(-scores)), 0)
        if self.normalize == "sigmoid":
            return shares
        left = np.cumprod((1 - shares)[..., ::-1], -1)[..., ::-1]
        left = np.concatenate([left[..., 1:], np.ones_like(left[..., :1])], -1)
        return shares * left


def write_module(cases):
    inputs, results = [], []
    for case in cases:
        for name, extents in case.arguments().items():
            inputs.append((name, tensor(*extents)))
        if case.listed and not case.chosen:
            inputs.append((f"list{case.seed}", case.list_type()))
        results.append((f"o{case.seed}", tensor(case.heads, case.value_dim)))
        if case.has_sums:
            results.append((f"l{case.seed}", tensor(case.heads)))
        if case.chosen:
            results.append((f"list{case.seed}", case.list_type()))
    return write_main(inputs, [case.write() for case in cases], results)


def check(seeds, options, work):
    cases = [Case(seed) for seed in seeds]
    source, program = work / "lists.mlir", work / "lists"
    source.write_text(write_module(cases))
    run("weirc", source, *options.flags.split(), "--quiet", "-o", program)
    numbers = np.random.default_rng(seeds[0])
    worst = 0.0
    for time in LENGTHS:
        inputs, lists = {}, {}
        for case in cases:
            for name, extents in case.arguments().items():
                inputs[name] = numbers.standard_normal((2, time, *extents)).astype(np.float32)
            if case.listed and not case.chosen:
                lists[case.seed] = case.draw_list(numbers, time)
        save_file(
            inputs | {f"list{seed}": drawn for seed, drawn in lists.items()},
            work / "in.safetensors",
        )
        run(program, "--inputs", work / "in.safetensors", "--outputs", work / "out.safetensors")
        outputs = load_file(work / "out.safetensors")
        for case in cases:
            if case.chosen:
                lists[case.seed] = outputs[f"list{case.seed}"]
                case.check_choice(case.choose(inputs, time), lists[case.seed])
            expected = case.attend(inputs, time, lists.get(case.seed))
            for name, wanted in expected.items():
                found = outputs[f"{name}{case.seed}"]
                # Sums of nothing are alike, which no difference of infinities
                # would tell.
                alike = found == wanted
                found, wanted = np.where(alike, 0, found), np.where(alike, 0, wanted)
                error = np.abs(found - wanted).max(initial=0) / max(1, np.abs(wanted).max(initial=0))
                worst = max(worst, error)
                if not error <= LIMIT:
                    raise Failed(
                        f"seed {case.seed}, length {time}: {name} is off by {error:.1e}\n{case.write()}"
                    )
    return f"{worst:.1e}"


if __name__ == "__main__":
    sys.exit(check_seeds(check, __doc__, count=200))
