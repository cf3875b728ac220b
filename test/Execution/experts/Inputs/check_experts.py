#!/usr/bin/env python3
"""Routes to experts and what these compute, compiled, against their definitions
in float64.

  check_experts.py [--seed N] [--count N] [--per-program N] [--flags "WEIRC FLAGS"]

Numbers of experts, extents, scores, weightings, biases and groups are drawn, and
loads of every kind: even, all tokens to the same experts, many experts without a
token, ties. It holds, of each case, that the experts are those of the
definition, that weights sum as they should, that every token reaches all of its
experts and no index that is none counts, and that tokens in another order give
the same in that order. A line for each program. Ends with `N passed, N failed`.
"""

import pathlib
import random
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, check_seeds
from programs import compile_cases, draw_inputs

LENGTHS = (1, 19, 150)
LIMIT = 3e-5
LOADS = ("even", "same", "few", "ties")


class Case:
    """A route and the experts behind it."""

    def __init__(self, seed):
        draw = self.draw = random.Random(seed)
        self.seed = seed
        # One token, of which the compiler knows that it is one.
        self.one = draw.random() < 0.3
        self.groups = draw.choice([None, None, 2, 4])
        per_group = draw.choice([2, 3, 6])
        self.experts = self.groups * per_group if self.groups else draw.choice([1, 3, 8, 21])
        self.chosen = draw.randint(1, self.groups) if self.groups else None
        self.group_score = draw.choice(["max", "top_two"])
        most = self.chosen * per_group if self.groups else self.experts
        self.top = draw.randint(1, min(most, 6))
        self.score = draw.choice(["raw", "softmax", "sigmoid"])
        self.weighting = draw.choice(["scores", "normalized", "softmax"])
        # The sum of raw scores may be about zero.
        if self.score == "raw" and self.weighting == "normalized":
            self.weighting = "softmax"
        self.has_bias = draw.random() < 0.4
        self.scale = draw.choice([1.0, 2.5])
        self.eps = draw.choice([0.0, 0.5])
        self.weigh_input = draw.random() < 0.3
        self.width, self.inner = draw.choice([5, 16, 40]), draw.choice([7, 24])
        self.out = draw.choice([self.width, 12])
        self.load = draw.choice(LOADS)

    def name(self, what):
        return f"{what}{self.seed}"

    def timed(self, last, element="f32"):
        return f"tensor<{'1x1' if self.one else '?x?'}x{last}x{element}>"

    def arguments(self):
        e, f = self.experts, self.inner
        found = {
            "x": self.timed(self.width), "l": self.timed(e), "i": self.timed(2, "i32"),
            "p": self.timed(2), "u": f"tensor<{e}x{f}x{self.width}xf32>",
            "d": f"tensor<{e}x{self.out}x{f}xf32>",
        }
        if self.has_bias:
            found["b"] = f"tensor<{e}xf32>"
        return [(self.name(what), kind) for what, kind in found.items()]

    def results(self):
        return [
            (self.name("index"), self.timed(self.top, "i32")),
            (self.name("weight"), self.timed(self.top)),
            (self.name("y"), self.timed(self.out)),
            (self.name("z"), self.timed(self.out)),
        ]

    def write_experts(self, result, indices, weights, slots):
        at, e, f = self.seed, self.experts, self.inner
        up, down = f"tensor<{f}x{self.width}xf32>", f"tensor<{self.out}x{f}xf32>"
        rows = "tensor<?x{}xf32>"
        return f"""  %{result}{at} = weir.experts %x{at}, {indices}, {weights}
      params(%u{at}, %d{at} : tensor<{e}x{f}x{self.width}xf32>, tensor<{e}x{self.out}x{f}xf32>)
      {"weigh_input" if self.weigh_input else ""}
      : {self.timed(self.width)}, {self.timed(slots, "i32")}, {self.timed(slots)}
      -> {self.timed(self.out)} {{
  ^bb0(%rows: {rows.format(self.width)}, %up: {up}, %down: {down}):
    %a = weir.linear %rows, %up : {rows.format(self.width)}, {up} -> {rows.format(f)}
    %t = math.tanh %a : {rows.format(f)}
    %o = weir.linear %t, %down : {rows.format(f)}, {down} -> {rows.format(self.out)}
    weir.yield %o : {rows.format(self.out)}
  }}"""

    def write(self):
        at = self.seed
        bias = f"bias(%b{at} : tensor<{self.experts}xf32>)" if self.has_bias else ""
        groups = ""
        if self.groups:
            groups = (
                f"groups(<count = {self.groups}, chosen = {self.chosen}, "
                f"score = {self.group_score}>)"
            )
        route = f"""  %index{at}, %weight{at} = weir.route %l{at} {bias} top_k({self.top})
      score({self.score}) weighting({self.weighting}) {groups} eps({self.eps})
      scale({self.scale}) : {self.timed(self.experts)}
      -> {self.timed(self.top, "i32")}, {self.timed(self.top)}"""
        return "\n".join([
            route,
            self.write_experts("y", f"%index{at}", f"%weight{at}", self.top),
            # Experts that a caller chose, among them none.
            self.write_experts("z", f"%i{at}", f"%p{at}", 2),
        ])

    def draw_inputs(self, numbers, time):
        shape = (1, 1) if self.one else (2, time)
        normal = lambda *extents: numbers.standard_normal(extents).astype(np.float32)
        e = self.experts
        logits = normal(*shape, e)
        favoured = numbers.integers(0, e)
        if self.load == "same":
            logits = np.broadcast_to(normal(e), logits.shape).copy()
        elif self.load == "few":
            logits[..., (np.arange(e) - favoured) % e >= max(self.top, e // 3)] -= 60
        elif self.load == "ties":
            logits = numbers.integers(0, 2, logits.shape).astype(np.float32)
        indices = numbers.integers(-2, e + 2, (*shape, 2)).astype(np.int32)
        indices[numbers.random(shape) < 0.2] = -1
        if self.load == "same":
            indices[:] = favoured
        found = {
            "x": normal(*shape, self.width), "l": logits, "i": indices,
            "p": normal(*shape, 2), "u": normal(e, self.inner, self.width) / 4,
            "d": normal(e, self.out, self.inner) / 4,
        }
        if self.has_bias:
            found["b"] = numbers.integers(-1, 2, e).astype(np.float32) / 2
        return {self.name(what): value for what, value in found.items()}

    def route(self, logits, bias):
        """Of rows of logits: keys, indices and weights of the definition."""
        score = logits
        if self.score == "softmax":
            score = np.exp(logits - logits.max(-1, keepdims=True))
            score /= score.sum(-1, keepdims=True)
        elif self.score == "sigmoid":
            score = 1 / (1 + np.exp(-logits))
        # Rounded as keys are: what is lost in a sum with a bias makes ties.
        key = score.astype(np.float32) + np.float32(bias)
        if self.groups:
            grouped = np.sort(key.reshape(len(key), self.groups, -1), -1)[..., ::-1]
            rank = grouped[..., 0] + (grouped[..., 1] if self.group_score == "top_two" else 0)
            best = np.argsort(-rank, -1, kind="stable")[:, : self.chosen]
            shown = np.zeros(rank.shape, bool)
            np.put_along_axis(shown, best, True, -1)
            key = np.where(np.repeat(shown, self.experts // self.groups, -1), key, -np.inf)
        indices = np.argsort(-key, -1, kind="stable")[:, : self.top]
        weights = np.take_along_axis(score, indices, -1)
        if self.weighting == "normalized":
            weights = weights / (weights.sum(-1, keepdims=True) + self.eps)
        elif self.weighting == "softmax":
            weights = np.exp(weights - weights.max(-1, keepdims=True))
            weights = weights / weights.sum(-1, keepdims=True)
        return key, indices, self.scale * weights

    def compute(self, x, indices, weights, up, down):
        """What the experts `indices` make of rows of `x`."""
        result = np.zeros((len(x), self.out))
        for token, (row, chosen, scales) in enumerate(zip(x, indices, weights)):
            for expert, scale in zip(chosen, scales):
                if not 0 <= expert < self.experts:
                    continue
                given = row * scale if self.weigh_input else row
                made = down[expert] @ np.tanh(up[expert] @ given)
                result[token] += made if self.weigh_input else scale * made
        return result

    def check(self, inputs, outputs):
        def get(tensors, what):
            value = tensors[self.name(what)]
            return value.astype(np.float64) if value.dtype == np.float32 else value

        def rows(tensors, what):
            value = get(tensors, what)
            return value.reshape(-1, value.shape[-1])

        def expect_near(what, got, expected):
            size = max(np.sqrt(np.square(expected).mean()), 1e-3)
            apart = abs(got - expected).max() / size
            if not apart <= LIMIT:
                raise Failed(f"{vars(self)}: {what} is {apart:.2g} of the rms off")
            return apart

        bias = inputs[self.name("b")] if self.has_bias else 0
        _, indices, weights = self.route(rows(inputs, "l"), bias)
        got = rows(outputs, "index")
        if not (got == indices).all():
            token = np.argwhere(got != indices)[0][0]
            raise Failed(f"{vars(self)}: token {token} goes to {got[token]}, "
                         f"expected {indices[token]}")
        whole = self.weighting == "softmax" or self.weighting == "normalized" and not self.eps
        if whole:
            expect_near("the sum of weights", rows(outputs, "weight").sum(-1),
                        np.full(len(got), self.scale))
        network = get(inputs, "u"), get(inputs, "d")
        x = rows(inputs, "x")
        return max(
            expect_near("weights", rows(outputs, "weight"), weights),
            expect_near("results", rows(outputs, "y"),
                        self.compute(x, indices, weights, *network)),
            expect_near("results of given experts", rows(outputs, "z"),
                        self.compute(x, rows(inputs, "i"), rows(inputs, "p"), *network)),
        )


def reorder(cases, tensors, order, names):
    """The tensors `names` of all cases with their tokens in another order."""
    moved = dict(tensors)
    for case in cases:
        for what in names:
            value = tensors[case.name(what)]
            if not case.one:
                rows = value.reshape(-1, value.shape[-1])[order]
                moved[case.name(what)] = np.ascontiguousarray(rows.reshape(value.shape))
    return moved


def check(seeds, options, folder):
    cases = [Case(seed) for seed in seeds]
    compute = compile_cases(cases, options.flags, folder)
    worst = 0.0
    for time in LENGTHS:
        numbers = np.random.default_rng([seeds[0], time])
        inputs = draw_inputs(cases, numbers, time)
        outputs = compute(inputs)
        worst = max(worst, *(case.check(inputs, outputs) for case in cases))
        order = numbers.permutation(2 * time)
        moved = compute(reorder(cases, inputs, order, ("x", "l", "i", "p")))
        expected = reorder(cases, outputs, order, ("index", "weight", "y", "z"))
        for name, value in expected.items():
            if not np.allclose(moved[name], value, rtol=1e-4, atol=1e-5):
                raise Failed(f"{name}: tokens in another order give something else")
    return f"{worst:.1e} of the rms"


sys.exit(check_seeds(check, __doc__, 40))
