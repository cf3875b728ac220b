// RUN: weir-opt %s --weir-share-buffers=limit=1024 --split-input-file --verify-diagnostics

func.func @large(%n: index) {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{has buffers of 1280 bytes that its block would share, expected at most 1024}}
  scf.forall (%i) in (%n) {
    // expected-note @below {{1024 bytes for 'memref<256xf32>'}}
    %a = memref.alloc() : memref<256xf32>
    // expected-note @below {{256 bytes for 'memref<64xf32>'}}
    %b = memref.alloc() : memref<64xf32>
    linalg.fill ins(%zero : f32) outs(%a : memref<256xf32>)
    linalg.fill ins(%zero : f32) outs(%b : memref<64xf32>)
  }
  return
}

// -----

func.func @unbounded(%n: index, %lengths: memref<?xindex>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    %own = memref.load %lengths[%i] : memref<?xindex>
    // expected-error @below {{has an extent without a bound that is known inside of the loop alone, number 0 of the dynamic ones}}
    %a = memref.alloc(%own) : memref<?xf32>
    linalg.fill ins(%zero : f32) outs(%a : memref<?xf32>)
  }
  return
}
