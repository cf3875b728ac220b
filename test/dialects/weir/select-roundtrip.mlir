// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK: weir.select_blocks %{{.*}}, %{{.*}} block_size(8) scale(5.000000e-01) score(softmax) : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
func.func @plain(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>)
    -> tensor<?x?x2x3xi32> {
  %0 = weir.select_blocks %q, %k block_size(8) scale(0.5) score(softmax)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
  return %0 : tensor<?x?x2x3xi32>
}

// CHECK-LABEL: func.func @all_parts
// CHECK: weir.select_blocks
// CHECK-SAME: weights(%{{[^ ]+}} : tensor<?x1x4xf32>)
// CHECK-SAME: offset(%{{[^ ]+}} : tensor<?xi32>)
// CHECK-SAME: schedule(<form = "row", tiles = [64]>) adjust {
// CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index):
func.func @all_parts(%q: tensor<?x1x4x16xf32>, %k: tensor<?x?x1x16xf32>,
                     %w: tensor<?x1x4xf32>, %o: tensor<?xi32>)
    -> tensor<?x1x1x3xi32> {
  %0 = weir.select_blocks %q, %k block_size(1) scale(0.5) score(relu)
      weights(%w : tensor<?x1x4xf32>) offset(%o : tensor<?xi32>)
      schedule(<form = "row", tiles = [64]>) adjust {
  ^bb0(%s: f32, %b: index, %l: index, %i: index, %c: index):
    %t = arith.negf %s : f32
    weir.yield %t : f32
  } : tensor<?x1x4x16xf32>, tensor<?x?x1x16xf32> -> tensor<?x1x1x3xi32>
  return %0 : tensor<?x1x1x3xi32>
}

// CHECK-LABEL: func.func @best_key
// CHECK: weir.select_blocks
// CHECK-SAME: score(raw) pool(max) :
func.func @best_key(%q: tensor<?x?x2x16xf32>, %k: tensor<?x?x1x16xf32>)
    -> tensor<?x?x2x3xi32> {
  %0 = weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw) pool(max)
      : tensor<?x?x2x16xf32>, tensor<?x?x1x16xf32> -> tensor<?x?x2x3xi32>
  return %0 : tensor<?x?x2x3xi32>
}
