// RUN: weir-opt %s -split-input-file -verify-diagnostics

// param_c1_dynamic_shape
// expected-error @below {{has type 'tensor<?xf32>', expected a static shape}}
weir.param @p : tensor<?xf32> = #weir.checkpoint<"p">

// -----

// param_c2_no_source
// expected-error @below {{has no source of numbers: found "p", expected #weir.checkpoint, another parameter or constants}}
weir.param @p : tensor<4xf32> = "p"

// -----

// param_c2_constant_type
// expected-error @below {{has constants of type 'tensor<3xf32>' when its type is 'tensor<4xf32>'}}
weir.param @p : tensor<4xf32> = dense<1.0> : tensor<3xf32>

// -----

// param_c2_concat_parts
// expected-error @below {{joins ["a"], expected parameters}}
weir.param @p : tensor<4xf32> = #weir.concat<["a"], axis = 0>

// -----

// param_c3_layer_count
// expected-error @below {{stacks 2 tensors when its type is 'tensor<3x4xf32>'}}
weir.param @p : tensor<3x4xf32> = #weir.checkpoint<"p.*", [0, 1]>

// -----

// param_c3_key_without_star
// expected-error @below {{stacks layers of "p", expected a '*' in the key}}
weir.param @p : tensor<2x4xf32> = #weir.checkpoint<"p", [0, 1]>

// -----

// param_c3_experts
// expected-error @below {{stacks 3 experts of "p.*.*" when its type is 'tensor<2x4x5xf32>', expected layers, a '*' for each of both in the key and the experts on axis 1}}
weir.param @p : tensor<2x4x5xf32> = #weir.checkpoint<"p.*.*", [0, 1], experts = 3>

// -----

// param_c3_experts_key
// expected-error @below {{stacks 3 experts of "p.*"}}
weir.param @p : tensor<2x3x5xf32> = #weir.checkpoint<"p.*", [0, 1], experts = 3>

// -----

// param_c4_no_source
// expected-error @below {{is made of @q, which is no weir.param}}
weir.param @p : tensor<4xf32> = #weir.reshape<@q>

// -----

// param_c4_cycle
// expected-error @below {{is made of itself}}
weir.param @p : tensor<4xf32> = #weir.reshape<@q>
weir.param @q : tensor<4xf32> = #weir.reshape<@p>

// -----

// expected-note @below {{source of type 'tensor<2x4xf32>' declared here}}
weir.param @a : tensor<2x4xf32> = #weir.checkpoint<"a">

// param_c4_transposed_shape
// expected-error @below {{has type 'tensor<2x4xf32>' when #weir.transpose<@a, [1, 0]> makes [4, 2]}}
weir.param @p : tensor<2x4xf32> = #weir.transpose<@a, [1, 0]>

// -----

// expected-note @below {{source of type 'tensor<2x4xf32>' declared here}}
weir.param @a : tensor<2x4xf32> = #weir.checkpoint<"a">

// param_c4_permutation
// expected-error @below {{but #weir.transpose<@a, [1, 1]> does not fit its sources}}
weir.param @p : tensor<4x4xf32> = #weir.transpose<@a, [1, 1]>

// -----

// expected-note @below {{source of type 'tensor<2x4xf32>' declared here}}
weir.param @a : tensor<2x4xf32> = #weir.checkpoint<"a">

// param_c4_slice_bounds
// expected-error @below {{does not fit its sources}}
weir.param @p : tensor<2x2xf32> = #weir.slice<@a, axis = 1, offset = 3, size = 2>

// -----

// expected-note @below {{source of type 'tensor<2x4xf32>' declared here}}
weir.param @a : tensor<2x4xf32> = #weir.checkpoint<"a">
// expected-note @below {{source of type 'tensor<3x5xf32>' declared here}}
weir.param @b : tensor<3x5xf32> = #weir.checkpoint<"b">

// param_c4_concat_extents
// expected-error @below {{does not fit its sources}}
weir.param @p : tensor<5x4xf32> = #weir.concat<[@a, @b], axis = 0>

// -----

// expected-note @below {{source of type 'tensor<2x4xf32>' declared here}}
weir.param @a : tensor<2x4xf32> = #weir.checkpoint<"a">

// param_c4_reshape_elements
// expected-error @below {{does not fit its sources}}
weir.param @p : tensor<7xf32> = #weir.reshape<@a>

// -----

weir.slot @s carry : tensor<?x4xf32>

func.func @weight_c1_no_param() {
  // expected-error @below {{reads @s, which is no weir.param}}
  weir.weight @s : tensor<4xf32>
  return
}

// -----

// expected-note @below {{parameter declared here}}
weir.param @p : tensor<2x4xf32> = #weir.checkpoint<"p">

func.func @weight_c2_whole() {
  // expected-error @below {{has type 'tensor<4xf32>', expected 'tensor<2x4xf32>'}}
  weir.weight @p : tensor<4xf32>
  return
}

// -----

// expected-note @below {{parameter declared here}}
weir.param @p : tensor<2x4xf32> = #weir.checkpoint<"p">

func.func @weight_c2_layer(%layer: index) {
  // expected-error @below {{has type 'tensor<2x4xf32>', expected 'tensor<4xf32>'}}
  weir.weight @p[%layer] : tensor<2x4xf32>
  return
}

// -----

weir.param @p : tensor<f32> = #weir.checkpoint<"p">

func.func @weight_c2_scalar(%layer: index) {
  // expected-error @below {{takes a layer of @p, which has no axis}}
  weir.weight @p[%layer] : tensor<f32>
  return
}
