#!/usr/bin/env python3
"""Prints a model whose layers are recurrences of every kind, with weights that
are constants: tokens in, what the recurrences make of them out."""

import numpy as np

HEADS, KEYS, VALUES, WORDS = 4, 8, 12, 11
# What stands beside query, key and value.
LAYERS = [
    "",
    "decay(%g : tensor<?x?x4xf32>)",
    "decay(%gk : tensor<?x?x4x8xf32>)",
    "decay(%gk : tensor<?x?x4x8xf32>) bonus(%u : tensor<4x8xf32>)",
    "decay(%g : tensor<?x?x4xf32>) delta(%beta : tensor<?x?x4xf32>)",
    "decay(%gk : tensor<?x?x4x8xf32>) delta(%beta : tensor<?x?x4xf32>)"
    " read_key(%r : tensor<?x?x2x8xf32>)",
    "decay(%gk : tensor<?x?x4x8xf32>) read_key(%r : tensor<?x?x2x8xf32>)"
    " write_key(%w : tensor<?x?x2x8xf32>) reads(previous)",
]


def constant(values):
    return np.array2string(
        values, separator=", ", threshold=values.size + 1, floatmode="fixed", precision=5
    )


def main():
    random = np.random.default_rng(7)
    tables = {
        "q": ((2, KEYS), random.standard_normal((WORDS, 16))),
        "k": ((2, KEYS), random.standard_normal((WORDS, 16)) / np.sqrt(KEYS)),
        "v": ((HEADS, VALUES), random.standard_normal((WORDS, 48))),
        "g": ((HEADS,), -random.random((WORDS, 4))),
        "gk": ((HEADS, KEYS), -2 * random.random((WORDS, 32))),
        "beta": ((HEADS,), random.random((WORDS, 4))),
        "r": ((2, KEYS), random.standard_normal((WORDS, 16)) / np.sqrt(KEYS)),
        "w": ((2, KEYS), -0.1 * random.standard_normal((WORDS, 16))),
    }
    print(
        'module attributes {weir.model = {name = "recurrences", vocab_size = 11,'
        " max_length = 512, bos = -1, pad = -1, eos = [], add_bos = false}} {"
    )
    bonus = random.standard_normal((HEADS, KEYS))
    head = random.standard_normal((WORDS, 48)) / 7
    weights = {name: table for name, (_, table) in tables.items()}
    weights |= {"bonus": bonus, "head": head}
    for name, values in weights.items():
        kind = f"tensor<{'x'.join(map(str, values.shape))}xf32>"
        print(f"weir.param @{name} : {kind} = dense<{constant(values)}> : {kind}")
    print(
        'func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},\n'
        '    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})\n'
        '    -> (tensor<?x?x11xf32> {weir.name = "logits"})\n'
        '    attributes {weir.method = "forward"} {\n'
        "  %c0 = arith.constant 0 : index\n  %c1 = arith.constant 1 : index\n"
        "  %b = tensor.dim %ids, %c0 : tensor<?x?xi32>\n"
        "  %t = tensor.dim %ids, %c1 : tensor<?x?xi32>"
    )
    for name, (shape, table) in tables.items():
        width = table.shape[1]
        flat, full = f"tensor<?x?x{width}xf32>", f"tensor<?x?x{'x'.join(map(str, shape))}xf32>"
        print(f"  %{name}_table = weir.weight @{name} : tensor<11x{width}xf32>")
        rows = f"%{name}" if len(shape) == 1 else f"%{name}_rows"
        print(f"  {rows} = weir.embedding %ids, %{name}_table")
        print(f"      : tensor<?x?xi32>, tensor<11x{width}xf32> -> {flat}")
        if len(shape) == 2:
            print(f"  %{name} = tensor.expand_shape {rows} [[0], [1], [2, 3]]")
            print(f"      output_shape [%b, %t, {shape[0]}, {shape[1]}] : {flat} into {full}")
    print("  %u = weir.weight @bonus : tensor<4x8xf32>")
    value = "%v"
    for number, parts in enumerate(LAYERS):
        print(f"  %y{number}, %s{number} = weir.recurrence %q, %k, {value} {parts.split(' reads')[0]}")
        print("      scale(0.35)" + (" reads(previous)" if "reads(previous)" in parts else ""))
        print("      : tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>, tensor<?x?x4x12xf32>")
        print("        -> tensor<?x?x4x12xf32>, tensor<?x4x8x12xf32>")
        # Each layer reads what the one before made, of a size that stays.
        print(f"  %v{number} = weir.rms_norm %y{number} eps(1.0e-3) : tensor<?x?x4x12xf32>")
        value = f"%v{number}"
    print("  %head = weir.weight @head : tensor<11x48xf32>")
    print(f"  %flat = tensor.collapse_shape {value} [[0], [1], [2, 3]]")
    print("      : tensor<?x?x4x12xf32> into tensor<?x?x48xf32>")
    print("  %logits = weir.linear %flat, %head")
    print("      : tensor<?x?x48xf32>, tensor<11x48xf32> -> tensor<?x?x11xf32>")
    print("  return %logits : tensor<?x?x11xf32>\n}\n}")


main()
