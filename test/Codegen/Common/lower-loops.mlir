// RUN: weir-opt %s --weir-lower-loops --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @counted
// CHECK-SAME: (%[[LB:[^:]+]]: index, %[[UB:[^:]+]]: index, %[[STEP:[^:]+]]: index, %[[INIT:[^:]+]]: f32)
// CHECK: %[[ANY:.+]] = arith.cmpi slt, %[[LB]], %[[UB]]
// CHECK: cf.cond_br %[[ANY]], ^[[ENTRY:bb[0-9]+]], ^[[END:bb[0-9]+]](%[[INIT]] : f32)
// CHECK: ^[[ENTRY]]:
// CHECK: cf.br ^[[BODY:bb[0-9]+]](%[[LB]], %[[INIT]] : index, f32)
// CHECK: ^[[BODY]](%[[I:.+]]: index, %[[X:.+]]: f32):
// CHECK: %[[Y:.+]] = arith.addf %[[X]], %[[X]]
// CHECK: %[[NEXT:.+]] = arith.addi %[[I]], %[[STEP]]
// CHECK: %[[MORE:.+]] = arith.cmpi slt, %[[NEXT]], %[[UB]]
// CHECK: cf.cond_br %[[MORE]], ^[[BODY]](%[[NEXT]], %[[Y]] : index, f32), ^[[EXIT:bb[0-9]+]](%[[Y]] : f32)
// CHECK: ^[[EXIT]](%[[LAST:.+]]: f32):
// CHECK: cf.br ^[[END]](%[[LAST]] : f32)
// CHECK: ^[[END]](%[[RESULT:.+]]: f32):
// CHECK: return %[[RESULT]]
func.func @counted(%lb: index, %ub: index, %step: index, %init: f32) -> f32 {
  %0 = scf.for %i = %lb to %ub step %step iter_args(%x = %init) -> f32 {
    %y = arith.addf %x, %x : f32
    scf.yield %y : f32
  }
  return %0 : f32
}

// -----

// Loops within choices within loops.
// CHECK-LABEL: func.func @nested
// CHECK-NOT: scf
// CHECK-COUNT-2: arith.cmpi ult
// CHECK-NOT: scf
func.func @nested(%n: i32, %choice: i1, %m: memref<?xi32>) {
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  scf.for unsigned %i = %c0 to %n step %c1 : i32 {
    scf.if %choice {
      scf.for %j = %c0 to %i step %c1 : i32 {
        %k = arith.index_cast %j : i32 to index
        memref.store %i, %m[%k] : memref<?xi32>
      }
    }
  }
  return
}

// -----

// What LLVM is to do with a loop stands where the loop is closed.
// CHECK: #[[UNROLL:.+]] = #llvm.loop_unroll<count = 4 : i32>
// CHECK: #[[ANNOTATION:.+]] = #llvm.loop_annotation<unroll = #[[UNROLL]]>
// CHECK-LABEL: func.func @annotated
// CHECK: cf.cond_br %{{.+}}, ^{{.+}}, ^{{.+}} {llvm.loop_annotation = #[[ANNOTATION]]}
// CHECK-NOT: my.note
func.func @annotated(%lb: index, %ub: index, %step: index) {
  scf.for %i = %lb to %ub step %step {
    func.call @use(%i) : (index) -> ()
  } {llvm.loop_annotation = #llvm.loop_annotation<unroll = <count = 4 : i32>>, my.note}
  return
}
func.func private @use(index)
