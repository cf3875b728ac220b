// Each stage is a pipeline of weir-opt with the options of its struct.

// RUN: weir-opt %s --weir-formed-pipeline=lowering=reference \
// RUN:   | FileCheck %s --check-prefix=FORMED
// RUN: weir-opt %s --weir-scheduled-pipeline="quantize=bf16 target-cpu=znver4 threads=4" \
// RUN:   | FileCheck %s --check-prefix=BF16
// RUN: weir-opt %s --weir-scheduled-pipeline="target-cpu=x86-64-v3" \
// RUN:   | FileCheck %s --check-prefix=AVX2
// RUN: weir-opt %s --weir-scheduled-pipeline=lowering=reference-f64 \
// RUN:   | FileCheck %s --check-prefix=F64
// RUN: weir-opt %s --weir-tiled-pipeline=lowering=reference \
// RUN:   --weir-verify-tiled | FileCheck %s --check-prefix=TILED
// RUN: weir-opt %s --weir-tiled-pipeline=lowering=reference \
// RUN:   --weir-bufferized-pipeline --weir-verify-bufferized \
// RUN:   | FileCheck %s --check-prefix=BUFFERIZED
// RUN: weir-opt %s --weir-tiled-pipeline=lowering=reference \
// RUN:   --weir-bufferized-pipeline --weir-lowered-pipeline \
// RUN:   --weir-verify-lowered | FileCheck %s --check-prefix=LOWERED
// RUN: not weir-opt %s --weir-tiled-pipeline=target-cpu=z80 2>&1 \
// RUN:   | FileCheck %s --check-prefix=CPU

// FORMED: weir.linear
// BF16: #weir.pack<@w, values, panel = 32
// BF16: weir.packed_linear {{.*}} bits(16) {{.*}} schedule(
// AVX2: #weir.pack<@w, values, panel = 16
// F64: tensor<?x3xf64>
// TILED: linalg.
// TILED-NOT: weir.linear
// BUFFERIZED: weir.role = "arena"
// LOWERED: llvm.func @f
// CPU: unknown CPU 'z80', expected native, portable or a name LLVM knows

weir.param @w : tensor<2x3xf32> = #weir.checkpoint<"w">

func.func @f(%x: tensor<?x3xf32> {weir.name = "x"})
    -> (tensor<?x2xf32> {weir.name = "y"}) {
  %w = weir.weight @w : tensor<2x3xf32>
  %y = weir.linear %x, %w
      : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
