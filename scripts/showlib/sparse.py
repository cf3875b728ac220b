"""Attention that chooses its keys, beside attention to all of them, over one long
sequence of float32."""

import sys

from showlib.lines import ROOT
from showlib.models import WEIRC

THREADS = 2


def tensor(*extents, element="f32"):
    return f"tensor<{'x'.join(map(str, (1, *extents)))}x{element}>"


class Shape:
    """What a sequence has, and how its keys are chosen."""

    def __init__(self, length, heads, key_heads, dim, block, count, window=0):
        self.length, self.heads, self.key_heads, self.dim = length, heads, key_heads, dim
        self.block, self.count, self.window = block, count, window
        self.blocks = length // block
        self.query = tensor(length, heads, dim)
        self.key = tensor(length, key_heads, dim)
        self.pooled = tensor(self.blocks, key_heads, dim)
        self.cut = tensor(self.blocks, block, key_heads, dim)
        self.list = tensor(length, key_heads, count, element="i32")
        self.gate = tensor(length, heads)
        self.scale = dim**-0.5

    def attend(self, name, mask, more="", key="%k", value="%v", kind=None):
        kind = kind or self.key
        return (
            f"  %{name} = weir.attention %q, {key}, {value} mask(<{mask}>) scale({self.scale})"
            f" {more}\n      : {self.query}, {kind}, {kind} -> {self.query}\n"
        )

    def write(self, body, result, gates=()):
        arguments = [("q", self.query), ("k", self.key), ("v", self.key)]
        arguments += [(name, self.gate) for name in gates]
        listed = ", ".join(f'%{n}: {t} {{weir.name = "{n}"}}' for n, t in arguments)
        return (
            f"func.func @main({listed})\n    -> ({self.query} {{weir.name = \"out\"}}) {{\n"
            f"{body}  return %{result} : {self.query}\n}}\n"
        )

    def pool(self, name):
        """Means over the blocks of `name`."""
        return f"""
  %{name}.cut = tensor.expand_shape %{name} [[0], [1, 2], [3], [4]] output_shape
      [1, {self.blocks}, {self.block}, {self.key_heads}, {self.dim}]
      : {self.key} into {self.cut}
  %{name}.e = tensor.empty() : {self.pooled}
  %{name}.zero = linalg.fill ins(%zero : f32) outs(%{name}.e : {self.pooled}) -> {self.pooled}
  %{name}.mean = linalg.generic {{indexing_maps = [
      affine_map<(b, c, h, d, j) -> (b, c, j, h, d)>,
      affine_map<(b, c, h, d, j) -> (b, c, h, d)>], iterator_types =
      ["parallel", "parallel", "parallel", "parallel", "reduction"]}}
      ins(%{name}.cut : {self.cut}) outs(%{name}.zero : {self.pooled}) {{
  ^bb0(%in: f32, %sum: f32):
    %part = arith.mulf %in, %share : f32
    %more = arith.addf %sum, %part : f32
    linalg.yield %more : f32
  }} -> {self.pooled}
"""

    def constants(self):
        return (
            "  %zero = arith.constant 0.0 : f32\n"
            f"  %share = arith.constant {1 / self.block} : f32\n"
            "  %c0 = arith.constant 0 : index\n  %c1 = arith.constant 1 : index\n"
            f"  %size = arith.constant {self.block} : index\n"
        )

    def choose(self, score, near, scale):
        """Lists by means of keys; always the query's block, and if `near` the one
        before it and the first one."""
        forced = "%isOwn"
        if near:
            forced = "%isForced"
        return f"""
  %k.rows.e = tensor.empty() : {self.cut}
  %k.rows.cut = linalg.generic {{indexing_maps = [
      affine_map<(b, c, j, h, d) -> (b, c, h, d)>,
      affine_map<(b, c, j, h, d) -> (b, c, j, h, d)>], iterator_types =
      ["parallel", "parallel", "parallel", "parallel", "parallel"]}}
      ins(%k.mean : {self.pooled}) outs(%k.rows.e : {self.cut}) {{
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }} -> {self.cut}
  %k.rows = tensor.collapse_shape %k.rows.cut [[0], [1, 2], [3], [4]]
      : {self.cut} into {self.key}
  %list = weir.select_blocks %q, %k.rows block_size({self.block}) scale({scale})
      score({score}) adjust {{
  ^bb0(%s: f32, %b: index, %l: index, %i: index, %c: index):
    %always = arith.constant 0x7F800000 : f32
    %own = arith.divui %i, %size : index
    %isOwn = arith.cmpi eq, %c, %own : index
    %next = arith.addi %c, %c1 : index
    %isNear = arith.cmpi uge, %next, %own : index
    %isFirst = arith.cmpi eq, %c, %c0 : index
    %isForced = arith.ori %isNear, %isFirst : i1
    %t = arith.select {forced}, %always, %s : f32
    weir.yield %t : f32
  }} : {self.query}, {self.key} -> {self.list}
"""

    def write_full(self):
        return self.write(self.attend("o", "causal"), "o")

    def write_chosen(self):
        """The same over the blocks of the list."""
        listed = f"block_list(%list : {self.list}) block_size({self.block})"
        return self.attend("chosen", "causal", listed)

    def write_moba(self):
        """MoBA (arXiv:2502.13189)."""
        body = self.constants() + self.pool("k") + self.choose("raw", False, 1.0)
        return self.write(body + self.write_chosen(), "chosen")

    def write_nsa(self):
        """NSA (arXiv:2502.11089): the three branches and their gates."""
        complete = """where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %next = arith.addi %j, %c1 : index
    %end = arith.muli %next, %size : index
    %is = arith.cmpi sle, %end, %i : index
    weir.yield %is : i1
  }"""
        body = self.constants() + self.pool("k") + self.pool("v")
        body += self.attend("pooled", "full", complete, "%k.mean", "%v.mean", self.pooled)
        body += self.choose("softmax", True, self.scale) + self.write_chosen()
        body += self.attend("near", f"causal and window<{self.window}>")
        whole = "affine_map<(b, t, h, d) -> (b, t, h, d)>"
        gate = "affine_map<(b, t, h, d) -> (b, t, h)>"
        body += f"""  %e = tensor.empty() : {self.query}
  %o = linalg.generic {{indexing_maps = [{whole}, {whole}, {whole}, {gate}, {gate}, {gate},
      {whole}], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%pooled, %chosen, %near, %g0, %g1, %g2 : {self.query}, {self.query}, {self.query},
          {self.gate}, {self.gate}, {self.gate}) outs(%e : {self.query}) {{
  ^bb0(%x: f32, %y: f32, %z: f32, %u: f32, %v.g: f32, %w: f32, %out: f32):
    %0 = arith.mulf %x, %u : f32
    %1 = arith.mulf %y, %v.g : f32
    %2 = arith.mulf %z, %w : f32
    %3 = arith.addf %0, %1 : f32
    %4 = arith.addf %3, %2 : f32
    linalg.yield %4 : f32
  }} -> {self.query}
"""
        return self.write(body, "o", gates=("g0", "g1", "g2"))

    def time(self, text, folder, name, turns):
        """The least of `turns` calls, in seconds."""
        import time

        import numpy as np

        sys.path.insert(0, str(ROOT / "bench"))
        from weirbench.compiled import Function, compile_shared

        source = folder / f"{name}.mlir"
        source.write_text(text)
        library = compile_shared(WEIRC, source, [], THREADS)
        random = np.random.default_rng(1)
        arguments = {
            name: random.standard_normal((1, self.length, heads, self.dim), np.float32)
            for name, heads in (("q", self.heads), ("k", self.key_heads), ("v", self.key_heads))
        }
        for gate in ("g0", "g1", "g2"):
            if f"%{gate}:" in text:
                arguments[gate] = random.random((1, self.length, self.heads), np.float32)
        function, times = Function(library, arguments, THREADS), []
        for _ in range(turns):
            begin = time.perf_counter()
            function()
            times.append(time.perf_counter() - begin)
        return min(times)
