// RUN: %weir_opt %s | %weir_opt | FileCheck %s
// RUN: %weir_opt %s --weir-lower-to-reference | FileCheck %s --check-prefix=REF

// CHECK-LABEL: func.func @f
// CHECK: tiny.double %{{.*}} : tensor<?x4xf32>
// REF-LABEL: func.func @f
// REF: linalg.add
// REF-NOT: tiny.double
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = tiny.double %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
