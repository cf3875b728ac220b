// Value features are cut until a tile's state is small enough, for blocks of
// threads that share it.

// RUN: weir-opt %s \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{state-bytes=4096}))' \
// RUN:   | FileCheck %s
// RUN: weir-opt %s \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{state-bytes=4096 vector-bits=1024}))' \
// RUN:   | FileCheck %s --check-prefix=WIDE

// 32 key features by 64 value features are 8192 bytes. A vector is not cut.
// CHECK-LABEL: func.func @by_head
// CHECK: schedule(<form = "chunkwise", tiles = [16, 32, 1], parallel = true>)
// WIDE-LABEL: func.func @by_head
// WIDE: schedule(<form = "chunkwise", tiles = [16, 32, 1], parallel = true>)
func.func @by_head(%q: tensor<2x?x4x32xf32>, %v: tensor<2x?x4x64xf32>,
                   %g: tensor<2x?x4xf32>) -> tensor<2x?x4x64xf32> {
  %0, %1 = weir.recurrence %q, %q, %v decay(%g : tensor<2x?x4xf32>)
      : tensor<2x?x4x32xf32>, tensor<2x?x4x32xf32>, tensor<2x?x4x64xf32>
        -> tensor<2x?x4x64xf32>, tensor<2x4x32x64xf32>
  return %0 : tensor<2x?x4x64xf32>
}

// CHECK-LABEL: func.func @by_feature
// CHECK: schedule(<form = "chunkwise", tiles = [16, 16, 1], parallel = true>)
// WIDE-LABEL: func.func @by_feature
// WIDE: schedule(<form = "chunkwise", tiles = [16, 32, 1], parallel = true>)
func.func @by_feature(%q: tensor<2x?x4x32xf32>, %v: tensor<2x?x4x64xf32>,
                      %g: tensor<2x?x4x32xf32>) -> tensor<2x?x4x64xf32> {
  %0, %1 = weir.recurrence %q, %q, %v decay(%g : tensor<2x?x4x32xf32>)
      : tensor<2x?x4x32xf32>, tensor<2x?x4x32xf32>, tensor<2x?x4x64xf32>
        -> tensor<2x?x4x64xf32>, tensor<2x4x32x64xf32>
  return %0 : tensor<2x?x4x64xf32>
}
