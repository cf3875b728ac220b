"""Single operators as `.mlir` files: the workloads of an operator harness.

Each maker takes the workload's dimensions, its tensors, and the element type,
and returns the module's text, the function's arguments and the shape of the
result as the harness wants it.
"""

from dataclasses import dataclass

import numpy as np

from . import recurrences


@dataclass
class Operator:
    """A module with one plain function, and what to call it with."""

    text: str
    arguments: dict
    shape: tuple  # of the result


class Unsupported(RuntimeError):
    """Weir has no op for this workload."""


def tensor(shape, element):
    return f"tensor<{'x'.join(map(str, shape))}x{element}>"


def constant(array, element):
    """A weight's numbers as a dense attribute, in hexadecimal."""
    return f'dense<"0x{np.ascontiguousarray(array).tobytes().hex().upper()}">'


def matmul(dims, tensors, element):
    """Both matrices are arguments, so nothing can be packed ahead of time."""
    m, k, n = dims["M"], dims["K"], dims["N"]
    a, b, out = (tensor(s, element) for s in ((m, k), (k, n), (m, n)))
    wide = tensor((m, n), "f32")
    result = "2"
    narrow = ""
    if element != "f32":
        result = "4"
        narrow = f"""
  %3 = tensor.empty() : {out}
  %4 = linalg.map ins(%2 : {wide}) outs(%3 : {out})
    (%sum: f32, %old: {element}) {{
      %low = arith.truncf %sum : f32 to {element}
      linalg.yield %low : {element}
    }}"""
    text = f"""
func.func @matmul(%a: {a} {{weir.name = "a"}}, %b: {b} {{weir.name = "b"}})
    -> ({out} {{weir.name = "out"}}) {{
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : {wide}
  %1 = linalg.fill ins(%zero : f32) outs(%0 : {wide}) -> {wide}
  %2 = linalg.matmul ins(%a, %b : {a}, {b}) outs(%1 : {wide}) -> {wide}{narrow}
  return %{result} : {out}
}}
"""
    return Operator(text, tensors, (m, n))


def linear(dims, tensors, element):
    """The weight is the model's: a parameter, packed while compiling."""
    m, k, n = dims["M"], dims["K"], dims["N"]
    x, w, out = (tensor(s, element) for s in ((m, k), (n, k), (m, n)))
    text = f"""
weir.param @w : {w} = {constant(tensors["w"], element)} : {w}
func.func @linear(%x: {x} {{weir.name = "x"}}) -> ({out} {{weir.name = "out"}}) {{
  %w = weir.weight @w : {w}
  %0 = weir.linear %x, %w : {x}, {w} -> {out}
  return %0 : {out}
}}
"""
    return Operator(text, {"x": tensors["x"]}, (m, n))


# What is done to scores: what stands before the op, and its region. A key head
# is a row of the batch.
SCORES = {
    "plain": ("", ""),
    "alibi": (
        "%slopes = arith.constant dense<{slopes}> : tensor<{groups}xf32>",
        """score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %slope = tensor.extract %slopes[%b] : SLOPES
    %behind = arith.subi %i, %j : index
    %number = arith.index_cast %behind : index to i32
    %distance = arith.sitofp %number : i32 to f32
    %bias = arith.mulf %slope, %distance : f32
    %biased = arith.subf %s, %bias : f32
    weir.yield %biased : f32
  }""",
    ),
    "softcap": (
        "",
        """score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %cap = arith.constant 50.0 : f32
    %part = arith.divf %s, %cap : f32
    %tanh = math.tanh %part : f32
    %capped = arith.mulf %tanh, %cap : f32
    weir.yield %capped : f32
  }""",
    ),
}


def attention(dims, tensors, element):
    """The harness has heads before time, weir.attention time before heads. One
    key/value head is one row of the batch here, which needs no copy of keys and
    values; the query heads of a group are moved behind time and back."""
    heads, groups, time, depth = dims["H"], dims["KV"], dims["T"], dims["D"]
    # Fewer queries than keys see all of these.
    queries = dims.get("queries", time)
    size = heads // groups
    mask = "causal" if queries == time else "full"
    if dims["window"]:
        mask += f" and window<{dims['window']}>"
    before, region = SCORES[dims.get("scores", "plain")]
    slopes = [2.0 ** (-8 * (head + 1) / groups) for head in range(groups)]
    before = before.format(slopes=slopes, groups=groups)
    region = region.replace("SLOPES", f"tensor<{groups}xf32>")
    given = tensor((groups, size, queries, depth), element)
    query = tensor((groups, queries, size, depth), element)
    keys = tensor((groups, time, 1, depth), element)
    cast = lambda name, source, into, like: f"""
  %{name}_empty = tensor.empty() : {like}
  %{name} = linalg.transpose ins(%{source} : {into}) outs(%{name}_empty : {like})
      permutation = [0, 2, 1, 3]"""
    # Moving an axis of one entry moves nothing.
    moved = size > 1
    text = f"""
func.func @attention(%q: {given if moved else query} {{weir.name = "q"}},
                     %k: {keys} {{weir.name = "k"}},
                     %v: {keys} {{weir.name = "v"}})
    -> ({given if moved else query} {{weir.name = "out"}}) {{{
    cast("rows", "q", given, query) if moved else ""}
{before}
  %0 = weir.attention %{"rows" if moved else "q"}, %k, %v mask(<{mask}>)
      scale({depth ** -0.5!r}) {region} : {query}, {keys}, {keys} -> {query}{
    cast("heads", "0", query, given) if moved else ""}
  return %{"heads" if moved else "0"} : {given if moved else query}
}}
"""
    shapes = {
        "q": (groups, size, queries, depth) if moved else (groups, queries, size, depth),
        "k": (groups, time, 1, depth),
        "v": (groups, time, 1, depth),
    }
    arguments = {name: tensors[name].reshape(shape) for name, shape in shapes.items()}
    return Operator(text, arguments, (1, heads, queries, depth))


def experts(dims, tensors, element):
    """A router that weighs its choices against one another, and SwiGLU experts,
    which keep gates and inputs in one matrix. All matrices are parameters."""
    count, chosen = dims["E"], dims["k"]
    hidden, inner, rows = dims["hidden"], dims["ffn"], dims["T"]
    x, router = tensor((rows, hidden), element), tensor((count, hidden), element)
    gate_up = tensor((count, 2 * inner, hidden), element)
    down = tensor((count, hidden, inner), element)
    logits = tensor((rows, count), element)
    indices, weights = (tensor((rows, chosen), t) for t in ("i32", element))
    some, both, half = (
        f"tensor<?x{size}x{element}>" for size in (hidden, 2 * inner, inner)
    )
    one_gate_up = tensor((2 * inner, hidden), element)
    one_down = tensor((hidden, inner), element)
    params = "\n".join(
        f"weir.param @{name} : {kind} = {constant(tensors[name], element)} : {kind}"
        for name, kind in (("router", router), ("gate_up", gate_up), ("down", down))
    )
    text = f"""
{params}
#rows = affine_map<(n, d) -> (n, d)>
func.func @experts(%x: {x} {{weir.name = "x"}}) -> ({x} {{weir.name = "out"}}) {{
  %router = weir.weight @router : {router}
  %gate_up = weir.weight @gate_up : {gate_up}
  %down = weir.weight @down : {down}
  %logits = weir.linear %x, %router : {x}, {router} -> {logits}
  %indices, %weights = weir.route %logits top_k({chosen}) score(softmax)
      weighting(normalized) : {logits} -> {indices}, {weights}
  %0 = weir.experts %x, %indices, %weights
      params(%gate_up, %down : {gate_up}, {down})
      : {x}, {indices}, {weights} -> {x} {{
  ^bb0(%rows: {some}, %gu: {one_gate_up}, %d: {one_down}):
    %both = weir.linear %rows, %gu : {some}, {one_gate_up} -> {both}
    %zero = arith.constant 0 : index
    %count = tensor.dim %rows, %zero : {some}
    %gate = tensor.extract_slice %both[0, 0] [%count, {inner}] [1, 1]
        : {both} to {half}
    %up = tensor.extract_slice %both[0, {inner}] [%count, {inner}] [1, 1]
        : {both} to {half}
    %empty = tensor.empty(%count) : {half}
    %inner = linalg.generic {{indexing_maps = [#rows, #rows, #rows],
        iterator_types = ["parallel", "parallel"]}}
        ins(%gate, %up : {half}, {half}) outs(%empty : {half}) {{
    ^bb0(%g: {element}, %u: {element}, %old: {element}):
      %one = arith.constant 1.0 : {element}
      %minus = arith.negf %g : {element}
      %exp = math.exp %minus : {element}
      %sum = arith.addf %one, %exp : {element}
      %silu = arith.divf %g, %sum : {element}
      %product = arith.mulf %silu, %u : {element}
      linalg.yield %product : {element}
    }} -> {half}
    %out = weir.linear %inner, %d : {half}, {one_down} -> {some}
    weir.yield %out : {some}
  }}
  return %0 : {x}
}}
"""
    return Operator(text, {"x": tensors["x"]}, (rows, hidden))


def recurrence(maker):
    def make(dims, tensors, element):
        try:
            text, shape = maker(dims, element)
        except ValueError as error:
            raise Unsupported(str(error)) from error
        return Operator(text, tensors, shape)

    return make


MAKERS = {
    "matmul": matmul,
    "linear": linear,
    "attn": attention,
    "moe": experts,
    "gla": recurrence(recurrences.gla),
    "gdn": recurrence(recurrences.gdn),
    "mamba1": recurrence(recurrences.mamba1),
    "mamba2": recurrence(recurrences.mamba2),
    "hgrn": recurrence(recurrences.hgrn),
}


def build(workload, dims, tensors, element):
    """The operator of `workload`, whose name begins with its kind."""
    maker = MAKERS.get(workload.split("_")[0])
    if not maker:
        known = ", ".join(MAKERS)
        raise Unsupported(f"workload '{workload}' begins with none of {known}")
    return maker(dims, tensors, element)
