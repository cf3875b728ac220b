// What a step makes of the states of a scan: whether it is affine in them, and
// what it computes the coefficients with.
//
// RUN: weir-opt %s -split-input-file \
// RUN:   --pass-pipeline='builtin.module(func.func(weir-select-schedule{threads=1}))' \
// RUN:   --remark-format=emitRemark --remarks-filter='weir.*' -o /dev/null 2>&1 \
// RUN:   | FileCheck %s

#v = affine_map<(d) -> (d)>
// One loop computes the factor, the addend and the state.
// CHECK: Remark="state 0 is affine, element by element; factors: math.exp; addends: arith.mulf"
func.func @gated(%i0: tensor<?x?x8xf32>, %i1: tensor<?x?x8xf32>, %s0: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l = weir.scan (%i0, %i1) states(%s0)
      : (tensor<?x?x8xf32>, tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %g: tensor<8xf32>, %h: tensor<8xf32>):
    %e = tensor.empty() : tensor<8xf32>
    %next = linalg.generic {indexing_maps = [#v, #v, #v, #v],
        iterator_types = ["parallel"]}
        ins(%x, %g, %h : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
        outs(%e : tensor<8xf32>) {
    ^bb1(%u: f32, %w: f32, %k: f32, %o: f32):
      %f = math.exp %w : f32
      %i = arith.mulf %u, %w : f32
      %p = arith.mulf %f, %k : f32
      %q = arith.addf %p, %i : f32
      linalg.yield %q : f32
    } -> tensor<8xf32>
    weir.yield %next, %next
        : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

// Operations on tensors; a difference, a quotient and a choice by an input. What
// the output is read by does not matter.
// CHECK: Remark="state 0 is affine, element by element; factors: arith.cmpf, input 1, arith.constant; addends: input 0"
func.func @tensors(%i0: tensor<?x?x8xf32>, %i1: tensor<?x?x8xf32>, %s0: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %rate = arith.constant dense<[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]>
      : tensor<8xf32>
  %y, %l = weir.scan (%i0, %i1) states(%s0)
      : (tensor<?x?x8xf32>, tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %g: tensor<8xf32>, %h: tensor<8xf32>):
    %c = arith.cmpf ogt, %x, %g : tensor<8xf32>
    %p = arith.mulf %h, %rate : tensor<8xf32>
    %d = arith.divf %p, %g : tensor<8xf32>
    %n = arith.negf %d : tensor<8xf32>
    %k = arith.select %c, %n, %h : tensor<8xi1>, tensor<8xf32>
    %next = arith.subf %x, %k : tensor<8xf32>
    %read = math.tanh %next : tensor<8xf32>
    weir.yield %read, %next
        : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

// A momentum: the second state reads the first one behind the step.
// CHECK: Remark="state 0 is affine, element by element; factors: input 1; addends: input 0"
// CHECK: Remark="state 1 is affine in states 0 and 1, element by element; factors: input 1; addends: input 0"
func.func @momentum(%i0: tensor<?x?x8xf32>, %i1: tensor<?x?x8xf32>, %s0: tensor<8xf32>, %s1: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l:2 = weir.scan (%i0, %i1) states(%s0, %s1)
      : (tensor<?x?x8xf32>, tensor<?x?x8xf32>), (tensor<8xf32>, tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>, tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %g: tensor<8xf32>, %m: tensor<8xf32>, %h: tensor<8xf32>):
    %p = arith.mulf %m, %g : tensor<8xf32>
    %m1 = arith.addf %p, %x : tensor<8xf32>
    %h1 = arith.addf %h, %m1 : tensor<8xf32>
    weir.yield %h1, %m1, %h1
        : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

#dn = affine_map<(d, n) -> (d, n)>
#d = affine_map<(d, n) -> (d)>
#n = affine_map<(d, n) -> (n)>
// Rows and columns spread over a matrix; a sum for the output beside the state,
// in one loop.
// CHECK: Remark="state 0 is affine, element by element; factors: math.exp; addends: arith.mulf"
func.func @outer(%i0: tensor<?x?x16xf32>, %i1: tensor<?x?x4xf32>, %s0: tensor<16x4xf32>) -> tensor<?x?x16xf32> {
  %y, %l = weir.scan (%i0, %i1) states(%s0)
      : (tensor<?x?x16xf32>, tensor<?x?x4xf32>), (tensor<16x4xf32>)
      -> (tensor<?x?x16xf32>), (tensor<?x16x4xf32>) {
  ^bb0(%x: tensor<16xf32>, %k: tensor<4xf32>, %h: tensor<16x4xf32>):
    %z = arith.constant dense<0.0> : tensor<16xf32>
    %e = tensor.empty() : tensor<16x4xf32>
    %next:2 = linalg.generic {indexing_maps = [#d, #n, #dn, #dn, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%x, %k, %h : tensor<16xf32>, tensor<4xf32>, tensor<16x4xf32>)
        outs(%e, %z : tensor<16x4xf32>, tensor<16xf32>) {
    ^bb1(%u: f32, %w: f32, %s: f32, %o: f32, %sum: f32):
      %f = math.exp %u : f32
      %i = arith.mulf %u, %w : f32
      %p = arith.mulf %s, %f : f32
      %q = arith.addf %i, %p : f32
      %r = arith.addf %sum, %q : f32
      linalg.yield %q, %r : f32, f32
    } -> (tensor<16x4xf32>, tensor<16xf32>)
    weir.yield %next#1, %next#0
        : tensor<16xf32>, tensor<16x4xf32>
  }
  return %y : tensor<?x?x16xf32>
}

// -----

// A matrix of weights couples all elements.
#ij = affine_map<(i, j) -> (i, j)>
#j = affine_map<(i, j) -> (j)>
#i = affine_map<(i, j) -> (i)>
// CHECK: Remark="state 0 is affine, elements coupled: linalg.generic adds up elements of the states; factors: param 0; addends: input 0"
func.func @matrix(%i0: tensor<?x?x8xf32>, %s0: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %z = arith.constant 0.5 : f32
  %w = tensor.splat %z : tensor<8x8xf32>
  %y, %l = weir.scan (%i0) states(%s0)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %h: tensor<8xf32>):
    %next = linalg.generic {indexing_maps = [#ij, #j, #i],
        iterator_types = ["parallel", "reduction"]}
        ins(%w, %h : tensor<8x8xf32>, tensor<8xf32>)
        outs(%x : tensor<8xf32>) {
    ^bb1(%u: f32, %s: f32, %o: f32):
      %p = arith.mulf %u, %s : f32
      %q = arith.addf %o, %p : f32
      linalg.yield %q : f32
    } -> tensor<8xf32>
    weir.yield %next, %next
        : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

// A matrix plus its transpose.
#ij = affine_map<(i, j) -> (i, j)>
#ji = affine_map<(i, j) -> (j, i)>
// CHECK: Remark="state 0 is affine, elements coupled: arith.addf joins elements of several places;
func.func @transposed(%i0: tensor<?x?x4x4xf32>, %s0: tensor<4x4xf32>) -> tensor<?x?x4x4xf32> {
  %y, %l = weir.scan (%i0) states(%s0)
      : (tensor<?x?x4x4xf32>), (tensor<4x4xf32>)
      -> (tensor<?x?x4x4xf32>), (tensor<?x4x4xf32>) {
  ^bb0(%x: tensor<4x4xf32>, %h: tensor<4x4xf32>):
    %next = linalg.generic {indexing_maps = [#ij, #ji, #ij],
        iterator_types = ["parallel", "parallel"]}
        ins(%h, %h : tensor<4x4xf32>, tensor<4x4xf32>)
        outs(%x : tensor<4x4xf32>) {
    ^bb1(%u: f32, %s: f32, %o: f32):
      %p = arith.addf %u, %s : f32
      linalg.yield %p : f32
    } -> tensor<4x4xf32>
    weir.yield %next, %next
        : tensor<4x4xf32>, tensor<4x4xf32>
  }
  return %y : tensor<?x?x4x4xf32>
}

// -----

// A shifted state.
// CHECK: Remark="state 0 is affine, elements coupled: tensor.extract_slice moves elements of the states;
func.func @shifted(%i0: tensor<?x?x8xf32>, %s0: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l = weir.scan (%i0) states(%s0)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %h: tensor<8xf32>):
    %p = tensor.extract_slice %h[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
    %next = tensor.insert_slice %p into %x[4] [4] [1]
        : tensor<4xf32> into tensor<8xf32>
    weir.yield %next, %next
        : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

// A vector of states added to the rows of another.
#ij = affine_map<(i, j) -> (i, j)>
#j = affine_map<(i, j) -> (j)>
// CHECK: Remark="state 0 is affine, element by element; factors: none; addends: input 0"
// CHECK: Remark="state 1 is affine in states 0 and 1, elements coupled: weir.yield hands on what reads a state of another type;
func.func @spread(%i0: tensor<?x?x4xf32>, %s0: tensor<4xf32>, %s1: tensor<2x4xf32>) -> tensor<?x?x4xf32> {
  %y, %l:2 = weir.scan (%i0) states(%s0, %s1)
      : (tensor<?x?x4xf32>), (tensor<4xf32>, tensor<2x4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>, tensor<?x2x4xf32>) {
  ^bb0(%x: tensor<4xf32>, %h: tensor<4xf32>, %s: tensor<2x4xf32>):
    %next = arith.addf %h, %x : tensor<4xf32>
    %after = linalg.generic {indexing_maps = [#j, #ij],
        iterator_types = ["parallel", "parallel"]}
        ins(%next : tensor<4xf32>) outs(%s : tensor<2x4xf32>) {
    ^bb1(%u: f32, %o: f32):
      %p = arith.addf %u, %o : f32
      linalg.yield %p : f32
    } -> tensor<2x4xf32>
    weir.yield %next, %next, %after
        : tensor<4xf32>, tensor<4xf32>, tensor<2x4xf32>
  }
  return %y : tensor<?x?x4xf32>
}

// -----

// A delay: the state forgets what it was.
// CHECK: Remark="state 0 is affine, whatever the states were before; addends: input 0"
func.func @delay(%i0: tensor<?x?x8xf32>, %s0: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l = weir.scan (%i0) states(%s0)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %h: tensor<8xf32>):
    weir.yield %h, %x
        : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

// A product of the state with itself, and of two states.
// CHECK: Remark="state 0 is not affine: arith.mulf multiplies values that both depend on the states"
// CHECK: Remark="state 1 is not affine: arith.mulf multiplies values that both depend on the states"
func.func @products(%i0: tensor<?x?x8xf32>, %s0: tensor<8xf32>, %s1: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l:2 = weir.scan (%i0) states(%s0, %s1)
      : (tensor<?x?x8xf32>), (tensor<8xf32>, tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>, tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %h: tensor<8xf32>, %m: tensor<8xf32>):
    %a = arith.mulf %h, %h : tensor<8xf32>
    %b = arith.mulf %h, %m : tensor<8xf32>
    weir.yield %x, %a, %b
        : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

// A stabiliser takes the greater of two, and with it what it scales.
// CHECK: Remark="state 0 is not affine: arith.maximumf is no linear function of the states"
// CHECK: Remark="state 1 is not affine: arith.maximumf is no linear function of the states"
func.func @stabilised(%i0: tensor<?x?x8xf32>, %i1: tensor<?x?x8xf32>, %s0: tensor<8xf32>, %s1: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l:2 = weir.scan (%i0, %i1) states(%s0, %s1)
      : (tensor<?x?x8xf32>, tensor<?x?x8xf32>), (tensor<8xf32>, tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>, tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %g: tensor<8xf32>, %h: tensor<8xf32>, %m: tensor<8xf32>):
    %most = arith.maximumf %m, %g : tensor<8xf32>
    %d = arith.subf %m, %most : tensor<8xf32>
    %f = math.exp %d : tensor<8xf32>
    %p = arith.mulf %h, %f : tensor<8xf32>
    %next = arith.addf %p, %x : tensor<8xf32>
    weir.yield %next, %next, %most
        : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

// A gate that reads the state, a quotient by it and a choice by it.
// CHECK: Remark="state 0 is not affine: math.tanh is no linear function of the states"
// CHECK: Remark="state 1 is not affine: arith.divf divides by a value that depends on the states"
// CHECK: Remark="state 2 is not affine: arith.cmpf is no linear function of the states"
func.func @gates(%i0: tensor<?x?x8xf32>, %s0: tensor<8xf32>, %s1: tensor<8xf32>, %s2: tensor<8xf32>) -> tensor<?x?x8xf32> {
  %y, %l:3 = weir.scan (%i0) states(%s0, %s1, %s2)
      : (tensor<?x?x8xf32>), (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
  ^bb0(%x: tensor<8xf32>, %a: tensor<8xf32>, %b: tensor<8xf32>, %c: tensor<8xf32>):
    %p = math.tanh %a : tensor<8xf32>
    %q = arith.divf %x, %b : tensor<8xf32>
    %r = arith.cmpf ogt, %c, %x : tensor<8xf32>
    %s = arith.select %r, %c, %x : tensor<8xi1>, tensor<8xf32>
    weir.yield %x, %p, %q, %s
        : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}
