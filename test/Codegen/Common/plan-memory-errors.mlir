// RUN: weir-opt %s --weir-plan-memory -split-input-file -verify-diagnostics

func.func @extent_from_data(%x: memref<4xindex>) {
  %c0 = arith.constant 0 : index
  // expected-note @below {{through this operation}}
  %n = memref.load %x[%c0] : memref<4xindex>
  // expected-error @below {{has an extent that depends on data or on a loop; expected one that follows from the extents of the function's arguments}}
  %a = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

func.func @extent_from_loop_counter(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // expected-error @below {{has an extent that depends on a loop counter}}
    %a = memref.alloc(%i) : memref<?xf32>
  }
  return
}

// -----

func.func @extent_computed_from_loop_counter(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // expected-note @below {{through this operation}}
    %m = arith.addi %i, %c1 : index
    // expected-error @below {{has an extent that depends on data or on a loop}}
    %a = memref.alloc(%m) : memref<?xf32>
  }
  return
}

// -----

func.func @buffer_outlives_an_iteration(%x: memref<4xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> memref<4xf32> {
    // expected-error @below {{outlives an iteration of the loop it is made in; run weir-carry-in-place before bufferisation}}
    %b = memref.alloc() : memref<4xf32>
    memref.copy %a, %b : memref<4xf32> to memref<4xf32>
    scf.yield %b : memref<4xf32>
  }
  return
}
