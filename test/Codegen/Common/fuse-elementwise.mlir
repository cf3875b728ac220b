// RUN: weir-opt %s --weir-fuse-elementwise | FileCheck %s

#d = affine_map<(d, n) -> (d)>
#dn = affine_map<(d, n) -> (d, n)>
#one = affine_map<(d) -> (d)>

// CHECK-LABEL: func.func @chain
// CHECK: linalg.generic
// CHECK: math.exp
// CHECK-NEXT: arith.negf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @chain(%x: tensor<64xf32>) -> tensor<64xf32> {
  %e = tensor.empty() : tensor<64xf32>
  %a = linalg.generic {indexing_maps = [#one, #one],
      iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = math.exp %i : f32
    linalg.yield %v : f32
  } -> tensor<64xf32>
  %b = linalg.generic {indexing_maps = [#one, #one],
      iterator_types = ["parallel"]}
      ins(%a : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = arith.negf %i : f32
    linalg.yield %v : f32
  } -> tensor<64xf32>
  return %b : tensor<64xf32>
}

// A function of few numbers is not repeated on scalars.
// CHECK-LABEL: func.func @function_spread_over_a_short_axis
// CHECK: linalg.generic
// CHECK: math.exp
// CHECK: linalg.generic
// CHECK: return
func.func @function_spread_over_a_short_axis(%x: tensor<64xf32>)
    -> tensor<64x16xf32> {
  %e = tensor.empty() : tensor<64xf32>
  %a = linalg.generic {indexing_maps = [#one, #one],
      iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = math.exp %i : f32
    linalg.yield %v : f32
  } -> tensor<64xf32>
  %f = tensor.empty() : tensor<64x16xf32>
  %b = linalg.generic {indexing_maps = [#d, #dn],
      iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<64xf32>) outs(%f : tensor<64x16xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = arith.negf %i : f32
    linalg.yield %v : f32
  } -> tensor<64x16xf32>
  return %b : tensor<64x16xf32>
}

// Over a long one it is, and so is what an instruction does.
// CHECK-LABEL: func.func @cheap_or_spread_over_a_long_axis
// CHECK: linalg.generic
// CHECK: math.exp
// CHECK-NEXT: arith.negf
// CHECK: linalg.generic
// CHECK: math.sqrt
// CHECK-NEXT: arith.negf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @cheap_or_spread_over_a_long_axis(%x: tensor<64xf32>)
    -> (tensor<64x256xf32>, tensor<64x16xf32>) {
  %e = tensor.empty() : tensor<64xf32>
  %a = linalg.generic {indexing_maps = [#one, #one],
      iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = math.exp %i : f32
    linalg.yield %v : f32
  } -> tensor<64xf32>
  %f = tensor.empty() : tensor<64x256xf32>
  %b = linalg.generic {indexing_maps = [#d, #dn],
      iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<64xf32>) outs(%f : tensor<64x256xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = arith.negf %i : f32
    linalg.yield %v : f32
  } -> tensor<64x256xf32>
  %c = linalg.generic {indexing_maps = [#one, #one],
      iterator_types = ["parallel"]}
      ins(%x : tensor<64xf32>) outs(%e : tensor<64xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = math.sqrt %i : f32
    linalg.yield %v : f32
  } -> tensor<64xf32>
  %g = tensor.empty() : tensor<64x16xf32>
  %h = linalg.generic {indexing_maps = [#d, #dn],
      iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<64xf32>) outs(%g : tensor<64x16xf32>) {
  ^bb0(%i: f32, %o: f32):
    %v = arith.negf %i : f32
    linalg.yield %v : f32
  } -> tensor<64x16xf32>
  return %b, %h : tensor<64x256xf32>, tensor<64x16xf32>
}
