// RUN: weir-opt %s \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{threads=2}))' \
// RUN:   | FileCheck %s
// RUN: weir-opt %s \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule))' \
// RUN:   --remark-format=emitRemark --remarks-filter='weir.*' -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK
// RUN: weir-opt %s \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{grid=true rows=32}))' \
// RUN:   | FileCheck %s --check-prefix=GRID

// GRID-LABEL: func.func @many_tokens
// GRID: weir.experts {{.*}} schedule(<form = "grid", tiles = [32], parallel = true>)
// GRID: schedule(<form = "panel", tiles = [32, 32], parallel = true>)
// GRID-LABEL: func.func @one_token
// GRID: weir.experts {{.*}} schedule(<form = "grid", tiles = [32], parallel = true>)

// CHECK-LABEL: func.func @many_tokens
// CHECK: weir.experts {{.*}} schedule(<form = "grouped", tiles = [96, 2], parallel = true>)
// CHECK: schedule(<form = "panel", tiles = [132, 96]>)
// REMARK: Remark=panel, {{.*}}experts are what threads share; tiles of 3 of 6 panels are read again at once
// REMARK: Remark=grouped, {{.*}}2 of 8 experts: tokens sorted by expert, in 2 parts of equal cost
func.func @many_tokens(%x: tensor<?x?x64xf32>, %i: tensor<?x?x2xi32>,
    %w: tensor<?x?x2xf32>, %p: tensor<8x6x64x32xf32>)
    -> tensor<?x?x192xf32> {
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x64x32xf32>)
      : tensor<?x?x64xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>
      -> tensor<?x?x192xf32> {
  ^bb0(%rows: tensor<?x64xf32>, %m: tensor<6x64x32xf32>):
    %z = weir.packed_linear %rows, %m bits(32) group(32)
        : tensor<?x64xf32>, tensor<6x64x32xf32> -> tensor<?x192xf32>
    weir.yield %z : tensor<?x192xf32>
  }
  return %y : tensor<?x?x192xf32>
}

// CHECK-LABEL: func.func @one_token
// CHECK: weir.experts {{.*}} schedule(<form = "slots", tiles = [], parallel = true>)
// CHECK: schedule(<form = "panel", tiles = [132, 96]>)
// REMARK: Remark=panel, {{.*}}experts are what threads share; tiles of 3 of 6 panels are read again at once
// REMARK: Remark=slots, {{.*}}one token: 2 of 8 experts side by side on 2 threads
func.func @one_token(%x: tensor<1x1x64xf32>, %i: tensor<1x1x2xi32>,
    %w: tensor<1x1x2xf32>, %p: tensor<8x6x64x32xf32>)
    -> tensor<1x1x192xf32> {
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x64x32xf32>)
      : tensor<1x1x64xf32>, tensor<1x1x2xi32>, tensor<1x1x2xf32>
      -> tensor<1x1x192xf32> {
  ^bb0(%rows: tensor<?x64xf32>, %m: tensor<6x64x32xf32>):
    %z = weir.packed_linear %rows, %m bits(32) group(32)
        : tensor<?x64xf32>, tensor<6x64x32xf32> -> tensor<?x192xf32>
    weir.yield %z : tensor<?x192xf32>
  }
  return %y : tensor<1x1x192xf32>
}

// CHECK-LABEL: func.func @one_token_odd
// CHECK: weir.experts {{.*}} schedule(<form = "columns", tiles = [], parallel = true>)
// CHECK: schedule(<form = "panel", tiles = [132, 32], parallel = true>)
// REMARK: Remark=panel, {{.*}}6 panels in pieces of 1 for 2 threads; each weight is read once
// REMARK: Remark=columns, {{.*}}one token: 3 of 8 experts, which do not divide among 2 threads; their columns do
func.func @one_token_odd(%x: tensor<1x1x64xf32>, %i: tensor<1x1x3xi32>,
    %w: tensor<1x1x3xf32>, %p: tensor<8x6x64x32xf32>)
    -> tensor<1x1x192xf32> {
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x64x32xf32>)
      : tensor<1x1x64xf32>, tensor<1x1x3xi32>, tensor<1x1x3xf32>
      -> tensor<1x1x192xf32> {
  ^bb0(%rows: tensor<?x64xf32>, %m: tensor<6x64x32xf32>):
    %z = weir.packed_linear %rows, %m bits(32) group(32)
        : tensor<?x64xf32>, tensor<6x64x32xf32> -> tensor<?x192xf32>
    weir.yield %z : tensor<?x192xf32>
  }
  return %y : tensor<1x1x192xf32>
}
