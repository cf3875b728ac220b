// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @two_kinds
// CHECK: weir.stack(%{{.*}}, %{{.*}}) order [0, 1, 0] : tensor<?x4xf32>, tensor<?xi32> {
// CHECK-NEXT: ^bb0(%{{.*}}: index, %[[X:.*]]: tensor<?x4xf32>, %[[N:.*]]: tensor<?xi32>):
// CHECK-NEXT: weir.yield %[[X]], %[[N]] : tensor<?x4xf32>, tensor<?xi32>
// CHECK-NEXT: }, {
// CHECK: weir.rms_norm
func.func @two_kinds(%x: tensor<?x4xf32>, %n: tensor<?xi32>)
    -> tensor<?x4xf32> {
  %0:2 = weir.stack(%x, %n) order [0, 1, 0]
      : tensor<?x4xf32>, tensor<?xi32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>, %m: tensor<?xi32>):
    weir.yield %a, %m : tensor<?x4xf32>, tensor<?xi32>
  }, {
  ^bb0(%layer: index, %a: tensor<?x4xf32>, %m: tensor<?xi32>):
    %b = weir.rms_norm %a eps(1.0e-5) : tensor<?x4xf32>
    weir.yield %b, %m : tensor<?x4xf32>, tensor<?xi32>
  }
  return %0#0 : tensor<?x4xf32>
}
