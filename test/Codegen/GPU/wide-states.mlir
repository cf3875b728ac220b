// States of 128 key by 128 value features, with what chunks have beside them, fit
// into what a block of sm_80 shares: their value features are cut.

// RUN: weirc %s --target=cuda --gpu-arch=sm_80 --compute=bf16 --emit=ptx --quiet \
// RUN:   -o - | FileCheck %s
// CHECK-DAG: .entry delta_kernel
// CHECK-DAG: .entry by_feature_kernel

func.func @delta(%q: tensor<4x512x16x128xbf16>, %g: tensor<4x512x16xf32>,
                 %b: tensor<4x512x16xbf16>) -> tensor<4x512x16x128xbf16> {
  %o, %s = weir.recurrence %q, %q, %q decay(%g : tensor<4x512x16xf32>)
      delta(%b : tensor<4x512x16xbf16>)
      : tensor<4x512x16x128xbf16>, tensor<4x512x16x128xbf16>,
        tensor<4x512x16x128xbf16>
      -> tensor<4x512x16x128xbf16>, tensor<4x16x128x128xf32>
  return %o : tensor<4x512x16x128xbf16>
}

func.func @by_feature(%q: tensor<4x512x16x128xbf16>,
                      %g: tensor<4x512x16x128xf32>)
    -> tensor<4x512x16x128xbf16> {
  %o, %s = weir.recurrence %q, %q, %q decay(%g : tensor<4x512x16x128xf32>)
      : tensor<4x512x16x128xbf16>, tensor<4x512x16x128xbf16>,
        tensor<4x512x16x128xbf16>
      -> tensor<4x512x16x128xbf16>, tensor<4x16x128x128xf32>
  return %o : tensor<4x512x16x128xbf16>
}
