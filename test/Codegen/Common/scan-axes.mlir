// Which axes of a scan are cut: those that the step treats one index at a time.
//
// RUN: weir-opt %s -split-input-file \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{threads=2}))' \
// RUN:   | FileCheck %s
// RUN: weir-opt %s -split-input-file \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{threads=2}))' \
// RUN:   --remark-format=emitRemark --remarks-filter='weir.*' -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// Features on one axis of everything; tiles are whole vectors, one for each of
// two threads. A tensor from above becomes a param, a number is copied.
// CHECK-LABEL: func.func @diagonal
// CHECK: weir.scan({{.*}}) states({{.*}}) params(%{{.*}} : tensor<64xf32>) schedule(<form = "scan", tiles = [32], parallel = true>)
// CHECK-NEXT: ^bb0({{.*}}: tensor<64xf32>, {{.*}}: tensor<64xf32>, %[[P:.*]]: tensor<64xf32>):
// CHECK: %[[C:.*]] = arith.constant dense<2.0
// CHECK: arith.mulf %{{.*}}, %[[C]]
// CHECK: arith.mulf %{{.*}}, %[[P]]
// REMARK: Remark=scan, {{.*}}2 tiles of 32 along an element-wise axis of 64, whose states take 128 bytes, for 2 threads
func.func @diagonal(%x: tensor<?x?x64xf32>, %s: tensor<64xf32>,
                    %p: tensor<64xf32>) -> tensor<?x?x64xf32> {
  %two = arith.constant dense<2.0> : tensor<64xf32>
  %y, %l = weir.scan (%x) states(%s)
      : (tensor<?x?x64xf32>), (tensor<64xf32>)
      -> (tensor<?x?x64xf32>), (tensor<?x64xf32>) {
  ^bb0(%a: tensor<64xf32>, %h: tensor<64xf32>):
    %t = arith.mulf %h, %two : tensor<64xf32>
    %u = arith.mulf %t, %p : tensor<64xf32>
    %v = arith.addf %u, %a : tensor<64xf32>
    weir.yield %v, %v : tensor<64xf32>, tensor<64xf32>
  }
  return %y : tensor<?x?x64xf32>
}

// -----

// The output sums over the columns of the state, and its rows are cut until
// they fit in the nearest cache.
#dn = affine_map<(d, n) -> (d, n)>
#d = affine_map<(d, n) -> (d)>
#n = affine_map<(d, n) -> (n)>
// CHECK-LABEL: func.func @rows_of_a_matrix
// CHECK: schedule(<form = "scan", tiles = [64], parallel = true>)
func.func @rows_of_a_matrix(%x: tensor<?x?x512xf32>, %b: tensor<?x?x64xf32>,
    %s: tensor<512x64xf32>) -> tensor<?x?x512xf32> {
  %y, %l = weir.scan (%x, %b) states(%s)
      : (tensor<?x?x512xf32>, tensor<?x?x64xf32>), (tensor<512x64xf32>)
      -> (tensor<?x?x512xf32>), (tensor<?x512x64xf32>) {
  ^bb0(%a: tensor<512xf32>, %k: tensor<64xf32>, %h: tensor<512x64xf32>):
    %e = tensor.empty() : tensor<512x64xf32>
    %next = linalg.generic {indexing_maps = [#d, #n, #dn, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%a, %k, %h : tensor<512xf32>, tensor<64xf32>, tensor<512x64xf32>)
        outs(%e : tensor<512x64xf32>) {
    ^bb1(%u: f32, %v: f32, %w: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %q = arith.addf %p, %w : f32
      linalg.yield %q : f32
    } -> tensor<512x64xf32>
    %z = arith.constant dense<0.0> : tensor<512xf32>
    %read = linalg.generic {indexing_maps = [#dn, #n, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%next, %k : tensor<512x64xf32>, tensor<64xf32>)
        outs(%z : tensor<512xf32>) {
    ^bb1(%u: f32, %v: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %q = arith.addf %p, %o : f32
      linalg.yield %q : f32
    } -> tensor<512xf32>
    weir.yield %read, %next : tensor<512xf32>, tensor<512x64xf32>
  }
  return %y : tensor<?x?x512xf32>
}

// -----

// A step that knows which feature it computes.
#v = affine_map<(d) -> (d)>
// CHECK-LABEL: func.func @index
// CHECK: schedule(<form = "scan", tiles = [], parallel = true>)
// REMARK: every axis of the step is coupled: one row at a time
func.func @index(%x: tensor<?x?x64xi32>, %s: tensor<64xi32>)
    -> tensor<?x?x64xi32> {
  %y, %l = weir.scan (%x) states(%s)
      : (tensor<?x?x64xi32>), (tensor<64xi32>)
      -> (tensor<?x?x64xi32>), (tensor<?x64xi32>) {
  ^bb0(%a: tensor<64xi32>, %h: tensor<64xi32>):
    %e = tensor.empty() : tensor<64xi32>
    %next = linalg.generic {indexing_maps = [#v, #v],
        iterator_types = ["parallel"]}
        ins(%h : tensor<64xi32>) outs(%e : tensor<64xi32>) {
    ^bb1(%u: i32, %o: i32):
      %i = linalg.index 0 : index
      %j = arith.index_cast %i : index to i32
      %q = arith.addi %u, %j : i32
      linalg.yield %q : i32
    } -> tensor<64xi32>
    weir.yield %next, %next : tensor<64xi32>, tensor<64xi32>
  }
  return %y : tensor<?x?x64xi32>
}

// -----

// A vector times itself: both axes of the state are the one of the input. What
// cannot be cut otherwise is cut along time, where the step allows.
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
#j = affine_map<(i, j) -> (j)>
// CHECK-LABEL: func.func @outer_square
// CHECK: schedule(<form = "parallel", tiles = [3], parallel = true>)
// REMARK: Remark=parallel, {{.*}}3 ranges of time side by side, since 1 tile of a row would leave threads of 2 idle; what a block does to the state takes 125% of a step; in order below 48 tokens, or where further rows fill the threads; every axis of the step is coupled: one row at a time
func.func @outer_square(%x: tensor<?x?x64xf32>, %s: tensor<64x64xf32>)
    -> tensor<?x64x64xf32> {
  %o, %l = weir.scan (%x) states(%s)
      : (tensor<?x?x64xf32>), (tensor<64x64xf32>)
      -> (tensor<?x?x64xf32>), (tensor<?x64x64xf32>) {
  ^bb0(%a: tensor<64xf32>, %h: tensor<64x64xf32>):
    %next = linalg.generic {indexing_maps = [#i, #j, #ij],
        iterator_types = ["parallel", "parallel"]}
        ins(%a, %a : tensor<64xf32>, tensor<64xf32>)
        outs(%h : tensor<64x64xf32>) {
    ^bb1(%u: f32, %v: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %q = arith.addf %p, %o : f32
      linalg.yield %q : f32
    } -> tensor<64x64xf32>
    weir.yield %a, %next : tensor<64xf32>, tensor<64x64xf32>
  }
  return %l : tensor<?x64x64xf32>
}

// -----

// An output without the axis would be written by every tile.
// CHECK-LABEL: func.func @shared_output
// CHECK: schedule(<form = "parallel", tiles = [3], parallel = true>)
func.func @shared_output(%x: tensor<?x?x64xf32>, %c: tensor<?x?xf32>,
    %s: tensor<64xf32>) -> tensor<?x?xf32> {
  %y, %l = weir.scan (%x, %c) states(%s)
      : (tensor<?x?x64xf32>, tensor<?x?xf32>), (tensor<64xf32>)
      -> (tensor<?x?xf32>), (tensor<?x64xf32>) {
  ^bb0(%a: tensor<64xf32>, %b: tensor<f32>, %h: tensor<64xf32>):
    %u = arith.addf %a, %h : tensor<64xf32>
    weir.yield %b, %u : tensor<f32>, tensor<64xf32>
  }
  return %y : tensor<?x?xf32>
}

// -----

// An operation of which nothing is known keeps what it touches whole.
// CHECK-LABEL: func.func @slice
// CHECK: schedule(<form = "scan", tiles = [], parallel = true>)
// REMARK: one row at a time; no ranges of time side by side: state 0 is affine, elements coupled: tensor.extract_slice moves elements of the states;
func.func @slice(%x: tensor<?x?x64xf32>, %s: tensor<64xf32>)
    -> tensor<?x?x64xf32> {
  %y, %l = weir.scan (%x) states(%s)
      : (tensor<?x?x64xf32>), (tensor<64xf32>)
      -> (tensor<?x?x64xf32>), (tensor<?x64xf32>) {
  ^bb0(%a: tensor<64xf32>, %h: tensor<64xf32>):
    %p = tensor.extract_slice %h[0] [8] [1] : tensor<64xf32> to tensor<8xf32>
    %q = tensor.insert_slice %p into %a[8] [8] [1]
        : tensor<8xf32> into tensor<64xf32>
    weir.yield %q, %q : tensor<64xf32>, tensor<64xf32>
  }
  return %y : tensor<?x?x64xf32>
}

// -----

// Heads are cut one by one, value features not as well; one token of one row is
// not worth a second thread.
// CHECK-LABEL: func.func @heads
// CHECK: schedule(<form = "scan", tiles = [3, 8], parallel = true>)
// CHECK: schedule(<form = "scan", tiles = [6, 8], parallel = true>)
func.func @heads(%x: tensor<?x?x6x8xf32>, %t: tensor<1x1x6x8xf32>,
                 %s: tensor<6x8xf32>)
    -> (tensor<?x?x6x8xf32>, tensor<1x1x6x8xf32>) {
  %y, %l = weir.scan (%x) states(%s)
      : (tensor<?x?x6x8xf32>), (tensor<6x8xf32>)
      -> (tensor<?x?x6x8xf32>), (tensor<?x6x8xf32>) {
  ^bb0(%a: tensor<6x8xf32>, %h: tensor<6x8xf32>):
    %u = arith.addf %a, %h : tensor<6x8xf32>
    weir.yield %u, %u : tensor<6x8xf32>, tensor<6x8xf32>
  }
  %z, %m = weir.scan (%t) states(%s)
      : (tensor<1x1x6x8xf32>), (tensor<6x8xf32>)
      -> (tensor<1x1x6x8xf32>), (tensor<1x6x8xf32>) {
  ^bb0(%a: tensor<6x8xf32>, %h: tensor<6x8xf32>):
    %u = arith.addf %a, %h : tensor<6x8xf32>
    weir.yield %u, %u : tensor<6x8xf32>, tensor<6x8xf32>
  }
  return %y, %z : tensor<?x?x6x8xf32>, tensor<1x1x6x8xf32>
}
