// RUN: weir-opt %s --weir-lower-packed-linear=vnni=false -split-input-file \
// RUN:   -verify-diagnostics

func.func @panel_of_half_a_vector(%x: tensor<1x8xf32>, %w: tensor<1x8x24xf32>)
    -> tensor<1x24xf32> {
  // expected-error @below {{has panels of 24 columns, expected a multiple of the 16 lanes of a vector; run weir-pack-weights for the same target}}
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<1x8xf32>, tensor<1x8x24xf32> -> tensor<1x24xf32>
  return %y : tensor<1x24xf32>
}

// -----

func.func @panel_of_too_many_vectors(
    %x: tensor<1x8xf32>, %w: tensor<1x8x256xf32>) -> tensor<1x256xf32> {
  // expected-error @below {{has panels of 256 columns, too many for 32 registers of 16 lanes; run weir-pack-weights for the same target}}
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<1x8xf32>, tensor<1x8x256xf32> -> tensor<1x256xf32>
  return %y : tensor<1x256xf32>
}

// -----

func.func @input_of_f64(%x: tensor<1x8xf64>, %w: tensor<1x8x32xf32>)
    -> tensor<1x32xf64> {
  // expected-error @below {{has inputs of 'f64', expected f32; keep activations in f32 or lower this op by weir-lower-to-reference}}
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<1x8xf64>, tensor<1x8x32xf32> -> tensor<1x32xf64>
  return %y : tensor<1x32xf64>
}

// -----

func.func @weights_of_f64(%x: tensor<1x8xf32>, %w: tensor<1x8x32xf64>)
    -> tensor<1x32xf32> {
  // expected-error @below {{has weights of 'f64', expected f32, f16, bf16 or quants}}
  %y = weir.packed_linear %x, %w bits(64) group(32)
      : tensor<1x8xf32>, tensor<1x8x32xf64> -> tensor<1x32xf32>
  return %y : tensor<1x32xf32>
}

// -----

func.func @scales_of_f64(%x: tensor<1x32xf32>, %w: tensor<1x4x32x4xi8>,
                         %s: tensor<1x1x32xf64>) -> tensor<1x32xf32> {
  // expected-error @below {{has scales or mins of 'f64', expected f32, f16 or exponents of i8}}
  %y = weir.packed_linear %x, %w scales(%s : tensor<1x1x32xf64>)
      bits(4) group(32)
      : tensor<1x32xf32>, tensor<1x4x32x4xi8> -> tensor<1x32xf32>
  return %y : tensor<1x32xf32>
}

// -----

func.func @group_of_half_a_vector(%x: tensor<1x16xf32>, %w: tensor<1x2x32x4xi8>,
                                  %s: tensor<1x2x32xf32>) -> tensor<1x32xf32> {
  // expected-error @below {{has groups of 8 in a reduction of 16, expected whole groups of a multiple of 16}}
  %y = weir.packed_linear %x, %w scales(%s : tensor<1x2x32xf32>)
      bits(4) group(8)
      : tensor<1x16xf32>, tensor<1x2x32x4xi8> -> tensor<1x32xf32>
  return %y : tensor<1x32xf32>
}

// -----

func.func @no_byte_products(
    %x: tensor<1x32xi8>, %xs: tensor<1x1xf32>, %xsum: tensor<1x1xi32>,
    %w: tensor<1x4x32x4xi8>, %s: tensor<1x1x32xf16>) -> tensor<1x32xf32> {
  // expected-error @below {{has inputs of i8 when the target has no VNNI; compile with --compute=f32}}
  %y = weir.packed_linear %x, %w scales(%s : tensor<1x1x32xf16>)
      input_scales(%xs : tensor<1x1xf32>) input_sums(%xsum : tensor<1x1xi32>)
      bits(4) group(32)
      : tensor<1x32xi8>, tensor<1x4x32x4xi8> -> tensor<1x32xf32>
  return %y : tensor<1x32xf32>
}
