"""Linear recurrences as `.mlir` files, for `operators.py`."""


def tensor(shape, element):
    return f"tensor<{'x'.join(map(str, shape))}x{element}>"


def function(name, arguments, result, body):
    """A function of tensors by name."""
    given = ", ".join(f'%{n}: {t} {{weir.name = "{n}"}}' for n, t in arguments.items())
    return f"""
func.func @{name}({given}) -> ({result} {{weir.name = "out"}}) {{{body}
}}
"""


def gla(dims, element):
    heads, time, keys, values = dims["H"], dims["T"], dims["K"], dims["V"]
    q = tensor((1, time, heads, keys), element)
    v = tensor((1, time, heads, values), element)
    state = tensor((1, heads, keys, values), "f32")
    g = tensor((1, time, heads, keys), "f32")
    text = function("gla", {"q": q, "k": q, "v": v, "g": g}, v, f"""
  %o, %s = weir.recurrence %q, %k, %v decay(%g : {g}) scale({keys ** -0.5!r})
      : {q}, {q}, {v} -> {v}, {state}
  return %o : {v}""")
    return text, (1, time, heads, values)


def gdn(dims, element):
    heads, time, keys, values = dims["H"], dims["T"], dims["K"], dims["V"]
    q = tensor((1, time, heads, keys), element)
    v = tensor((1, time, heads, values), element)
    state = tensor((1, heads, keys, values), "f32")
    g = tensor((1, time, heads), "f32")
    if element != "f32":
        raise ValueError("beta is f32 beside other elements")
    text = function("gdn", {"q": q, "k": q, "v": v, "g": g, "beta": g}, v, f"""
  %o, %s = weir.recurrence %q, %k, %v decay(%g : {g}) delta(%beta : {g})
      scale({keys ** -0.5!r}) : {q}, {q}, {v} -> {v}, {state}
  return %o : {v}""")
    return text, (1, time, heads, values)


def mamba2(dims, element):
    """Gates and the skip around the recurrence are part of the workload."""
    heads, time, values, keys = dims["H"], dims["T"], dims["P"], dims["N"]
    x = tensor((1, time, heads, values), element)
    b = tensor((1, time, 1, keys), element)
    gates = tensor((1, time, heads), "f32")
    head = tensor((heads,), "f32")
    state = tensor((1, heads, keys, values), "f32")
    if element != "f32":
        raise ValueError("dt is f32 beside other elements")
    per_token = "affine_map<(b, t, h) -> (b, t, h)>"
    per_head = "affine_map<(b, t, h) -> (h)>"
    wide = "affine_map<(b, t, h, p) -> (b, t, h, p)>"
    wide_token = "affine_map<(b, t, h, p) -> (b, t, h)>"
    wide_head = "affine_map<(b, t, h, p) -> (h)>"
    three = '["parallel", "parallel", "parallel"]'
    four = '["parallel", "parallel", "parallel", "parallel"]'
    arguments = {"x": x, "dt": gates, "A": head, "B": b, "C": b, "Dskip": head}
    text = function("mamba2", arguments, x, f"""
  %ge = tensor.empty() : {gates}
  %step, %log = linalg.generic {{
      indexing_maps = [{per_token}, {per_head}, {per_token}, {per_token}],
      iterator_types = {three}}}
      ins(%dt, %A : {gates}, {head}) outs(%ge, %ge : {gates}, {gates}) {{
  ^bb0(%r: f32, %a: f32, %o0: f32, %o1: f32):
    %zero = arith.constant 0.0 : f32
    %size = math.absf %r : f32
    %minus = arith.negf %size : f32
    %e = math.exp %minus : f32
    %l = math.log1p %e : f32
    %p = arith.maximumf %r, %zero : f32
    %s = arith.addf %p, %l : f32
    %d = arith.mulf %s, %a : f32
    linalg.yield %s, %d : f32, f32
  }} -> ({gates}, {gates})
  %xe = tensor.empty() : {x}
  %v = linalg.generic {{indexing_maps = [{wide}, {wide_token}, {wide}],
      iterator_types = {four}}}
      ins(%x, %step : {x}, {gates}) outs(%xe : {x}) {{
  ^bb0(%a: f32, %s: f32, %o0: f32):
    %p = arith.mulf %a, %s : f32
    linalg.yield %p : f32
  }} -> {x}
  %o, %s = weir.recurrence %C, %B, %v decay(%log : {gates})
      : {b}, {b}, {x} -> {x}, {state}
  %y = linalg.generic {{indexing_maps = [{wide}, {wide}, {wide_head}, {wide}],
      iterator_types = {four}}}
      ins(%o, %x, %Dskip : {x}, {x}, {head}) outs(%xe : {x}) {{
  ^bb0(%a: f32, %u: f32, %d: f32, %o0: f32):
    %p = arith.mulf %u, %d : f32
    %q = arith.addf %a, %p : f32
    linalg.yield %q : f32
  }} -> {x}
  return %y : {x}""")
    return text, (1, time, heads, values)
