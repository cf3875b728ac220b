// RUN: weir-opt %s --weir-tile-block-maps -split-input-file | FileCheck %s

// Ranges of time side by side: what they compute is tested in
// Execution/{recurrence,scan}/ranges-optimized.test; here, how they are nested.

// Where further rows would fill the threads, or time is short, all of it is in
// the first range.
// CHECK-LABEL: func.func @recurrence
// CHECK: %[[BLOCKS:.*]] = arith.ceildivsi %{{.*}}, %c16
// CHECK: %[[FEW:.*]] = arith.cmpi slt, %{{.*}}, %{{.*}} : index
// CHECK: %[[LONG:.*]] = arith.cmpi sge, %[[BLOCKS]], %c24
// CHECK: %[[PAYS:.*]] = arith.andi %[[FEW]], %[[LONG]]
// CHECK: %[[LEAD:.*]] = arith.ceildivsi
// CHECK: %[[FIRST:.*]] = arith.select %[[PAYS]], %[[LEAD]], %[[BLOCKS]]
// Results, the state behind the first range, and transfers: what a state of
// zero becomes, and the sums of the logs of decay.
// CHECK: %[[A:.*]]:4 = scf.forall ({{.*}}, %[[PART:.*]]) in (%{{.*}}, 1, 1, 2) shared_outs
// CHECK-SAME: -> (tensor<?x?x1x8xf32>, tensor<2x?x1x32x8xf32>, tensor<?x1x1x2x1x32x8xf32>, tensor<?x1x1x2x1x32xf32>)
// CHECK: %[[ISFIRST:.*]] = arith.cmpi eq, %[[PART]]
// CHECK: arith.select %[[ISFIRST]], %[[FIRST]]
// CHECK: bufferization.alloc_tensor() : tensor<1x1x32x8xf32>
// CHECK: scf.for {{.*}} -> (tensor<1x?x1x8xf32>, tensor<1x32x8xf32>)
// CHECK: scf.for {{.*}} -> (tensor<1x32x8xf32>, tensor<1x32xf32>)
// CHECK: scf.forall.in_parallel
// The other ranges: the carry behind the first, then the transfers between.
// CHECK: %[[B:.*]]:2 = scf.forall ({{.*}}) in (%{{.*}}, 1, 1, 2) shared_outs(%{{.*}} = %[[A]]#0, %{{.*}} =
// CHECK: tensor.extract_slice %[[A]]#1
// CHECK: scf.for {{.*}} -> (tensor<1x?x1x8xf32>, tensor<1x32x8xf32>)
// CHECK: tensor.extract_slice %[[A]]#2
// CHECK: tensor.extract_slice %[[A]]#3
// CHECK: math.exp
// CHECK: scf.for {{.*}} -> (tensor<1x?x1x8xf32>, tensor<1x32x8xf32>)
// CHECK: %[[STATE:.*]] = tensor.extract_slice %[[B]]#1[1, 0, 0, 0, 0]
// CHECK: return %[[B]]#0, %[[STATE]]
func.func @recurrence(%q: tensor<?x?x1x32xf32>, %v: tensor<?x?x1x8xf32>,
                      %g: tensor<?x?x1x32xf32>)
    -> (tensor<?x?x1x8xf32>, tensor<?x1x32x8xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v decay(%g : tensor<?x?x1x32xf32>)
      schedule(<form = "parallel", tiles = [16, 8, 1, 3], parallel = true>)
      : tensor<?x?x1x32xf32>, tensor<?x?x1x32xf32>, tensor<?x?x1x8xf32>
        -> tensor<?x?x1x8xf32>, tensor<?x1x32x8xf32>
  return %0, %1 : tensor<?x?x1x8xf32>, tensor<?x1x32x8xf32>
}

// -----

// With a correction the transfer has a matrix beside: [A | B].
// CHECK-LABEL: func.func @correction
// CHECK: scf.forall {{.*}} -> (tensor<?x?x1x8xf32>, tensor<2x?x1x4x8xf32>, tensor<?x1x1x2x1x4x12xf32>)
func.func @correction(%q: tensor<?x?x1x4xf32>, %v: tensor<?x?x1x8xf32>,
                      %b: tensor<?x?x1xf32>)
    -> (tensor<?x?x1x8xf32>, tensor<?x1x4x8xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v delta(%b : tensor<?x?x1xf32>)
      schedule(<form = "parallel", tiles = [16, 8, 1, 3], parallel = true>)
      : tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>, tensor<?x?x1x8xf32>
        -> tensor<?x?x1x8xf32>, tensor<?x1x4x8xf32>
  return %0, %1 : tensor<?x?x1x8xf32>, tensor<?x1x4x8xf32>
}

// -----

// Time that is known to be short is one loop.
// CHECK-LABEL: func.func @short
// CHECK: scf.forall
// CHECK-NOT: scf.forall (
// CHECK: return
func.func @short(%q: tensor<1x64x1x4xf32>)
    -> (tensor<1x64x1x4xf32>, tensor<1x1x4x4xf32>) {
  %0, %1 = weir.recurrence %q, %q, %q
      schedule(<form = "parallel", tiles = [16, 4, 1, 3], parallel = true>)
      : tensor<1x64x1x4xf32>, tensor<1x64x1x4xf32>, tensor<1x64x1x4xf32>
        -> tensor<1x64x1x4xf32>, tensor<1x1x4x4xf32>
  return %0, %1 : tensor<1x64x1x4xf32>, tensor<1x1x4x4xf32>
}

// -----

// A scan: the step and, beside it, what changes with the state, one exponential
// for both; the output is not summarised.
#v = affine_map<(d) -> (d)>
// CHECK-LABEL: func.func @scan
// CHECK: %[[A:.*]]:4 = scf.forall {{.*}} -> (tensor<?x?x8xf32>, tensor<2x?x8xf32>, tensor<?x1x2x8xf32>, tensor<?x1x2x8xf32>)
// CHECK: scf.for {{.*}} iter_args(%[[ADD:.*]] = %{{.*}}, %[[FACTOR:.*]] = %{{.*}}) -> (tensor<8xf32>, tensor<8xf32>)
// CHECK: linalg.generic {{.*}} outs(%[[ADD]], %[[FACTOR]] :
// CHECK: math.exp
// CHECK-NOT: math.exp
// CHECK-NOT: math.tanh
// CHECK: linalg.yield
// CHECK: scf.forall.in_parallel
// CHECK: scf.forall
func.func @scan(%x: tensor<?x?x8xf32>, %g: tensor<?x?x8xf32>,
                %s: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l = weir.scan (%x, %g) states(%s)
      schedule(<form = "parallel", tiles = [8, 3], parallel = true>)
      : (tensor<?x?x8xf32>, tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%a: tensor<8xf32>, %b: tensor<8xf32>, %h: tensor<8xf32>):
    %e = tensor.empty() : tensor<8xf32>
    %next:2 = linalg.generic {indexing_maps = [#v, #v, #v, #v, #v],
        iterator_types = ["parallel"]}
        ins(%a, %b, %h : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
        outs(%e, %e : tensor<8xf32>, tensor<8xf32>) {
    ^bb1(%u: f32, %w: f32, %k: f32, %o: f32, %r: f32):
      %f = math.exp %w : f32
      %p = arith.mulf %f, %k : f32
      %q = arith.addf %p, %u : f32
      %t = math.tanh %q : f32
      linalg.yield %q, %t : f32, f32
    } -> (tensor<8xf32>, tensor<8xf32>)
    weir.yield %next#1, %next#0 : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}
