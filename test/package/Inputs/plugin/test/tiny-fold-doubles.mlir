// RUN: %weir_opt %s \
// RUN:   --pass-pipeline='builtin.module(tiny-fold-doubles,canonicalize)' \
// RUN:   | FileCheck %s

// CHECK-LABEL: func.func @without_eps(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>
// CHECK-NEXT: weir.rms_norm %[[X]]
func.func @without_eps(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = tiny.double %x : tensor<?x4xf32>
  %1 = weir.rms_norm %0 eps(0.0) : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @with_eps(
// CHECK: %[[Y:.*]] = tiny.double
// CHECK-NEXT: weir.rms_norm %[[Y]]
func.func @with_eps(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = tiny.double %x : tensor<?x4xf32>
  %1 = weir.rms_norm %0 eps(1.0e-5) : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
