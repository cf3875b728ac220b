// RUN: weir-opt %s \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{threads=2}))' \
// RUN:   | FileCheck %s
// RUN: weir-opt %s \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule))' \
// RUN:   --remark-format=emitRemark --remarks-filter='weir.*' -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// 18 panels for two threads are nine pieces of two: all of one size.
// CHECK-LABEL: func.func @even_pieces
// CHECK: schedule(<form = "panel", tiles = [132, 64], parallel = true>)
// REMARK: Remark=panel, {{.*}}18 panels in pieces of 2 for 2 threads; each weight is read once
func.func @even_pieces(%x: tensor<1x1x64xf32>, %w: tensor<18x64x32xf32>)
    -> tensor<1x1x576xf32> {
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<1x1x64xf32>, tensor<18x64x32xf32> -> tensor<1x1x576xf32>
  return %y : tensor<1x1x576xf32>
}

// What is written by hand stays.
// CHECK-LABEL: func.func @by_hand
// CHECK: schedule(<form = "panel", tiles = [12, 32]>)
func.func @by_hand(%x: tensor<1x1x64xf32>, %w: tensor<18x64x32xf32>)
    -> tensor<1x1x576xf32> {
  %y = weir.packed_linear %x, %w bits(32) group(32)
      schedule(<form = "panel", tiles = [12, 32]>)
      : tensor<1x1x64xf32>, tensor<18x64x32xf32> -> tensor<1x1x576xf32>
  return %y : tensor<1x1x576xf32>
}

// CHECK-LABEL: func.func @many_queries
// CHECK: schedule(<form = "flash", tiles = [16, 128], parallel = true>)
// REMARK: Remark=flash, {{.*}}16 queries by 3 heads of a group fill 3 vectors
func.func @many_queries(%q: tensor<?x?x9x64xf32>, %k: tensor<?x?x3x64xf32>)
    -> tensor<?x?x9x64xf32> {
  %o = weir.attention %q, %k, %k mask(<causal>) scale(0.125)
      : tensor<?x?x9x64xf32>, tensor<?x?x3x64xf32>, tensor<?x?x3x64xf32>
        -> tensor<?x?x9x64xf32>
  return %o : tensor<?x?x9x64xf32>
}

// Three heads do not divide between two threads; six half heads do.
// CHECK-LABEL: func.func @one_query_of_few_heads
// CHECK: schedule(<form = "split", tiles = [1, 64, 2], parallel = true>)
// REMARK: Remark=split, {{.*}}one query: 3 heads by 2 parts of the keys for 2 threads
func.func @one_query_of_few_heads(%q: tensor<1x1x9x64xf32>,
                                  %k: tensor<1x?x3x64xf32>)
    -> tensor<1x1x9x64xf32> {
  %o = weir.attention %q, %k, %k mask(<causal>) scale(0.125)
      : tensor<1x1x9x64xf32>, tensor<1x?x3x64xf32>, tensor<1x?x3x64xf32>
        -> tensor<1x1x9x64xf32>
  return %o : tensor<1x1x9x64xf32>
}

// CHECK-LABEL: func.func @one_query_of_even_heads
// CHECK: schedule(<form = "row", tiles = [1, 64], parallel = true>)
func.func @one_query_of_even_heads(%q: tensor<1x1x8x64xf32>,
                                   %k: tensor<1x?x4x64xf32>)
    -> tensor<1x1x8x64xf32> {
  %o = weir.attention %q, %k, %k mask(<causal>) scale(0.125)
      : tensor<1x1x8x64xf32>, tensor<1x?x4x64xf32>, tensor<1x?x4x64xf32>
        -> tensor<1x1x8x64xf32>
  return %o : tensor<1x1x8x64xf32>
}

// CHECK-LABEL: func.func @path
// CHECK: schedule(<form = "flash", tiles = [16, 16], parallel = true>)
// REMARK: Remark=flash, {{.*}}3 vectors; the path goes by 16 keys
func.func @path(%q: tensor<?x?x9x64xf32>, %k: tensor<?x?x3x64xf32>,
                %b: tensor<?x?x3xf32>) -> tensor<?x?x9x64xf32> {
  %o = weir.attention %q, %k, %k mask(<causal>) scale(0.125)
      path(%k, %b : tensor<?x?x3x64xf32>, tensor<?x?x3xf32>)
      : tensor<?x?x9x64xf32>, tensor<?x?x3x64xf32>, tensor<?x?x3x64xf32>
        -> tensor<?x?x9x64xf32>
  return %o : tensor<?x?x9x64xf32>
}

// Parts of a path do not join.
// CHECK-LABEL: func.func @one_query_of_a_path
// CHECK: schedule(<form = "row", tiles = [1, 64], parallel = true>)
// REMARK: Remark=row, {{.*}}passes key by key along its path
func.func @one_query_of_a_path(%q: tensor<1x1x9x64xf32>,
    %k: tensor<1x?x3x64xf32>, %b: tensor<1x?x3xf32>)
    -> tensor<1x1x9x64xf32> {
  %o = weir.attention %q, %k, %k mask(<causal>) scale(0.125)
      path(%k, %b : tensor<1x?x3x64xf32>, tensor<1x?x3xf32>)
      : tensor<1x1x9x64xf32>, tensor<1x?x3x64xf32>, tensor<1x?x3x64xf32>
        -> tensor<1x1x9x64xf32>
  return %o : tensor<1x1x9x64xf32>
}

// CHECK-LABEL: func.func @delta_values
// CHECK: schedule(<form = "flash", tiles = [64, 64], parallel = true>)
// REMARK: Remark=flash, {{.*}}blocks of 64 tokens in order
func.func @delta_values(%q: tensor<?x?x2x64xf32>, %b: tensor<?x?x2xf32>)
    -> tensor<?x?x2x64xf32> {
  %u = weir.delta_values %q, %q, %q, %b scale(0.125)
      : tensor<?x?x2x64xf32>, tensor<?x?x2x64xf32>, tensor<?x?x2x64xf32>,
        tensor<?x?x2xf32> -> tensor<?x?x2x64xf32>
  return %u : tensor<?x?x2x64xf32>
}

// CHECK-LABEL: func.func @delta_values_of_one_token
// CHECK: schedule(<form = "row", tiles = [1, 64], parallel = true>)
func.func @delta_values_of_one_token(%q: tensor<1x1x2x64xf32>,
    %k: tensor<1x?x2x64xf32>, %b: tensor<1x1x2xf32>, %u: tensor<1x?x2x64xf32>,
    %n: tensor<1xi32>) -> tensor<1x1x2x64xf32> {
  %o = weir.delta_values %q, %k, %q, %b scale(0.125)
      past(%u : tensor<1x?x2x64xf32>) offset(%n : tensor<1xi32>)
      : tensor<1x1x2x64xf32>, tensor<1x?x2x64xf32>, tensor<1x1x2x64xf32>,
        tensor<1x1x2xf32> -> tensor<1x1x2x64xf32>
  return %o : tensor<1x1x2x64xf32>
}

// Two heads are enough for two threads.
// CHECK-LABEL: func.func @recurrence
// CHECK: schedule(<form = "chunkwise", tiles = [16, 64, 1], parallel = true>)
// CHECK-SAME: weir.reason = "chunks of 16 tokens
func.func @recurrence(%q: tensor<1x?x2x32xf32>, %v: tensor<1x?x2x64xf32>,
                      %g: tensor<1x?x2xf32>)
    -> (tensor<1x?x2x64xf32>, tensor<1x2x32x64xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v decay(%g : tensor<1x?x2xf32>)
      : tensor<1x?x2x32xf32>, tensor<1x?x2x32xf32>, tensor<1x?x2x64xf32>
        -> tensor<1x?x2x64xf32>, tensor<1x2x32x64xf32>
  return %0, %1 : tensor<1x?x2x64xf32>, tensor<1x2x32x64xf32>
}

// One head is shared by two threads.
// CHECK-LABEL: func.func @recurrence_of_a_token
// CHECK: schedule(<form = "recurrent", tiles = [1, 32], parallel = true>)
func.func @recurrence_of_a_token(%q: tensor<1x1x1x32xf32>,
                                 %v: tensor<1x1x1x64xf32>)
    -> (tensor<1x1x1x64xf32>, tensor<1x1x32x64xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v
      : tensor<1x1x1x32xf32>, tensor<1x1x1x32xf32>, tensor<1x1x1x64xf32>
        -> tensor<1x1x1x64xf32>, tensor<1x1x32x64xf32>
  return %0, %1 : tensor<1x1x1x64xf32>, tensor<1x1x32x64xf32>
}

// Few heads of few value features, or few threads' worth of a scan, are spread
// over time; not known to be short.
// CHECK-LABEL: func.func @recurrence_of_a_head
// CHECK: schedule(<form = "parallel", tiles = [16, 8, 1, 3], parallel = true>)
// CHECK-SAME: weir.reason = "3 ranges of time side by side, since 1 tile of a row would leave threads of 2 idle; what a block does to the state takes {{[0-9]+}}% of a step; in order below 384 tokens, or where further rows fill the threads; chunks of 16 tokens
// CHECK: schedule(<form = "chunkwise", tiles = [16, 8, 1], parallel = true>)
func.func @recurrence_of_a_head(%q: tensor<?x?x1x32xf32>,
                                %v: tensor<?x?x1x8xf32>,
                                %g: tensor<?x?x1x32xf32>,
                                %s: tensor<?x300x1x32xf32>,
                                %w: tensor<?x300x1x8xf32>)
    -> (tensor<?x?x1x8xf32>, tensor<?x300x1x8xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v decay(%g : tensor<?x?x1x32xf32>)
      : tensor<?x?x1x32xf32>, tensor<?x?x1x32xf32>, tensor<?x?x1x8xf32>
        -> tensor<?x?x1x8xf32>, tensor<?x1x32x8xf32>
  %2, %3 = weir.recurrence %s, %s, %w
      : tensor<?x300x1x32xf32>, tensor<?x300x1x32xf32>, tensor<?x300x1x8xf32>
        -> tensor<?x300x1x8xf32>, tensor<?x1x32x8xf32>
  return %0, %2 : tensor<?x?x1x8xf32>, tensor<?x300x1x8xf32>
}

// A correction's matrix of key features costs more than it spreads.
// CHECK-LABEL: func.func @correction_of_a_head
// CHECK: schedule(<form = "chunkwise", tiles = [16, 16, 1], parallel = true>)
// CHECK-SAME: ranges of time would take {{[0-9]+}}% of that, as what a range does to the state is a matrix of 128 by as many
func.func @correction_of_a_head(%q: tensor<1x?x1x128xf32>,
                                %v: tensor<1x?x1x32xf32>,
                                %b: tensor<1x?x1xf32>) -> tensor<1x?x1x32xf32> {
  %0, %1 = weir.recurrence %q, %q, %v delta(%b : tensor<1x?x1xf32>)
      : tensor<1x?x1x128xf32>, tensor<1x?x1x128xf32>, tensor<1x?x1x32xf32>
        -> tensor<1x?x1x32xf32>, tensor<1x1x128x32xf32>
  return %0 : tensor<1x?x1x32xf32>
}

// Few heads to a list: queries are sorted by the blocks that they name, unless
// there is one query, blocks are small, or the heads fill a vector.
// CHECK-LABEL: func.func @lists
// CHECK: schedule(<form = "list_sorted", tiles = [8192, 128, 64], parallel = true>)
// CHECK-SAME: weir.reason = "8192 queries sorted by the blocks of 32 keys that they name, 64 by 1 heads at once"
// CHECK: schedule(<form = "list", tiles = [1, 64], parallel = true>)
// CHECK: schedule(<form = "list", tiles = [1, 64], parallel = true>)
// CHECK: schedule(<form = "list_flash", tiles = [1, 64], parallel = true>)
func.func @lists(%q: tensor<?x?x16x64xf32>, %r: tensor<?x1x16x64xf32>,
                 %l: tensor<?x?x16x3xi32>, %m: tensor<?x1x16x3xi32>,
                 %n: tensor<?x?x1x3xi32>, %k: tensor<?x?x1x64xf32>)
    -> (tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>, tensor<?x1x16x64xf32>,
        tensor<?x?x16x64xf32>) {
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(1.0)
      block_list(%l : tensor<?x?x16x3xi32>) block_size(32)
      : tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>
        -> tensor<?x?x16x64xf32>
  %1 = weir.attention %q, %q, %q mask(<causal>) scale(1.0)
      block_list(%l : tensor<?x?x16x3xi32>) block_size(16)
      : tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>
        -> tensor<?x?x16x64xf32>
  %2 = weir.attention %r, %q, %q mask(<full>) scale(1.0)
      block_list(%m : tensor<?x1x16x3xi32>) block_size(32)
      : tensor<?x1x16x64xf32>, tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>
        -> tensor<?x1x16x64xf32>
  %3 = weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      block_list(%n : tensor<?x?x1x3xi32>) block_size(32)
      : tensor<?x?x16x64xf32>, tensor<?x?x1x64xf32>, tensor<?x?x1x64xf32>
        -> tensor<?x?x16x64xf32>
  return %0, %1, %2, %3 : tensor<?x?x16x64xf32>, tensor<?x?x16x64xf32>,
      tensor<?x1x16x64xf32>, tensor<?x?x16x64xf32>
}

// Queries that choose together, as many as fill a tile with their heads.
// CHECK-LABEL: func.func @choices
// CHECK: schedule(<form = "row", tiles = [8, 64], parallel = true>)
// CHECK: schedule(<form = "row", tiles = [1, 64], parallel = true>)
func.func @choices(%q: tensor<?x?x16x64xf32>, %r: tensor<?x1x16x64xf32>,
                   %k: tensor<?x?x1x64xf32>)
    -> (tensor<?x?x1x3xi32>, tensor<?x1x1x3xi32>) {
  %0 = weir.select_blocks %q, %k block_size(64) scale(1.0) score(softmax)
      : tensor<?x?x16x64xf32>, tensor<?x?x1x64xf32> -> tensor<?x?x1x3xi32>
  %1 = weir.select_blocks %r, %k block_size(64) scale(1.0) score(softmax)
      : tensor<?x1x16x64xf32>, tensor<?x?x1x64xf32> -> tensor<?x1x1x3xi32>
  return %0, %1 : tensor<?x?x1x3xi32>, tensor<?x1x1x3xi32>
}
