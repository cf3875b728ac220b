// RUN: weir-opt %s --weir-tile-block-maps | FileCheck %s

// What the loops compute is tested in Execution/recurrence; here, how they are
// nested and what goes from block to block.

// Points are batch rows, heads and tiles of value features; each block writes
// its tokens and hands the state on, both where they belong.
// CHECK-LABEL: func.func @chunkwise
// CHECK: %[[OUT:.*]] = tensor.empty({{.*}}) : tensor<?x?x4x64xf32>
// CHECK: %[[FINAL:.*]] = tensor.empty({{.*}}) : tensor<?x4x32x64xf32>
// CHECK: %[[R:.*]]:2 = scf.forall ({{.*}}) in (%{{.*}}, 4, 2) shared_outs(%[[O:.*]] = %[[OUT]], %[[F:.*]] = %[[FINAL]])
// CHECK-DAG: tensor.extract_slice %[[O]]{{.*}} to tensor<1x?x1x32xf32>
// CHECK-DAG: tensor.extract_slice %[[F]]{{.*}} to tensor<1x1x32x32xf32>
// CHECK: %[[BLOCKS:.*]] = arith.ceildivsi %{{.*}}, %c16
// CHECK: scf.for {{.*}} to %[[BLOCKS]]
// A whole block reads its operands where they are.
// CHECK: scf.if {{.*}} -> (tensor<1x?x1x32xf32>, tensor<1x32x32xf32>)
// CHECK-DAG: tensor.extract_slice {{.*}} : tensor<?x?x2x32xf32> to tensor<16x32xf32>
// CHECK-DAG: tensor.extract_slice {{.*}} : tensor<1x?x1x32xf32> to tensor<16x32xf32>
// Sums of the logs of decay, a scalar loop, then scores of 16 x 16 pairs.
// CHECK: scf.for {{.*}} -> (tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, f32, f32)
// CHECK: math.exp
// One that lacks tokens has them filled up with zeros.
// CHECK: } else {
// CHECK: linalg.fill {{.*}} -> tensor<?x32xf32>
// CHECK: scf.forall.in_parallel
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @chunkwise(%q: tensor<?x?x2x32xf32>, %v: tensor<?x?x4x64xf32>,
                     %g: tensor<?x?x4xf32>)
    -> (tensor<?x?x4x64xf32>, tensor<?x4x32x64xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v decay(%g : tensor<?x?x4xf32>)
      schedule(<form = "chunkwise", tiles = [16, 32], parallel = true>)
      : tensor<?x?x2x32xf32>, tensor<?x?x2x32xf32>, tensor<?x?x4x64xf32>
        -> tensor<?x?x4x64xf32>, tensor<?x4x32x64xf32>
  return %0, %1 : tensor<?x?x4x64xf32>, tensor<?x4x32x64xf32>
}

// One decay a channel: products of matrices while no inverse overflows, else
// differences one by one.
// CHECK-LABEL: func.func @by_channel
// CHECK: %[[MILD:.*]] = arith.cmpf oge
// CHECK: scf.if %[[MILD]] -> (tensor<8x16xf32>, tensor<16x16xf32>)
// CHECK: } else {
// CHECK: iterator_types = ["parallel", "parallel", "reduction"]
func.func @by_channel(%q: tensor<1x24x2x16xf32>, %g: tensor<1x24x2x16xf32>)
    -> (tensor<1x24x2x16xf32>, tensor<1x2x16x16xf32>) {
  %0, %1 = weir.recurrence %q, %q, %q decay(%g : tensor<1x24x2x16xf32>)
      schedule(<form = "chunkwise", tiles = [8, 16], parallel = true>)
      : tensor<1x24x2x16xf32>, tensor<1x24x2x16xf32>, tensor<1x24x2x16xf32>
        -> tensor<1x24x2x16xf32>, tensor<1x2x16x16xf32>
  return %0, %1 : tensor<1x24x2x16xf32>, tensor<1x2x16x16xf32>
}

// Blocks of more tokens than there are take the one that is there.
// CHECK-LABEL: func.func @one_token
// CHECK: scf.forall
// CHECK-NOT: scf.if
// CHECK: linalg.fill
// CHECK: return
func.func @one_token(%q: tensor<1x1x2x16xf32>, %g: tensor<1x1x2xf32>)
    -> (tensor<1x1x2x16xf32>, tensor<1x2x16x16xf32>) {
  %0, %1 = weir.recurrence %q, %q, %q decay(%g : tensor<1x1x2xf32>)
      schedule(<form = "chunkwise", tiles = [8, 16], parallel = true>)
      : tensor<1x1x2x16xf32>, tensor<1x1x2x16xf32>, tensor<1x1x2x16xf32>
        -> tensor<1x1x2x16xf32>, tensor<1x2x16x16xf32>
  return %0, %1 : tensor<1x1x2x16xf32>, tensor<1x2x16x16xf32>
}

// Two heads of one key head go side by side; products of their keys are made
// once.
// CHECK-LABEL: func.func @together
// CHECK: scf.forall ({{.*}}) in (1, 2, 1)
// CHECK: tensor.empty() : tensor<8x8xf32>
// CHECK: scf.for {{.*}} to %c2{{.*}} -> (tensor<1x24x2x16xf32>, tensor<2x16x16xf32>)
func.func @together(%q: tensor<1x24x2x16xf32>, %v: tensor<1x24x4x16xf32>)
    -> (tensor<1x24x4x16xf32>, tensor<1x4x16x16xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v
      schedule(<form = "chunkwise", tiles = [8, 16, 2], parallel = true>)
      : tensor<1x24x2x16xf32>, tensor<1x24x2x16xf32>, tensor<1x24x4x16xf32>
        -> tensor<1x24x4x16xf32>, tensor<1x4x16x16xf32>
  return %0, %1 : tensor<1x24x4x16xf32>, tensor<1x4x16x16xf32>
}
