// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @rms_norm_c1_result_type(%x: tensor<?x8xf32>) {
  // expected-error @below {{failed to verify that all of {input, result} have same type}}
  "weir.rms_norm"(%x) {eps = 0.0 : f64} : (tensor<?x8xf32>) -> tensor<?x8xf64>
  return
}

// -----

func.func @rms_norm_c2_weight_extent(%x: tensor<?x8xf32>, %w: tensor<7xf32>) {
  // expected-error @below {{has a weight or bias of type 'tensor<7xf32>' for 8 features}}
  weir.rms_norm %x weight(%w : tensor<7xf32>) eps(0.0) : tensor<?x8xf32>
  return
}

// -----

func.func @rms_norm_c2_dynamic_features(%x: tensor<?x?xf32>) {
  // expected-error @below {{normalises 'tensor<?x?xf32>', expected a static last axis}}
  weir.rms_norm %x eps(0.0) : tensor<?x?xf32>
  return
}

// -----

func.func @rms_norm_c3_negative_eps(%x: tensor<?x8xf32>) {
  // expected-error @below {{has eps -1.000000e+00, expected at least 0}}
  weir.rms_norm %x eps(-1.0) : tensor<?x8xf32>
  return
}

// -----

func.func @layer_norm_c1_result_type(%x: tensor<?x8xf32>) {
  // expected-error @below {{failed to verify that all of {input, result} have same type}}
  "weir.layer_norm"(%x) {eps = 0.0 : f64,
      operandSegmentSizes = array<i32: 1, 0, 0>}
      : (tensor<?x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @layer_norm_c2_bias_rank(%x: tensor<?x8xf32>, %b: tensor<1x8xf32>) {
  // expected-error @below {{has a weight or bias of type 'tensor<1x8xf32>' for 8 features}}
  weir.layer_norm %x bias(%b : tensor<1x8xf32>) eps(0.0) : tensor<?x8xf32>
  return
}

// -----

func.func @layer_norm_c3_nan_eps(%x: tensor<?x8xf32>) {
  // expected-error @below {{expected at least 0}}
  weir.layer_norm %x eps(0x7FF8000000000000) : tensor<?x8xf32>
  return
}
