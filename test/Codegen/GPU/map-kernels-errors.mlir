// RUN: weir-opt %s --weir-map-kernels --split-input-file --verify-diagnostics

func.func @host_reads(%n: memref<1xi32>, %x: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %0 = memref.load %n[%c0] : memref<1xi32>
  // expected-note @below {{through this}}
  %1 = arith.index_cast %0 : i32 to index
  %c1 = arith.constant 1 : index
  // expected-error @below {{depends on the contents of a buffer of the device, which the host does not see}}
  scf.for %i = %c0 to %1 step %c1 {
    scf.forall (%j) in (64) {
      memref.store %zero, %x[%j] : memref<64xf32>
    }
  }
  return
}

// -----

func.func @written_later(%s: memref<4xf32>, %x: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{reads an element that a kernel writes later on}}
  %0 = memref.load %s[%c0] : memref<4xf32>
  %zero = arith.constant 0.0 : f32
  // expected-note @below {{written here}}
  linalg.fill ins(%zero : f32) outs(%s : memref<4xf32>)
  linalg.fill ins(%0 : f32) outs(%x : memref<64xf32>)
  return
}

// -----

func.func private @foreign(memref<64xf32>)
func.func @calls(%x: memref<64xf32>) {
  // expected-error @below {{has no GPU form: it touches memory and is no parallel loop}}
  func.call @foreign(%x) : (memref<64xf32>) -> ()
  return
}
