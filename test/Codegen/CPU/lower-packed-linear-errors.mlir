// RUN: weir-opt %s --weir-lower-packed-linear -split-input-file \
// RUN:   -verify-diagnostics

func.func @dynamic_rows(%x: tensor<?x8xf32>, %w: tensor<1x8x32xf32>)
    -> tensor<?x32xf32> {
  // expected-error @below {{has an input of type 'tensor<?x8xf32>', expected static extents; run weir-block-time before weir-lower-packed-linear}}
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<?x8xf32>, tensor<1x8x32xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

func.func @panel_of_half_a_vector(%x: tensor<1x8xf32>, %w: tensor<1x8x24xf32>)
    -> tensor<1x24xf32> {
  // expected-error @below {{has panels of 24 columns, expected a multiple of the 16 lanes of a vector; run weir-pack-weights for the same target}}
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<1x8xf32>, tensor<1x8x24xf32> -> tensor<1x24xf32>
  return %y : tensor<1x24xf32>
}
