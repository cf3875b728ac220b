// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK: weir.slot @position position : tensor<?xi32>
weir.slot @position position : tensor<?xi32>
// CHECK: weir.slot @keys history stacked lookback(16) : tensor<3x?x?x2x8xf32>
weir.slot @keys history stacked lookback(16) : tensor<3x?x?x2x8xf32>
// CHECK: weir.slot @carry carry : tensor<?x4xf32>
weir.slot @carry carry : tensor<?x4xf32>
// CHECK: weir.slot @cross memory stacked : tensor<3x?x?x2x8xf32>
weir.slot @cross memory stacked : tensor<3x?x?x2x8xf32>
// CHECK: weir.slot @rows memory : tensor<?xi32>
weir.slot @rows memory : tensor<?xi32>

// CHECK-LABEL: func.func @append
// CHECK: weir.append %{{.*}} into %{{.*}}[%{{.*}}] at %{{.*}} lengths(%{{.*}} : tensor<?xi32>) : tensor<?x?x2x8xf32>, tensor<3x?x?x2x8xf32>, tensor<?xi32>
// CHECK: weir.append %{{.*}} into %{{[^ ]*}} at %{{[^ ]*}} : tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>, tensor<?xi32>
func.func @append(%b: tensor<?x?x2x8xf32>, %s: tensor<3x?x?x2x8xf32>,
                  %t: tensor<?x?x2x8xf32>, %layer: index, %o: tensor<?xi32>,
                  %n: tensor<?xi32>)
    -> (tensor<3x?x?x2x8xf32>, tensor<?x?x2x8xf32>) {
  %0 = weir.append %b into %s[%layer] at %o lengths(%n : tensor<?xi32>)
      : tensor<?x?x2x8xf32>, tensor<3x?x?x2x8xf32>, tensor<?xi32>
  %1 = weir.append %b into %t at %o
      : tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>, tensor<?xi32>
  return %0, %1 : tensor<3x?x?x2x8xf32>, tensor<?x?x2x8xf32>
}

// CHECK-LABEL: func.func @select_last
// CHECK: weir.select_last %{{.*}}, %{{.*}} : tensor<?x?x8xf32>, tensor<?xi32> -> tensor<?x1x8xf32>
func.func @select_last(%x: tensor<?x?x8xf32>, %n: tensor<?xi32>)
    -> tensor<?x1x8xf32> {
  %0 = weir.select_last %x, %n
      : tensor<?x?x8xf32>, tensor<?xi32> -> tensor<?x1x8xf32>
  return %0 : tensor<?x1x8xf32>
}
