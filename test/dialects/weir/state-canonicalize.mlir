// RUN: weir-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @append_nothing
// CHECK-SAME: %[[S:[^:]+]]: tensor<2x?x4xf32>
// CHECK: %[[A:.*]] = weir.append
// CHECK: return %[[S]], %[[S]], %[[A]]
func.func @append_nothing(%s: tensor<2x?x4xf32>, %none: tensor<2x0x4xf32>,
                          %b: tensor<2x?x4xf32>, %o: tensor<2xi32>)
    -> (tensor<2x?x4xf32>, tensor<2x?x4xf32>, tensor<2x?x4xf32>) {
  %zero = arith.constant dense<0> : tensor<2xi32>
  %some = arith.constant dense<[0, 1]> : tensor<2xi32>
  %0 = weir.append %none into %s at %o
      : tensor<2x0x4xf32>, tensor<2x?x4xf32>, tensor<2xi32>
  %1 = weir.append %b into %s at %o lengths(%zero : tensor<2xi32>)
      : tensor<2x?x4xf32>, tensor<2x?x4xf32>, tensor<2xi32>
  %2 = weir.append %b into %s at %o lengths(%some : tensor<2xi32>)
      : tensor<2x?x4xf32>, tensor<2x?x4xf32>, tensor<2xi32>
  return %0, %1, %2
      : tensor<2x?x4xf32>, tensor<2x?x4xf32>, tensor<2x?x4xf32>
}

// CHECK-LABEL: func.func @select_last_of_one
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x1x4xf32>
// CHECK: %[[Y:.*]] = weir.select_last
// CHECK: return %[[X]], %[[Y]]
func.func @select_last_of_one(%x: tensor<?x1x4xf32>, %y: tensor<?x2x4xf32>,
                              %n: tensor<?xi32>)
    -> (tensor<?x1x4xf32>, tensor<?x1x4xf32>) {
  %0 = weir.select_last %x, %n
      : tensor<?x1x4xf32>, tensor<?xi32> -> tensor<?x1x4xf32>
  %1 = weir.select_last %y, %n
      : tensor<?x2x4xf32>, tensor<?xi32> -> tensor<?x1x4xf32>
  return %0, %1 : tensor<?x1x4xf32>, tensor<?x1x4xf32>
}
