// RUN: weir-opt %s --weir-inline-scopes | FileCheck %s

// CHECK-LABEL: func.func @scope_without_stack_memory
// CHECK-NOT: memref.alloca_scope
// CHECK: scf.for
func.func @scope_without_stack_memory(%x: memref<4xf32>, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  memref.alloca_scope {
    scf.for %i = %c0 to %c4 step %c1 {
      memref.store %v, %x[%i] : memref<4xf32>
    }
  }
  return
}

// CHECK-LABEL: func.func @scope_with_stack_memory
// CHECK: memref.alloca_scope
func.func @scope_with_stack_memory(%x: memref<4xf32>) {
  memref.alloca_scope {
    %a = memref.alloca() : memref<4xf32>
    memref.copy %x, %a : memref<4xf32> to memref<4xf32>
  }
  return
}
