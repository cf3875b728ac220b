#!/usr/bin/env python3
"""Mixtures of depths (arXiv:2404.02258) around whole layers, compiled, against
their definitions in float64.

  check_depths.py [--seed N] [--count N] [--per-program N] [--flags "WEIRC FLAGS"]

For each case a router lets some tokens of rows of several lengths through a
layer, a number of each row (`take`) or those that reach a threshold: attention
among these tokens alone, turned by the positions that they have in the whole
sequence, and a feed-forward part. It holds that lists name the chosen tokens in
order, that tokens that are left out stay as they are, and that the others are
what numpy makes of them alone. A line for each program. Ends with `N passed, N
failed`.
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
BASE = 100.0


class Case:
    def __init__(self, seed):
        draw = random.Random(seed)
        self.seed = seed
        self.of = draw.randint(1, 9)
        self.taken = draw.randint(1, self.of)
        self.score = draw.choice(["raw", "sigmoid"])
        self.threshold = draw.choice([-0.3, 0.45, 0.55])
        self.groups, self.keys = draw.choice([1, 2, 3]), draw.choice([1, 2])
        self.features = draw.choice([4, 16])
        self.width, self.inner = draw.choice([5, 16]), draw.choice([7, 24])
        self.window = draw.choice([None, None, 1, 6])
        self.load = draw.choice(["even", "even", "ties", "all", "none"])

    @property
    def heads(self):
        return self.groups * self.keys

    def name(self, what):
        return f"{what}{self.seed}"

    def shapes(self):
        d, h = self.width, self.features
        return {
            "wq": (self.heads * h, d), "wk": (self.keys * h, d), "wv": (self.keys * h, d),
            "wo": (d, self.heads * h), "wu": (self.inner, d), "wd": (d, self.inner),
        }

    def arguments(self):
        weights = [(self.name(what), f"tensor<{'x'.join(map(str, shape))}xf32>")
                   for what, shape in self.shapes().items()]
        return [
            (self.name("x"), f"tensor<?x?x{self.width}xf32>"),
            (self.name("l"), "tensor<?x?x1xf32>"),
            (self.name("n"), "tensor<?xi32>"),
            *weights,
        ]

    def results(self):
        kinds = {"y": f"tensor<?x?x{self.width}xf32>", "places": "tensor<?x?xi32>",
                 "ranks": "tensor<?x?xi32>", "counts": "tensor<?xi32>"}
        return [(self.name(f"{form}_{what}"), kind)
                for form in ("taken", "kept") for what, kind in kinds.items()]

    def write_layer(self, form):
        """What tokens that are let through add to themselves, and how much."""
        at, d, f, h = self.seed, self.width, self.inner, self.features
        row = f"tensor<?x?x{d}xf32>"
        own = f"{form}{at}"
        name = lambda what: f"%{form}_{what}{at}"
        listed = (f"{name('places')}, {name('ranks')}, {name('counts')} = "
                  f"weir.list_tokens %{own}_indices")
        if form == "taken":
            chosen = f"""weir.choose_tokens %l{at} lengths(%n{at} : tensor<?xi32>)
      take({self.taken} of {self.of}) score({self.score})"""
            listed += f" take({self.taken} of {self.of})"
        else:
            chosen = f"""weir.route %l{at} top_k(1) score({self.score})
      weighting(scores) threshold({self.threshold})"""
            listed += f" lengths(%n{at} : tensor<?xi32>)"
        mask = "causal" if self.window is None else f"causal and window<{self.window}>"

        def project(what, weight, heads):
            flat, kind = f"tensor<?x?x{heads * h}xf32>", f"tensor<?x?x{heads}x{h}xf32>"
            return f"""  %{own}_{what}0 = weir.linear %{own}_short, %{weight}{at}
      : {row}, tensor<{heads * h}x{d}xf32> -> {flat}
  %{own}_{what}1 = tensor.expand_shape %{own}_{what}0 [[0], [1], [2, 3]]
      output_shape [%{own}_b, %{own}_t, {heads}, {h}] : {flat} into {kind}"""

        def turn(what, heads):
            kind = f"tensor<?x?x{heads}x{h}xf32>"
            return f"""  %{own}_{what} = weir.rotary %{own}_{what}1, %{own}_at, %{own}_angles layout(half)
      : {kind}, tensor<?x?xi32>, tensor<{h // 2}xf32>"""

        query, key = f"tensor<?x?x{self.heads}x{h}xf32>", f"tensor<?x?x{self.keys}x{h}xf32>"
        flat = f"tensor<?x?x{self.heads * h}xf32>"
        return f"""  %{own}_indices, %{own}_w = {chosen}
      : tensor<?x?x1xf32> -> tensor<?x?x1xi32>, tensor<?x?x1xf32>
  {listed}
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  %{own}_short = weir.gather_tokens %x{at}, {name('places')}
      : {row}, tensor<?x?xi32> -> {row}
  %{own}_all = weir.positions %x{at} : {row} -> tensor<?x?xi32>
  %{own}_at = weir.gather_tokens %{own}_all, {name('places')}
      : tensor<?x?xi32>, tensor<?x?xi32> -> tensor<?x?xi32>
  %{own}_c0 = arith.constant 0 : index
  %{own}_c1 = arith.constant 1 : index
  %{own}_b = tensor.dim %{own}_short, %{own}_c0 : {row}
  %{own}_t = tensor.dim %{own}_short, %{own}_c1 : {row}
  %{own}_angles = weir.rope_frequencies base({BASE}) dims({h}) : tensor<{h // 2}xf32>
{project("q", "wq", self.heads)}
{project("k", "wk", self.keys)}
{project("v", "wv", self.keys)}
{turn("q", self.heads)}
{turn("k", self.keys)}
  %{own}_looked = weir.attention %{own}_q, %{own}_k, %{own}_v1 mask(<{mask}>) scale(0.5) where {{
  ^bb0(%row: index, %head: index, %i: index, %j: index):
    %count = tensor.extract {name('counts')}[%row] : tensor<?xi32>
    %end = arith.index_cast %count : i32 to index
    %there = arith.cmpi slt, %i, %end : index
    weir.yield %there : i1
  }} : {query}, {key}, {key} -> {query}
  %{own}_flat = tensor.collapse_shape %{own}_looked [[0], [1], [2, 3]] : {query} into {flat}
  %{own}_a = weir.linear %{own}_flat, %wo{at}
      : {flat}, tensor<{d}x{self.heads * h}xf32> -> {row}
  %{own}_h = arith.addf %{own}_short, %{own}_a : {row}
  %{own}_u = weir.linear %{own}_h, %wu{at}
      : {row}, tensor<{f}x{d}xf32> -> tensor<?x?x{f}xf32>
  %{own}_g = math.tanh %{own}_u : tensor<?x?x{f}xf32>
  %{own}_d = weir.linear %{own}_g, %wd{at}
      : tensor<?x?x{f}xf32>, tensor<{d}x{f}xf32> -> {row}
  %{own}_f = arith.addf %{own}_a, %{own}_d : {row}
  %{own}_back = weir.gather_tokens %{own}_f, {name('ranks')}
      : {row}, tensor<?x?xi32> -> {row}
  {name('y')} = linalg.generic {{
      indexing_maps = [affine_map<(b, t, d) -> (b, t, d)>,
                       affine_map<(b, t, d) -> (b, t, 0)>,
                       affine_map<(b, t, d) -> (b, t, d)>],
      iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%x{at}, %{own}_w : {row}, tensor<?x?x1xf32>)
      outs(%{own}_back : {row}) {{
  ^bb0(%in: f32, %weight: f32, %made: f32):
    %part = arith.mulf %weight, %made : f32
    %sum = arith.addf %in, %part : f32
    linalg.yield %sum : f32
  }} -> {row}"""

    def write(self):
        return "\n".join([self.write_layer("taken"), self.write_layer("kept")])

    def draw_inputs(self, numbers, time):
        normal = lambda *extents: numbers.standard_normal(extents).astype(np.float32)
        logits = normal(3, time, 1)
        if self.load == "ties":
            logits = numbers.integers(-1, 2, logits.shape).astype(np.float32)
        elif self.load in ("all", "none"):
            logits = abs(logits) + 1
            logits *= 1 if self.load == "all" else -1
        found = {
            "x": normal(3, time, self.width), "l": logits,
            # All tokens are there, some, or one.
            "n": np.array([time, (time + 1) // 2, 1], np.int32),
            **{what: normal(*shape) / np.float32(shape[1] ** 0.5)
               for what, shape in self.shapes().items()},
        }
        return {self.name(what): value for what, value in found.items()}

    def turn(self, heads, positions):
        half = self.features // 2
        angles = positions[:, None] * BASE ** (-np.arange(half) / half)
        cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
        a, b = heads[..., :half], heads[..., half:]
        return np.concatenate([a * cosine - b * sine, b * cosine + a * sine], -1)

    def layer(self, inputs, x, positions):
        """What tokens at `positions` of a whole sequence make among themselves."""
        w = {what: inputs[self.name(what)].astype(np.float64) for what in self.shapes()}
        split = lambda flat, heads: flat.reshape(len(x), heads, self.features)
        q = self.turn(split(x @ w["wq"].T, self.heads), positions)
        k = self.turn(split(x @ w["wk"].T, self.keys), positions)
        v = split(x @ w["wv"].T, self.keys)
        k, v = (np.repeat(part, self.groups, 1) for part in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / 2
        behind = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
        seen = (behind >= 0) & (behind < (self.window or len(x)))
        scores = np.where(seen, scores, -np.inf)
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        weights = powers / powers.sum(-1, keepdims=True)
        a = np.einsum("hqk,khd->qhd", weights, v).reshape(len(x), -1) @ w["wo"].T
        return a + np.tanh((x + a) @ w["wu"].T) @ w["wd"].T

    def check_list(self, form, row, outputs):
        """The tokens of a row that are listed; fails where the list is none."""
        places, ranks, counts = (outputs[self.name(f"{form}_{what}")][row]
                                 for what in ("places", "ranks", "counts"))
        chosen = np.flatnonzero(ranks >= 0)
        if not (counts == len(chosen) and (ranks[chosen] == np.arange(counts)).all()
                and (places[:counts] == chosen).all() and (places[counts:] == -1).all()):
            raise Failed(f"{vars(self)}: row {row}: {form}: no list: {places} {ranks} {counts}")
        return chosen

    def check(self, inputs, outputs):
        worst = 0.0
        for row, length in enumerate(inputs[self.name("n")]):
            logits = inputs[self.name("l")][row, :, 0].astype(np.float64)
            scores = 1 / (1 + np.exp(-logits)) if self.score == "sigmoid" else logits
            taken = self.check_list("taken", row, outputs)
            count = -(-int(length) * self.taken // self.of)
            left = np.setdiff1d(np.arange(length), taken)
            if len(taken) != count or (taken >= length).any():
                raise Failed(f"{vars(self)}: row {row}: {taken} are taken, expected {count}")
            if len(left) and scores[taken].min() < scores[left].max() - 1e-6:
                raise Failed(f"{vars(self)}: row {row}: the best are left out")
            kept = self.check_list("kept", row, outputs)
            expected = np.flatnonzero(scores[:length] >= self.threshold)
            if abs(scores - self.threshold).min() > 1e-5 and not np.array_equal(kept, expected):
                raise Failed(f"{vars(self)}: row {row}: {kept} are kept, expected {expected}")
            for form, chosen in (("taken", taken), ("kept", kept)):
                x = inputs[self.name("x")][row].astype(np.float64)
                y = x.copy()
                if len(chosen):
                    made = self.layer(inputs, x[chosen], chosen)
                    y[chosen] += scores[chosen, None] * made
                got = outputs[self.name(f"{form}_y")][row]
                others = np.setdiff1d(np.arange(len(x)), chosen)
                if not (got[others] == inputs[self.name("x")][row, others]).all():
                    raise Failed(f"{vars(self)}: row {row}: {form}: others are changed")
                apart = abs(got - y).max() / np.sqrt(np.square(y).mean())
                if not apart <= LIMIT:
                    raise Failed(f"{vars(self)}: row {row} of {length}: {form} is "
                                 f"{apart:.2g} of the rms off")
                worst = max(worst, apart)
        return worst


def check(seeds, options, folder):
    cases = [Case(seed) for seed in seeds]
    compute = compile_cases(cases, options.flags, folder)
    worst = 0.0
    for time in TIMES:
        inputs = draw_inputs(cases, np.random.default_rng([seeds[0], time]), time)
        outputs = compute(inputs)
        worst = max(worst, *(case.check(inputs, outputs) for case in cases))
    return f"{worst:.1e} of the rms"


sys.exit(check_seeds(check, __doc__, 40))
