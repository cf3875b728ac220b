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


def mamba1(dims, element):
    """The step size and the skip are part of the workload, whose tensors have
    time last."""
    features, states, time = dims["D"], dims["N"], dims["T"]
    if element != "f32":
        raise ValueError("dt is f32 beside other elements")
    wide, narrow = (tensor((1, n, time), element) for n in (features, states))
    row, column = tensor((features,), "f32"), tensor((states,), "f32")
    state = tensor((features, states), "f32")
    sequence = lambda n: tensor((1, time, n), element)
    moved = lambda name, source, n: f"""
  %{name}_empty = tensor.empty() : {sequence(n)}
  %{name} = linalg.transpose ins(%{source} : {tensor((1, n, time), element)})
      outs(%{name}_empty : {sequence(n)}) permutation = [0, 2, 1]"""
    d, n = "affine_map<(d, n) -> (d)>", "affine_map<(d, n) -> (n)>"
    dn, one = "affine_map<(d, n) -> (d, n)>", "affine_map<(d) -> (d)>"
    arguments = {"u": wide, "dt": wide, "A": state, "B": narrow, "C": narrow, "Dskip": row}
    text = function("mamba1", arguments, wide, f"""{
    moved("us", "u", features)}{moved("ts", "dt", features)}{
    moved("bs", "B", states)}{moved("cs", "C", states)}
  %none = arith.constant dense<0.0> : {state}
  %ys, %last = weir.scan (%us, %ts, %bs, %cs) states(%none)
      : ({sequence(features)}, {sequence(features)}, {sequence(states)},
         {sequence(states)}), ({state})
      -> ({sequence(features)}), ({tensor((1, features, states), "f32")}) {{
  ^bb0(%ut: {row}, %tt: {row}, %bt: {column}, %ct: {column}, %before: {state}):
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : {row}
    %step = linalg.generic {{indexing_maps = [{one}, {one}],
        iterator_types = ["parallel"]}} ins(%tt : {row}) outs(%e : {row}) {{
    ^bb1(%r: f32, %out: f32):
      %size = math.absf %r : f32
      %minus = arith.negf %size : f32
      %p = math.exp %minus : f32
      %l = math.log1p %p : f32
      %positive = arith.maximumf %r, %zero : f32
      %s = arith.addf %positive, %l : f32
      linalg.yield %s : f32
    }} -> {row}
    %se = tensor.empty() : {state}
    %after = linalg.generic {{indexing_maps = [{d}, {d}, {n}, {dn}, {dn}, {dn}],
        iterator_types = ["parallel", "parallel"]}}
        ins(%step, %ut, %bt, %A, %before : {row}, {row}, {column}, {state}, {state})
        outs(%se : {state}) {{
    ^bb1(%s: f32, %v: f32, %b: f32, %a: f32, %h: f32, %out: f32):
      %rate = arith.mulf %s, %a : f32
      %decay = math.exp %rate : f32
      %kept = arith.mulf %decay, %h : f32
      %sv = arith.mulf %s, %v : f32
      %new = arith.mulf %sv, %b : f32
      %sum = arith.addf %kept, %new : f32
      linalg.yield %sum : f32
    }} -> {state}
    %skip = linalg.generic {{indexing_maps = [{one}, {one}, {one}],
        iterator_types = ["parallel"]}} ins(%ut, %Dskip : {row}, {row})
        outs(%e : {row}) {{
    ^bb1(%v: f32, %s: f32, %out: f32):
      %p = arith.mulf %v, %s : f32
      linalg.yield %p : f32
    }} -> {row}
    %y = linalg.generic {{indexing_maps = [{dn}, {n}, {d}],
        iterator_types = ["parallel", "reduction"]}}
        ins(%after, %ct : {state}, {column}) outs(%skip : {row}) {{
    ^bb1(%h: f32, %c: f32, %sum: f32):
      %p = arith.mulf %h, %c : f32
      %r = arith.addf %sum, %p : f32
      linalg.yield %r : f32
    }} -> {row}
    weir.yield %y, %after : {row}, {state}
  }}
  %back = tensor.empty() : {wide}
  %out = linalg.transpose ins(%ys : {sequence(features)}) outs(%back : {wide})
      permutation = [0, 2, 1]
  return %out : {wide}""")
    return text, (1, features, time)


def hgrn(dims, element):
    features, time = dims["D"], dims["T"]
    if element != "f32":
        raise ValueError("g is f32 beside other elements")
    x, row = tensor((1, time, features), element), tensor((features,), "f32")
    one = "affine_map<(d) -> (d)>"
    text = function("hgrn", {"x": x, "g": x}, x, f"""
  %none = arith.constant dense<0.0> : {row}
  %o, %last = weir.scan (%x, %g) states(%none) : ({x}, {x}), ({row})
      -> ({x}), ({tensor((1, features), "f32")}) {{
  ^bb0(%xt: {row}, %gt: {row}, %before: {row}):
    %e = tensor.empty() : {row}
    %after = linalg.generic {{indexing_maps = [{one}, {one}, {one}, {one}],
        iterator_types = ["parallel"]}}
        ins(%xt, %gt, %before : {row}, {row}, {row}) outs(%e : {row}) {{
    ^bb1(%a: f32, %b: f32, %h: f32, %out: f32):
      %decay = math.exp %b : f32
      %kept = arith.mulf %decay, %h : f32
      %sum = arith.addf %kept, %a : f32
      linalg.yield %sum : f32
    }} -> {row}
    weir.yield %after, %after : {row}, {row}
  }}
  return %o : {x}""")
    return text, (1, time, features)
