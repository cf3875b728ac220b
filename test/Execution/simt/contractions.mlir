// Contractions of mixers in tiles of registers, and of matrices where factors
// may be rounded; experts by blocks of a grid. Extents are odd, some experts get
// no token and some tokens no expert. Results are compared with NumPy's.

// REQUIRES: numpy, safetensors
// RUN: weirc %s --target=simt --quiet -o %t.f32
// RUN: weirc %s --target=simt --compute=tf32 --quiet -o %t.tf32
// RUN: weirc %s --target=simt --compute=bf16 --quiet -o %t.bf16
// RUN: %python %S/Inputs/check_contractions.py %t.f32 %t.tf32 %t.bf16 \
// RUN:   | FileCheck %s
// CHECK: 0 failures

func.func @attention(%q: tensor<?x?x4x20xf32> {weir.name = "q"},
                     %k: tensor<?x?x2x20xf32> {weir.name = "k"},
                     %v: tensor<?x?x2x12xf32> {weir.name = "v"})
    -> (tensor<?x?x4x12xf32> {weir.name = "y"}) {
  %y = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      : tensor<?x?x4x20xf32>, tensor<?x?x2x20xf32>, tensor<?x?x2x12xf32>
      -> tensor<?x?x4x12xf32>
  return %y : tensor<?x?x4x12xf32>
}

func.func @experts(%x: tensor<?x?x24xf32> {weir.name = "x"},
                   %i: tensor<?x?x2xi32> {weir.name = "i"},
                   %s: tensor<?x?x2xf32> {weir.name = "s"},
                   %w: tensor<5x2x24x64xf32> {weir.name = "w"})
    -> (tensor<?x?x70xf32> {weir.name = "y"}) {
  %y = weir.experts %x, %i, %s params(%w : tensor<5x2x24x64xf32>)
      : tensor<?x?x24xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>
      -> tensor<?x?x70xf32> {
  ^bb0(%rows: tensor<?x24xf32>, %own: tensor<2x24x64xf32>):
    %z = weir.packed_linear %rows, %own bits(32) group(8)
        : tensor<?x24xf32>, tensor<2x24x64xf32> -> tensor<?x70xf32>
    weir.yield %z : tensor<?x70xf32>
  }
  return %y : tensor<?x?x70xf32>
}

// For weights of both types, so that either may be asked for.
func.func @pairs(%x: tensor<?x16xbf16> {weir.name = "x"},
                 %w: tensor<1x8x64x2xbf16> {weir.name = "w"})
    -> (tensor<?x50xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(16) group(2)
      : tensor<?x16xbf16>, tensor<1x8x64x2xbf16> -> tensor<?x50xf32>
  return %y : tensor<?x50xf32>
}
