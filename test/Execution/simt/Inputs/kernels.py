"""Makes functions of kernels: a module in the stage `bufferized`.

  kernels.py FILE

FILE has bodies of `gpu.launch`, each behind a line `KERNEL name THREADS BYTES`
and up to an empty one, of one block of THREADS threads that share BYTES bytes. Each becomes a function
that gives `x`, 64 numbers of f32, as its kernel leaves them. `%t` is the thread
and `%s` the shared bytes; `%cN` are indices.
"""

import re
import sys


def describe_value(name):
    return (
        f'{{axes = array<i32: 0>, dtype = 0 : i64, name = "{name}", '
        "role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, "
        "sequence = 0 : i64, limit = 0 : i64}"
    )


def describe_function(name):
    return (
        f"{{args = [{describe_value('x')}], method = 3 : i64, "
        f'name = "{name}", results = [{describe_value("y")}], '
        "time = -9223372036854775808 : i64}"
    )


MODULE = """#shared = #gpu.address_space<workgroup>
module attributes {{
  weir.stage = "bufferized", weir.weights_bytes = 0 : i64,
  weir.options = {{lowering = "optimized", quantize = "stored", compute = "",
                  computes = "f32", target = "simt", cpu = "x86-64-v3",
                  features = ""}},
  weir.interface = {{add_bos = 0 : i64, bos = -1 : i64, eos = array<i32>,
    max_block = 512 : i64, max_length = -9223372036854775808 : i64, name = "",
    pad = -1 : i64, slots = [], vocab_size = 0 : i64,
    functions = [{functions}]}}
}} {{
{bodies}
}}
"""
BODY = """func.func @{name}(%x: memref<64xf32>, %weights: memref<?xi8>,
    %arena: memref<?xi8>) -> memref<64xf32> {{
{constants}
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
      threads(%t, %ty, %tz) in (%n = %c{threads}, %ny = %c1, %nz = %c1)
      workgroup(%s : memref<{size}xi8, #shared>) {{
{body}
    gpu.terminator
  }}
  return %x : memref<64xf32>
}}
func.func @{name}__arena(%x: memref<64xf32>, %weights: memref<?xi8>,
    %arena: memref<?xi8>) -> i64 {{
  %0 = arith.constant 0 : i64
  return %0 : i64
}}
"""


def main():
    text = open(sys.argv[1]).read()
    names, bodies = [], []
    for part in re.split(r"^KERNEL ", text, flags=re.M)[1:]:
        head, body = part.split("\n\n", 1)[0].split("\n", 1)
        name, threads, size = head.split()
        numbers = {int(n) for n in re.findall(r"%c(\d+)\b", body)}
        constants = "\n".join(
            f"  %c{n} = arith.constant {n} : index"
            for n in sorted(numbers | {1, int(threads)})
        )
        names.append(describe_function(name))
        bodies.append(
            BODY.format(name=name, constants=constants, threads=threads,
                        size=size, body=body.rstrip())
        )
    print(MODULE.format(functions=",\n".join(names), bodies="\n".join(bodies)))


main()
