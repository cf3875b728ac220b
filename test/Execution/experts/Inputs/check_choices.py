#!/usr/bin/env python3
"""Choices that look across the tokens of a sequence, compiled, against their
definitions in float64.

  check_choices.py [--seed N] [--count N] [--per-program N] [--flags "WEIRC FLAGS"]

For each case experts choose tokens of rows of several lengths (expert choice,
arXiv:2202.09368; with one expert the tokens of a mixture of depths,
arXiv:2404.02258), a threshold lets tokens skip an expert, and slots mix all
tokens, go through their experts and are mixed again (Soft MoE,
arXiv:2308.00951), which is attention, experts and attention. It holds that each
expert takes exactly as many tokens as it should, those of the definition, with
ties and loads of every kind, that what lies behind a row's length changes
nothing, and that other rows change nothing. A line for each program. Ends with
`N passed, N failed`.
"""

import pathlib
import random
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, check_seeds
from programs import compile_cases, draw_inputs

TIMES = (1, 2, 19, 150)
LIMIT = 3e-5


def softmax(values, axis):
    powers = np.exp(values - values.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


class Case:
    def __init__(self, seed):
        draw = random.Random(seed)
        self.seed = seed
        self.experts = draw.choice([1, 1, 3, 8])
        self.of = draw.randint(1, 9)
        self.taken = draw.randint(1, self.of)
        self.score = draw.choice(["raw", "softmax", "sigmoid"])
        self.threshold = draw.choice([-0.25, 0.1, 0.5])
        self.top = draw.randint(1, self.experts)
        self.width, self.inner = draw.choice([5, 16]), draw.choice([7, 24])
        self.slots = draw.choice([1, 2, 5])
        self.load = draw.choice(["even", "ties", "same", "numberless"])

    def name(self, what):
        return f"{what}{self.seed}"

    def arguments(self):
        e, f, d = self.experts, self.inner, self.width
        return [
            (self.name("x"), f"tensor<?x?x{d}xf32>"),
            (self.name("l"), f"tensor<?x?x{e}xf32>"),
            (self.name("n"), "tensor<?xi32>"),
            (self.name("u"), f"tensor<{e}x{f}x{d}xf32>"),
            (self.name("v"), f"tensor<{e}x{d}x{f}xf32>"),
            (self.name("s"), f"tensor<{e * self.slots}x1x{d}xf32>"),
        ]

    def results(self):
        e, d = self.experts, self.width
        return [
            (self.name("chosen"), f"tensor<?x?x{e}xi32>"),
            (self.name("weight"), f"tensor<?x?x{e}xf32>"),
            (self.name("taken"), f"tensor<?x?x{d}xf32>"),
            (self.name("kept"), f"tensor<?x?x{self.top}xi32>"),
            (self.name("passed"), f"tensor<?x?x{d}xf32>"),
            (self.name("soft"), f"tensor<?x?x1x{d}xf32>"),
        ]

    def write_experts(self, result, rows, indices, weights, count, time="?"):
        at, e, f, d = self.seed, self.experts, self.inner, self.width
        up, down = f"tensor<{f}x{d}xf32>", f"tensor<{d}x{f}xf32>"
        return f"""  %{result}{at} = weir.experts {rows}, {indices}, {weights}
      params(%u{at}, %v{at} : tensor<{e}x{f}x{d}xf32>, tensor<{e}x{d}x{f}xf32>)
      : tensor<?x{time}x{d}xf32>, tensor<?x{time}x{count}xi32>, tensor<?x{time}x{count}xf32>
      -> tensor<?x{time}x{d}xf32> {{
  ^bb0(%rows: tensor<?x{d}xf32>, %up: {up}, %down: {down}):
    %a = weir.linear %rows, %up : tensor<?x{d}xf32>, {up} -> tensor<?x{f}xf32>
    %t = math.tanh %a : tensor<?x{f}xf32>
    %o = weir.linear %t, %down : tensor<?x{f}xf32>, {down} -> tensor<?x{d}xf32>
    weir.yield %o : tensor<?x{d}xf32>
  }}"""

    def write_soft(self):
        """Slots are queries that read all tokens, and then keys."""
        at, d = self.seed, self.width
        slots = self.experts * self.slots
        kind = f"tensor<?x{slots}x1x{d}xf32>"
        tokens = f"tensor<?x?x1x{d}xf32>"
        return f"""  %zero{at} = arith.constant 0 : index
  %one{at} = arith.constant 1 : index
  %rows{at} = tensor.dim %x{at}, %zero{at} : tensor<?x?x{d}xf32>
  %time{at} = tensor.dim %x{at}, %one{at} : tensor<?x?x{d}xf32>
  %space{at} = tensor.empty(%rows{at}) : {kind}
  %queries{at} = linalg.broadcast ins(%s{at} : tensor<{slots}x1x{d}xf32>)
      outs(%space{at} : {kind}) dimensions = [0]
  %heads{at} = tensor.expand_shape %x{at} [[0], [1], [2, 3]]
      output_shape [%rows{at}, %time{at}, 1, {d}] : tensor<?x?x{d}xf32> into {tokens}
  %dispatched{at} = weir.attention %queries{at}, %heads{at}, %heads{at}
      mask(<full>) scale(0.5) key_lengths(%n{at} : tensor<?xi32>)
      : {kind}, {tokens}, {tokens} -> {kind}
  %mixed{at} = tensor.collapse_shape %dispatched{at} [[0], [1], [2, 3]]
      : {kind} into tensor<?x{slots}x{d}xf32>
  %ispace{at} = tensor.empty(%rows{at}) : tensor<?x{slots}x1xi32>
  %owner{at} = linalg.generic {{
      indexing_maps = [affine_map<(b, s, k) -> (b, s, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}}
      outs(%ispace{at} : tensor<?x{slots}x1xi32>) {{
  ^bb0(%out: i32):
    %slot = linalg.index 1 : index
    %each = arith.constant {self.slots} : index
    %expert = arith.divui %slot, %each : index
    %number = arith.index_cast %expert : index to i32
    linalg.yield %number : i32
  }} -> tensor<?x{slots}x1xi32>
  %wspace{at} = tensor.empty(%rows{at}) : tensor<?x{slots}x1xf32>
  %unit{at} = arith.constant 1.0 : f32
  %ones{at} = linalg.fill ins(%unit{at} : f32)
      outs(%wspace{at} : tensor<?x{slots}x1xf32>) -> tensor<?x{slots}x1xf32>
{self.write_experts("made", f"%mixed{at}", f"%owner{at}", f"%ones{at}", 1, slots)}
  %values{at} = tensor.expand_shape %made{at} [[0], [1], [2, 3]]
      output_shape [%rows{at}, {slots}, 1, {d}]
      : tensor<?x{slots}x{d}xf32> into {kind}
  %soft{at} = weir.attention %heads{at}, %queries{at}, %values{at}
      mask(<full>) scale(0.5) : {tokens}, {kind}, {kind} -> {tokens}"""

    def write(self):
        at, e = self.seed, self.experts
        logits = f"tensor<?x?x{e}xf32>"
        return "\n".join([
            f"""  %chosen{at}, %weight{at} = weir.choose_tokens %l{at}
      lengths(%n{at} : tensor<?xi32>) take({self.taken} of {self.of})
      score({self.score}) : {logits} -> tensor<?x?x{e}xi32>, {logits}""",
            self.write_experts("taken", f"%x{at}", f"%chosen{at}", f"%weight{at}", e),
            f"""  %kept{at}, %keptweight{at} = weir.route %l{at} top_k({self.top})
      score({self.score}) weighting(scores) threshold({self.threshold})
      : {logits} -> tensor<?x?x{self.top}xi32>, tensor<?x?x{self.top}xf32>""",
            self.write_experts("passed", f"%x{at}", f"%kept{at}", f"%keptweight{at}", self.top),
            self.write_soft(),
        ])

    def draw_inputs(self, numbers, time):
        e, shape = self.experts, (3, time)
        normal = lambda *extents: numbers.standard_normal(extents).astype(np.float32)
        logits = normal(*shape, e)
        if self.load == "ties":
            logits = numbers.integers(-1, 2, logits.shape).astype(np.float32)
            logits[numbers.random(logits.shape) < 0.2] = -0.0
        elif self.load == "same":
            logits = np.broadcast_to(normal(e), logits.shape).copy()
        elif self.load == "numberless" and self.score != "softmax":
            logits[numbers.random(logits.shape) < 0.3] = np.nan
        found = {
            "x": normal(*shape, self.width), "l": logits,
            # All tokens are there, some, or one.
            "n": np.array([time, (time + 1) // 2, 1], np.int32),
            "u": normal(e, self.inner, self.width) / 4,
            "v": normal(e, self.width, self.inner) / 4,
            "s": normal(e * self.slots, 1, self.width),
        }
        return {self.name(what): value for what, value in found.items()}

    def get_scores(self, logits):
        if self.score == "softmax":
            return softmax(logits, -1)
        return 1 / (1 + np.exp(-logits)) if self.score == "sigmoid" else logits

    def expert(self, inputs, number, rows):
        up, down = inputs[self.name("u")][number], inputs[self.name("v")][number]
        return np.tanh(rows @ up.T.astype(np.float64)) @ down.T

    def mix(self, inputs, row, indices, weights):
        """What the experts `indices` of each token of a row make together."""
        x = inputs[self.name("x")][row].astype(np.float64)
        result = np.zeros(x.shape)
        for number in range(self.experts):
            scale = np.where(indices == number, weights, 0).sum(-1, keepdims=True)
            result += scale * self.expert(inputs, number, x)
        return result

    def check_soft(self, inputs, row, length):
        x = inputs[self.name("x")][row].astype(np.float64)
        slots = inputs[self.name("s")][:, 0].astype(np.float64)
        logits = x @ slots.T / 2
        mixed = softmax(logits[:length], 0).T @ x[:length]
        made = np.concatenate([
            self.expert(inputs, number, part)
            for number, part in enumerate(np.split(mixed, self.experts))
        ])
        return softmax(logits, -1) @ made

    def check(self, inputs, outputs):
        worst = 0.0

        def expect_near(what, got, expected):
            nonlocal worst
            size = max(np.sqrt(np.square(expected).mean()), 1e-3)
            apart = abs(got - expected).max() / size
            if not apart <= LIMIT:
                raise Failed(f"{vars(self)}: {what} is {apart:.2g} of the rms off")
            worst = max(worst, apart)

        def get(what, row):
            return outputs[self.name(what)][row]

        for row, length in enumerate(inputs[self.name("n")]):
            logits = inputs[self.name("l")][row].astype(np.float64)
            scores = self.get_scores(logits)
            # Ranked as computed, in f32.
            keys = scores.astype(np.float32)
            keys[np.isnan(keys)] = -np.inf
            count = -(-int(length) * self.taken // self.of)
            chosen = np.full(keys.shape, -1)
            for number in range(self.experts):
                best = np.argsort(-keys[:length, number], kind="stable")[:count]
                chosen[best, number] = number
            got = get("chosen", row)
            if not ((got >= 0).sum(0) == count).all():
                raise Failed(f"{vars(self)}: experts take {(got >= 0).sum(0)}, expected {count}")
            # Rounding may part scores that are nearly the same.
            exact = self.score == "raw" or self.load == "same" or (
                self.score == "sigmoid" and self.load == "ties")
            if exact and not (got == chosen).all():
                raise Failed(f"{vars(self)}: row {row} of {length}: others are chosen")
            for number, key in enumerate(keys[:length].T):
                left = got[:length, number] < 0
                if left.any() and not key[~left].min() >= key[left].max() - 1e-6:
                    raise Failed(f"{vars(self)}: expert {number} leaves the best out")
            if self.load == "numberless":
                continue
            weights = np.where(got >= 0, scores, 0)
            expect_near("weights", get("weight", row), weights)
            expect_near("results", get("taken", row), self.mix(inputs, row, got, weights))
            order = np.argsort(-keys, -1, kind="stable")[:, : self.top]
            best = np.take_along_axis(scores, order, -1)
            near = abs(best - self.threshold).min() < 1e-5
            if not near:
                kept = np.where(best >= self.threshold, order, -1)
                if not (get("kept", row) == kept).all():
                    raise Failed(f"{vars(self)}: others reach the threshold")
                expect_near("results with a threshold", get("passed", row),
                            self.mix(inputs, row, kept, best))
            expect_near("the soft mixture", get("soft", row)[:, 0],
                        self.check_soft(inputs, row, length))
        return worst


def check(seeds, options, folder):
    cases = [Case(seed) for seed in seeds]
    compute = compile_cases(cases, options.flags, folder)
    worst = 0.0
    for time in TIMES:
        numbers = np.random.default_rng([seeds[0], time])
        inputs = draw_inputs(cases, numbers, time)
        outputs = compute(inputs)
        worst = max(worst, *(case.check(inputs, outputs) for case in cases))
        # What is behind a row's length is another.
        for case in cases:
            for row, length in enumerate(inputs[case.name("n")]):
                inputs[case.name("l")][row, length:] += 50
        others = compute(inputs)
        for case in cases:
            for row, length in enumerate(inputs[case.name("n")]):
                before = outputs[case.name("chosen")][row, :length]
                after = others[case.name("chosen")][row, :length]
                if not (before == after).all():
                    raise Failed(f"{vars(case)}: padding changes what is chosen")
    return f"{worst:.1e} of the rms"


sys.exit(check_seeds(check, __doc__, 40))
