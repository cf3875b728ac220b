// A diagonal state (arXiv:2311.04823), cut along its features.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

#all = affine_map<(d) -> (d)>

func.func @hgrn(
    %x: tensor<?x?x40xf32> {weir.name = "x"},
    %g: tensor<?x?x40xf32> {weir.name = "g"})
    -> (tensor<?x?x40xf32> {weir.name = "o"},
        tensor<?x40xf32> {weir.name = "final_state"}) {
  %initial = arith.constant dense<0.0> : tensor<40xf32>
  %o, %last = weir.scan (%x, %g) states(%initial)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>), (tensor<40xf32>)
      -> (tensor<?x?x40xf32>), (tensor<?x40xf32>) {
  ^bb0(%xt: tensor<40xf32>, %gt: tensor<40xf32>, %before: tensor<40xf32>):
    %e = tensor.empty() : tensor<40xf32>
    %after = linalg.generic {indexing_maps = [#all, #all, #all, #all],
        iterator_types = ["parallel"]}
        ins(%xt, %gt, %before : tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
        outs(%e : tensor<40xf32>) {
    ^bb1(%a: f32, %b: f32, %h: f32, %out: f32):
      %decay = math.exp %b : f32
      %kept = arith.mulf %decay, %h : f32
      %sum = arith.addf %kept, %a : f32
      linalg.yield %sum : f32
    } -> tensor<40xf32>
    weir.yield %after, %after : tensor<40xf32>, tensor<40xf32>
  }
  return %o, %last : tensor<?x?x40xf32>, tensor<?x40xf32>
}

func.func @hgrn_init(
    %x: tensor<?x?x40xf32> {weir.name = "x"},
    %g: tensor<?x?x40xf32> {weir.name = "g"},
    %initial: tensor<?x40xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x40xf32> {weir.name = "o"},
        tensor<?x40xf32> {weir.name = "final_state"}) {
  %o, %last = weir.scan (%x, %g) states(%initial)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>), (tensor<?x40xf32>)
      -> (tensor<?x?x40xf32>), (tensor<?x40xf32>) {
  ^bb0(%xt: tensor<40xf32>, %gt: tensor<40xf32>, %before: tensor<40xf32>):
    %e = tensor.empty() : tensor<40xf32>
    %after = linalg.generic {indexing_maps = [#all, #all, #all, #all],
        iterator_types = ["parallel"]}
        ins(%xt, %gt, %before : tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
        outs(%e : tensor<40xf32>) {
    ^bb1(%a: f32, %b: f32, %h: f32, %out: f32):
      %decay = math.exp %b : f32
      %kept = arith.mulf %decay, %h : f32
      %sum = arith.addf %kept, %a : f32
      linalg.yield %sum : f32
    } -> tensor<40xf32>
    weir.yield %after, %after : tensor<40xf32>, tensor<40xf32>
  }
  return %o, %last : tensor<?x?x40xf32>, tensor<?x40xf32>
}
