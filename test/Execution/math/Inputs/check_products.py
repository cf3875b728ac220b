#!/usr/bin/env python3
"""Compares products of tensors that are no weights with numpy in f64.

  check_products.py [--seed N] [--count N] [--flags=FLAGS]

A seed draws the order of the factors' axes, a batch or none, extents (odd ones,
and such that are no multiple of a panel), which of them are only known when the
program runs, the types of the elements, what the product is added to, what is
done with it, and whether it is a `linalg` operation or a `weir.linear`.
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, check_seeds, run, write_main  # noqa: E402


class Case:
    def __init__(self, seed):
        numbers = np.random.default_rng(seed)
        pick = lambda *of: of[numbers.integers(len(of))]
        self.seed = seed
        self.kind = pick("generic", "generic", "generic", "matmul", "batch", "linear")
        self.batched = self.kind == "batch" or (self.kind == "generic" and pick(0, 1))
        self.element = "f32" if self.kind == "linear" else pick("f32", "f32", "bf16", "f16")
        self.extents = {
            "b": pick(1, 3),
            "m": pick(1, 7, 8, 45, 130),
            "n": pick(16, 33, 64, 96, 131),
            "k": pick(9, 64, 130, 256),
        }
        self.dynamic = {axis for axis in ("b", "m") if pick(0, 1)}
        self.orders = [list("bmk"), list("bkn"), list("bmn")]
        if self.kind == "generic":
            self.orders = [list(numbers.permutation(order)) for order in self.orders[:2]]
            self.orders.append(list("bmn"))
        elif self.kind == "linear":
            self.orders[1] = list("bnk")
        if not self.batched:
            self.orders = [[axis for axis in order if axis != "b"] for order in self.orders]
        self.start = "zero" if self.kind == "linear" else pick("zero", "tensor")
        self.after = pick("none", "square", "residual")

    def name(self, what):
        return f"{what}{self.seed}"

    def type(self, order, element):
        extents = ["?" if axis in self.dynamic else str(self.extents[axis]) for axis in order]
        return f"tensor<{'x'.join(extents)}x{element}>"

    def declare_inputs(self):
        inputs = [(name, self.type(order, "f32")) for name, order in zip("abc", self.orders)]
        return [(self.name(name), type) for name, type in inputs]

    def declare_result(self):
        return self.name("y"), self.type(self.orders[2], "f32")

    def write_product(self, start):
        a, b = self.factors
        types = [self.type(order, self.element) for order in self.orders[:2]]
        out = self.declare_result()[1]
        if self.kind == "linear":
            return f"weir.linear {a}, {b} : {types[0]}, {types[1]} -> {out}"
        operands = f"ins({a}, {b} : {', '.join(types)}) outs({start} : {out})"
        if self.kind == "matmul":
            return f"linalg.matmul {operands} -> {out}"
        if self.kind == "batch":
            return f"linalg.batch_matmul {operands} -> {out}"
        loops = [*self.orders[2], "k"]
        maps = ", ".join(
            f"affine_map<({', '.join(loops)}) -> ({', '.join(order)})>" for order in self.orders
        )
        kinds = ", ".join('"reduction"' if axis == "k" else '"parallel"' for axis in loops)
        product, body = "%l, %r", ""
        if self.element != "f32":
            product = "%wl, %wr"
            body = "".join(
                f"%w{name} = arith.extf %{name} : {self.element} to f32\n    " for name in "lr")
        return f"""linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}
      {operands} {{
  ^bb0(%l: {self.element}, %r: {self.element}, %o: f32):
    {body}%p = arith.mulf {product} : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }} -> {out}"""

    def write(self):
        at, out = self.seed, self.declare_result()[1]
        order = self.orders[2]
        lines = [f"  %zero{at} = arith.constant 0.0 : f32"]
        dims = []
        for axis, extent in enumerate(order):
            if extent in self.dynamic:
                lines += [
                    f"  %i{at}_{axis} = arith.constant {axis} : index",
                    f"  %d{at}_{axis} = tensor.dim %c{at}, %i{at}_{axis} : {out}",
                ]
                dims.append(f"%d{at}_{axis}")
        lines.append(f"  %e{at} = tensor.empty({', '.join(dims)}) : {out}")
        start = f"%c{at}"
        if self.start == "zero":
            lines.append(
                f"  %f{at} = linalg.fill ins(%zero{at} : f32) outs(%e{at} : {out}) -> {out}")
            start = f"%f{at}"
        self.factors = [f"%a{at}", f"%b{at}"]
        for i, order in enumerate(self.orders[:2]):
            if self.element == "f32" and (self.kind != "linear" or i == 0):
                continue
            wide, name = self.type(order, "f32"), f"%n{at}_{i}"
            if self.kind == "linear":
                # A matrix that is computed.
                lines.append(f"  {name} = arith.negf {self.factors[i]} : {wide}")
            else:
                lines.append(f"  {name} = arith.truncf {self.factors[i]} : {wide} to "
                             f"{self.type(order, self.element)}")
            self.factors[i] = name
        lines.append(f"  %p{at} = {self.write_product(start)}")
        operation = {
            "none": f"arith.addf %p{at}, %f{at}" if self.start == "zero"
            else f"arith.subf %p{at}, %c{at}",
            "square": f"arith.mulf %p{at}, %p{at}",
            "residual": f"arith.addf %p{at}, %c{at}",
        }[self.after]
        lines.append(f"  %y{at} = {operation} : {out}")
        return "\n".join(lines)

    def draw_inputs(self, numbers):
        # Eighths, which all types of elements have.
        found = {}
        for name, order in zip("abc", self.orders):
            shape = [self.extents[axis] for axis in order]
            found[self.name(name)] = (numbers.integers(-16, 17, shape) / 8).astype(np.float32)
        return found

    def compute(self, inputs):
        a, b, c = (inputs[self.name(name)].astype(np.float64) for name in "abc")
        lhs, rhs, out = ("".join(order) for order in self.orders)
        product = np.einsum(f"{lhs},{rhs}->{out}", a, -b if self.kind == "linear" else b)
        if self.start == "tensor":
            product = product + c
        if self.after == "none":
            return product - (c if self.start == "tensor" else 0)
        return product * product if self.after == "square" else product + c


def check(seeds, options, folder):
    cases = [Case(seed) for seed in seeds]
    inputs = [pair for case in cases for pair in case.declare_inputs()]
    text = write_main(
        inputs, [case.write() for case in cases], [case.declare_result() for case in cases])
    (folder / "products.mlir").write_text(text)
    run("weirc", folder / "products.mlir", "--quiet", "-o", folder / "products",
        *options.flags.split())
    numbers = np.random.default_rng(seeds[0])
    tensors = {}
    for case in cases:
        tensors |= case.draw_inputs(numbers)
    save_file(tensors, folder / "in.safetensors")
    run(folder / "products", "--inputs", folder / "in.safetensors", "--outputs",
        folder / "out.safetensors")
    outputs = load_file(folder / "out.safetensors")
    worst = 0.0
    for case in cases:
        expected = case.compute(tensors)
        found = outputs[case.name("y")]
        error = np.abs(found - expected).max() / np.sqrt(np.mean(expected**2))
        # One bad element fails; NaN is no distance.
        if not error < 1e-4:
            raise Failed(f"seed {case.seed}: {case.kind} {case.orders} {case.extents} "
                         f"{case.element}: {error:.1e} of the mean square")
        worst = max(worst, error)
    return f"{worst:.1e}"


if __name__ == "__main__":
    sys.exit(check_seeds(check, __doc__, count=40))
