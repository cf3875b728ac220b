// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @rms_norm
// CHECK: weir.rms_norm %{{.*}} weight(%{{.*}} : tensor<8xf32>) eps(1.000000e-05) : tensor<?x?x8xf32>
// CHECK: weir.rms_norm %{{.*}} eps(0.0{{.*}}) offset(1.0{{.*}}) : tensor<?x?x8xf32>
func.func @rms_norm(%x: tensor<?x?x8xf32>, %w: tensor<8xf32>)
    -> tensor<?x?x8xf32> {
  %0 = weir.rms_norm %x weight(%w : tensor<8xf32>) eps(1.0e-5)
      : tensor<?x?x8xf32>
  %1 = weir.rms_norm %0 eps(0.0) offset(1.0) : tensor<?x?x8xf32>
  return %1 : tensor<?x?x8xf32>
}

// CHECK-LABEL: func.func @layer_norm
// CHECK: weir.layer_norm %{{.*}} weight(%{{.*}} : tensor<8xf16>) bias(%{{.*}} : tensor<8xf16>) eps(
// CHECK: weir.layer_norm %{{.*}} bias(%{{.*}} : tensor<8xf16>) eps(
// CHECK: weir.layer_norm %{{.*}} eps(
func.func @layer_norm(%x: tensor<3x8xf16>, %w: tensor<8xf16>, %b: tensor<8xf16>)
    -> tensor<3x8xf16> {
  %0 = weir.layer_norm %x weight(%w : tensor<8xf16>) bias(%b : tensor<8xf16>)
      eps(1.0e-5) : tensor<3x8xf16>
  %1 = weir.layer_norm %0 bias(%b : tensor<8xf16>) eps(1.0e-5) : tensor<3x8xf16>
  %2 = weir.layer_norm %1 eps(1.0e-5) : tensor<3x8xf16>
  return %2 : tensor<3x8xf16>
}
