// RUN: weir-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @rms_norm_unit_weight
// CHECK: weir.rms_norm %{{[^ ]+}} eps(
// CHECK: weir.rms_norm %{{[^ ]+}} eps({{[^)]*}}) : tensor
func.func @rms_norm_unit_weight(%x: tensor<?x2xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %one = arith.constant dense<1.0> : tensor<2xf32>
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %0 = weir.rms_norm %x weight(%one : tensor<2xf32>) eps(1.0e-5)
      : tensor<?x2xf32>
  %1 = weir.rms_norm %x weight(%zero : tensor<2xf32>) eps(1.0e-5) offset(1.0)
      : tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// CHECK-LABEL: func.func @rms_norm_other_weight
// CHECK: weight({{.*}} offset(1.0
// CHECK: weight(
func.func @rms_norm_other_weight(%x: tensor<?x2xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %one = arith.constant dense<1.0> : tensor<2xf32>
  %mixed = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = weir.rms_norm %x weight(%one : tensor<2xf32>) eps(1.0e-5) offset(1.0)
      : tensor<?x2xf32>
  %1 = weir.rms_norm %x weight(%mixed : tensor<2xf32>) eps(1.0e-5)
      : tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// CHECK-LABEL: func.func @rms_norm_idle_offset
// CHECK-NOT: offset
// CHECK: return
func.func @rms_norm_idle_offset(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = weir.rms_norm %x eps(1.0e-5) offset(1.0) : tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// A bias of zero turns minus zero into zero and stays.
// CHECK-LABEL: func.func @layer_norm
// CHECK: weir.layer_norm %{{[^ ]+}} bias(
func.func @layer_norm(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %one = arith.constant dense<1.0> : tensor<2xf32>
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %0 = weir.layer_norm %x weight(%one : tensor<2xf32>)
      bias(%zero : tensor<2xf32>) eps(1.0e-5) : tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}
