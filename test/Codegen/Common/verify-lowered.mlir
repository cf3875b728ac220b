// RUN: weir-opt %s --weir-verify-lowered -split-input-file -verify-diagnostics

weir.param @w : tensor<4xf32> = #weir.checkpoint<"w"> {offset = 0 : i64}

llvm.func @machine(%x: f32) -> f32 {
  %y = llvm.fadd %x, %x : f32
  llvm.return %y : f32
}

// -----

llvm.func @complex_number(%x: f32) {
  // expected-error @below {{'complex.create' op may not remain behind the stage lowered, expected the LLVM dialect; the pipeline of this stage has no conversion for it}}
  %z = complex.create %x, %x : complex<f32>
  llvm.return
}

// -----

// expected-error @below {{'weir.slot' op may not remain behind the stage lowered}}
weir.slot @history history : tensor<?x?x4xf32>
