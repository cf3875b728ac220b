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
