// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK: weir.scan(%{{.*}}) states(%{{.*}}) : (tensor<?x?x4xf32>), (tensor<4xf32>) -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
// CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<4xf32>, %[[S:.*]]: tensor<4xf32>):
// CHECK-NEXT: arith.addf %[[X]], %[[S]]
// CHECK: weir.yield
func.func @plain(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>)
    -> tensor<?x?x4xf32> {
  %y, %last = weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    %sum = arith.addf %a, %h : tensor<4xf32>
    weir.yield %sum, %sum : tensor<4xf32>, tensor<4xf32>
  }
  return %y : tensor<?x?x4xf32>
}

// A state of one number, one each row begins with, each in
// another form; batch and time are static where passes have made them so.
// CHECK-LABEL: func.func @all_parts
// CHECK: weir.scan
// CHECK-SAME: states(%{{.*}}, %{{.*}}) params(%{{.*}}, %{{.*}} : tensor<4xf32>, f32)
// CHECK-SAME: lengths(%{{.*}} : tensor<?xi32>) reverse
// CHECK-SAME: schedule(<form = "scan", tiles = [2]>)
// CHECK-SAME: (tensor<2x?x4xf32>, tensor<?x1x8xi32>), (tensor<?xf32>, tensor<2x4xf32>)
// CHECK-SAME: -> (tensor<2x1x8xi32>), (tensor<2xf32>, tensor<?x4xf32>)
func.func @all_parts(%x: tensor<2x?x4xf32>, %i: tensor<?x1x8xi32>,
    %s: tensor<?xf32>, %h: tensor<2x4xf32>, %p: tensor<4xf32>, %c: f32,
    %n: tensor<?xi32>) -> tensor<2xf32> {
  %o, %r, %last = weir.scan (%x, %i) states(%s, %h)
      params(%p, %c : tensor<4xf32>, f32) lengths(%n : tensor<?xi32>) reverse
      schedule(<form = "scan", tiles = [2]>)
      : (tensor<2x?x4xf32>, tensor<?x1x8xi32>), (tensor<?xf32>, tensor<2x4xf32>)
      -> (tensor<2x1x8xi32>), (tensor<2xf32>, tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %k: tensor<8xi32>, %b: tensor<f32>, %d: tensor<4xf32>,
       %q: tensor<4xf32>, %e: f32):
    weir.yield %k, %b, %q : tensor<8xi32>, tensor<f32>, tensor<4xf32>
  }
  return %r : tensor<2xf32>
}
