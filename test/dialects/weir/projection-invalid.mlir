// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @linear_c1_weight_rank(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @below {{has a weight of type 'tensor<8xf32>', expected a matrix [N, K]}}
  weir.linear %x, %w : tensor<?x8xf32>, tensor<8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c1_reduction_extent(%x: tensor<?x8xf32>, %w: tensor<5x7xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x8xf32>' when the weight reads 7 features}}
  weir.linear %x, %w : tensor<?x8xf32>, tensor<5x7xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @linear_c2_result_shape(%x: tensor<?x8xf32>, %w: tensor<5x8xf32>) {
  // expected-error @below {{has result type 'tensor<?x8xf32>', expected 'tensor<?x5xf32>'}}
  weir.linear %x, %w : tensor<?x8xf32>, tensor<5x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c3_bias_extent(%x: tensor<?x8xf32>, %w: tensor<5x8xf32>,
                                 %b: tensor<8xf32>) {
  // expected-error @below {{has a bias of type 'tensor<8xf32>' for 5 output features}}
  weir.linear %x, %w bias(%b : tensor<8xf32>)
      : tensor<?x8xf32>, tensor<5x8xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c1_float_rank(%x: tensor<?x8xf32>,
                                       %w: tensor<2x32xf32>) {
  // expected-error @below {{has values of type 'tensor<2x32xf32>', expected [panels, K, panel]}}
  weir.packed_linear %x, %w bits(32) group(0)
      : tensor<?x8xf32>, tensor<2x32xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c1_quant_bits(%x: tensor<?x8xf32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x1x4xf32>) {
  // expected-error @below {{has 5-bit values of type 'tensor<2x2x4x4xi8>', expected [panels, K/n, panel, 4] of i8}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xf32>) bits(5) group(8)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c1_reduction_extent(%x: tensor<?x7xf32>,
                                             %w: tensor<2x8x4xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x7xf32>' when the weight reads 8 features}}
  weir.packed_linear %x, %w bits(32) group(0)
      : tensor<?x7xf32>, tensor<2x8x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c2_no_scales(%x: tensor<?x8xf32>,
                                      %w: tensor<2x2x4x4xi8>) {
  // expected-error @below {{has quants but no scales}}
  weir.packed_linear %x, %w bits(8) group(8)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c2_scales_of_floats(%x: tensor<?x8xf32>,
    %w: tensor<2x8x4xf32>, %s: tensor<2x1x4xf32>) {
  // expected-error @below {{has scales but float values}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xf32>) bits(32) group(8)
      : tensor<?x8xf32>, tensor<2x8x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c2_scale_shape(%x: tensor<?x8xf32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x2x4xf32>) {
  // expected-error @below {{has scales or mins of type 'tensor<2x2x4xf32>', expected [panels, K/group, panel]}}
  weir.packed_linear %x, %w scales(%s : tensor<2x2x4xf32>) bits(8) group(8)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c2_group(%x: tensor<?x8xf32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x2x4xf32>) {
  // expected-error @below {{has groups of 0 quants, expected a positive count that divides the 8 features the weight reads}}
  weir.packed_linear %x, %w scales(%s : tensor<2x2x4xf32>) bits(8) group(0)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c3_too_many_features(%x: tensor<?x8xf32>,
                                              %w: tensor<2x8x4xf32>) {
  // expected-error @below {{has 9 output features in 2 panels of 4}}
  weir.packed_linear %x, %w bits(32) group(0)
      : tensor<?x8xf32>, tensor<2x8x4xf32> -> tensor<?x9xf32>
  return
}

// -----

func.func @packed_linear_c3_idle_panel(%x: tensor<?x8xf32>,
                                       %w: tensor<2x8x4xf32>) {
  // expected-error @below {{has 4 output features in 2 panels of 4}}
  weir.packed_linear %x, %w bits(32) group(0)
      : tensor<?x8xf32>, tensor<2x8x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @packed_linear_c4_bias_extent(%x: tensor<?x8xf32>,
    %w: tensor<2x8x4xf32>, %b: tensor<8xf32>) {
  // expected-error @below {{has a bias of type 'tensor<8xf32>' for 5 output features}}
  weir.packed_linear %x, %w bias(%b : tensor<8xf32>) bits(32) group(0)
      : tensor<?x8xf32>, tensor<2x8x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @embedding_c1_float_ids(%ids: tensor<?xf32>, %t: tensor<7x4xf32>) {
  // expected-error @below {{looks up by 'tensor<?xf32>', expected integers}}
  weir.embedding %ids, %t : tensor<?xf32>, tensor<7x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @embedding_c1_table_rank(%ids: tensor<?xi32>, %t: tensor<7xf32>) {
  // expected-error @below {{has a table of type 'tensor<7xf32>', expected [V, D]}}
  weir.embedding %ids, %t : tensor<?xi32>, tensor<7xf32> -> tensor<?x7xf32>
  return
}

// -----

func.func @embedding_c2_result_shape(%ids: tensor<?xi32>, %t: tensor<7x4xf32>) {
  // expected-error @below {{has result type 'tensor<?x7xf32>', expected 'tensor<?x4xf32>'}}
  weir.embedding %ids, %t : tensor<?xi32>, tensor<7x4xf32> -> tensor<?x7xf32>
  return
}

// -----

func.func @packed_linear_c1_dynamic_reduction(%x: tensor<?x8xf32>,
                                              %w: tensor<2x?x4xf32>) {
  // expected-error @below {{has values of type 'tensor<2x?x4xf32>', expected static extents behind the panels}}
  weir.packed_linear %x, %w bits(32) group(0)
      : tensor<?x8xf32>, tensor<2x?x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c5_outs_type(%x: tensor<?x8xf32>,
    %w: tensor<2x8x4xf32>, %o: tensor<?x6xf32>) {
  // expected-error @below {{has outs of type 'tensor<?x6xf32>', expected the result's 'tensor<?x5xf32>'}}
  weir.packed_linear %x, %w outs(%o : tensor<?x6xf32>) bits(32) group(0)
      : tensor<?x8xf32>, tensor<2x8x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c5_no_outs(%x: tensor<?x8xf32>,
                                    %w: tensor<?x8x4xf32>) {
  // expected-error @below {{has a dynamic last axis, expected outs that have it}}
  weir.packed_linear %x, %w bits(32) group(0)
      : tensor<?x8xf32>, tensor<?x8x4xf32> -> tensor<?x?xf32>
  return
}

// -----

func.func @packed_linear_c6_no_input_scales(%x: tensor<?x8xi8>,
    %w: tensor<2x1x4x4xi8>, %s: tensor<2x1x4xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x8xi8>' without input scales and sums, expected them for inputs of i8 alone}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xf32>) bits(4) group(8)
      : tensor<?x8xi8>, tensor<2x1x4x4xi8> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c6_float_values(%x: tensor<?x8xi8>,
    %w: tensor<2x8x4xf32>, %xs: tensor<?x1xf32>, %xt: tensor<?x1xi32>) {
  // expected-error @below {{has an input of i8 and float values, expected quants}}
  weir.packed_linear %x, %w input_scales(%xs : tensor<?x1xf32>)
      input_sums(%xt : tensor<?x1xi32>) bits(32) group(8)
      : tensor<?x8xi8>, tensor<2x8x4xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c6_scale_shape(%x: tensor<?x8xi8>,
    %w: tensor<2x1x4x4xi8>, %s: tensor<2x1x4xf32>, %xs: tensor<?x2xf32>,
    %xt: tensor<?x1xi32>) {
  // expected-error @below {{has input scales or sums of type 'tensor<?x2xf32>', expected 'tensor<?x1xf32>'}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xf32>)
      input_scales(%xs : tensor<?x2xf32>) input_sums(%xt : tensor<?x1xi32>)
      bits(4) group(8)
      : tensor<?x8xi8>, tensor<2x1x4x4xi8> -> tensor<?x5xf32>
  return
}

// -----

func.func @quantize_c1_partial_group(%x: tensor<?x12xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x12xf32>' in groups of 8, expected f32 with a last axis of whole groups}}
  weir.quantize %x group(8)
      : tensor<?x12xf32> -> tensor<?x12xi8>, tensor<?x1xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @quantize_c2_scale_shape(%x: tensor<?x16xf32>) {
  // expected-error @below {{has a result of type 'tensor<?x1xf32>', expected 'tensor<?x2xf32>'}}
  weir.quantize %x group(8)
      : tensor<?x16xf32> -> tensor<?x16xi8>, tensor<?x1xf32>, tensor<?x2xi32>
  return
}

// -----

func.func @packed_linear_c7_input_of_f32(%x: tensor<?x8xf32>,
                                         %w: tensor<2x4x4x2xbf16>) {
  // expected-error @below {{has an input of type 'tensor<?x8xf32>' and pairs of bf16, expected an input of bf16}}
  weir.packed_linear %x, %w bits(16) group(0)
      : tensor<?x8xf32>, tensor<2x4x4x2xbf16> -> tensor<?x5xf32>
  return
}

// -----

func.func @packed_linear_c2_integer_scales(%x: tensor<?x8xf32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x1x4xi16>) {
  // expected-error @below {{has scales of 'i16', expected floats or exponents of i8}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xi16>) bits(8) group(8)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x6xf32>
  return
}

// -----

func.func @packed_linear_c2_integer_mins(%x: tensor<?x8xf32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x1x4xf32>, %m: tensor<2x1x4xi8>) {
  // expected-error @below {{has mins of 'i8', expected floats}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xf32>)
      mins(%m : tensor<2x1x4xi8>) bits(8) group(8)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x6xf32>
  return
}

// -----

func.func @packed_linear_c8_e4m3_bits(%x: tensor<?x8xf32>,
    %w: tensor<2x1x4x4xi8>, %s: tensor<2x1x4xf32>) {
  // expected-error @below {{has the code e4m3 with 4 bits, expected quants of 8 bits}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xf32>)
      bits(4) group(8) code(e4m3)
      : tensor<?x8xf32>, tensor<2x1x4x4xi8> -> tensor<?x6xf32>
  return
}

// -----

func.func @packed_linear_c8_e4m3_exponents(%x: tensor<?x8xf32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x1x4xi8>) {
  // expected-error @below {{has the code e4m3 with 8 bits and exponents, expected quants}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xi8>)
      bits(8) group(8) code(e4m3)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x6xf32>
  return
}

// -----

func.func @packed_linear_c8_bits(%x: tensor<?x8xf32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x1x4xi8>) {
  // expected-error @below {{has the code e2m1 with 8 bits, expected quants of 4 bits without mins}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xi8>)
      bits(8) group(8) code(e2m1)
      : tensor<?x8xf32>, tensor<2x2x4x4xi8> -> tensor<?x6xf32>
  return
}

// -----

func.func @packed_linear_c8_mins(%x: tensor<?x8xf32>,
    %w: tensor<2x1x4x4xi8>, %s: tensor<2x1x4xi8>, %m: tensor<2x1x4xf32>) {
  // expected-error @below {{has the code e2m1 with 4 bits and mins, expected quants}}
  weir.packed_linear %x, %w scales(%s : tensor<2x1x4xi8>)
      mins(%m : tensor<2x1x4xf32>) bits(4) group(8) code(e2m1)
      : tensor<?x8xf32>, tensor<2x1x4x4xi8> -> tensor<?x6xf32>
  return
}
