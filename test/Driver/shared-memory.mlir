// Tiles may take as much shared memory as the smallest GPU named gives a block,
// in one piece that launches ask for.

// RUN: weirc %s --target=cuda --gpu-arch=sm_90a --emit=ptx --quiet -o - \
// RUN:   | FileCheck %s
// RUN: not weirc %s --target=cuda --gpu-arch=sm_86,sm_90a --quiet -o %t 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SMALL

// CHECK: .target sm_90a
// CHECK: .extern .shared .align 16 .b8 weir_shared[];
// CHECK-NOT: .shared .align

// SMALL: error: 'scf.forall' op has buffers of {{[0-9]+}} bytes that its block would share, expected at most 101376; give smaller tiles by schedule(<...>)

func.func @main(%q: tensor<?x?x2x128xf32>) -> tensor<?x?x2x128xf32> {
  %o = weir.attention %q, %q, %q mask(<causal>) scale(0.1)
      schedule(<form = "flash", tiles = [128, 64], parallel = true>)
      : tensor<?x?x2x128xf32>, tensor<?x?x2x128xf32>, tensor<?x?x2x128xf32>
      -> tensor<?x?x2x128xf32>
  return %o : tensor<?x?x2x128xf32>
}
