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

// In a step of a scan the update of the state and what is read of it become
// one operation.
// CHECK-LABEL: func.func @step
// CHECK: weir.scan
// CHECK: ^bb0(%{{.*}}: tensor<16xf32>, %[[H:.*]]: tensor<16x4xf32>):
// CHECK: %[[BOTH:.*]]:2 = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK-NOT: linalg.generic
// CHECK: weir.yield %[[BOTH]]#1, %[[BOTH]]#0
func.func @step(%x: tensor<1x8x16xf32>, %start: tensor<16x4xf32>)
    -> (tensor<1x8x16xf32>, tensor<1x16x4xf32>) {
  %ys, %last = weir.scan (%x) states(%start)
      : (tensor<1x8x16xf32>), (tensor<16x4xf32>)
      -> (tensor<1x8x16xf32>), (tensor<1x16x4xf32>) {
  ^bb0(%v: tensor<16xf32>, %h: tensor<16x4xf32>):
    %e = tensor.empty() : tensor<16x4xf32>
    %zero = arith.constant dense<0.0> : tensor<16xf32>
    %next = linalg.generic {indexing_maps = [#d, #dn, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%v, %h : tensor<16xf32>, tensor<16x4xf32>)
        outs(%e : tensor<16x4xf32>) {
    ^bb1(%a: f32, %s: f32, %o: f32):
      %0 = arith.addf %a, %s : f32
      linalg.yield %0 : f32
    } -> tensor<16x4xf32>
    %y = linalg.generic {indexing_maps = [#dn, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%next : tensor<16x4xf32>) outs(%zero : tensor<16xf32>) {
    ^bb1(%s: f32, %o: f32):
      %0 = arith.addf %o, %s : f32
      linalg.yield %0 : f32
    } -> tensor<16xf32>
    weir.yield %y, %next : tensor<16xf32>, tensor<16x4xf32>
  }
  return %ys, %last : tensor<1x8x16xf32>, tensor<1x16x4xf32>
}
