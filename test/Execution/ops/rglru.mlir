// RG-LRU (arXiv:2402.19427): a gate of the decay and one of the input, whose
// scale is 1 at the first token of all.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

#d = affine_map<(d) -> (d)>
#none = affine_map<(d) -> ()>

func.func @rglru(
    %x: tensor<?x?x40xf32> {weir.name = "x"},
    %r: tensor<?x?x40xf32> {weir.name = "r"},
    %i: tensor<?x?x40xf32> {weir.name = "i"},
    %L: tensor<40xf32> {weir.name = "L"})
    -> (tensor<?x?x40xf32> {weir.name = "y"},
        tensor<?x40xf32> {weir.name = "final_state"}) {
  %positions = weir.positions %x : tensor<?x?x40xf32> -> tensor<?x?xi32>
  %initial = arith.constant dense<0.0> : tensor<40xf32>
  %y, %last = weir.scan (%x, %r, %i, %positions) states(%initial)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>, tensor<?x?x40xf32>,
          tensor<?x?xi32>), (tensor<40xf32>)
      -> (tensor<?x?x40xf32>), (tensor<?x40xf32>) {
  ^bb0(%now: tensor<40xf32>, %rt: tensor<40xf32>, %it: tensor<40xf32>,
      %position: tensor<i32>, %before: tensor<40xf32>):
    %e1 = tensor.empty() : tensor<40xf32>
    %after = linalg.generic {
        indexing_maps = [#d, #d, #d, #d, #d, #none, #d],
        iterator_types = ["parallel"]}
        ins(%now, %rt, %it, %L, %before, %position : tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>, tensor<40xf32>, tensor<40xf32>,
            tensor<i32>)
        outs(%e1 : tensor<40xf32>) {
    ^bb0(%in: f32, %gate: f32, %way: f32, %lambda: f32, %h: f32, %p: i32,
        %out: f32):
      %unit = arith.constant 1.0 : f32
      %nopen = arith.negf %gate : f32
      %eopen = math.exp %nopen : f32
      %dopen = arith.addf %eopen, %unit : f32
      %open = arith.divf %unit, %dopen : f32
      %e = math.exp %lambda : f32
      %rate = math.log1p %e : f32
      %minus = arith.constant -8.0 : f32
      %part = arith.mulf %minus, %rate : f32
      %log = arith.mulf %part, %open : f32
      %a = math.exp %log : f32
      %squared = arith.mulf %a, %a : f32
      %rest = arith.subf %unit, %squared : f32
      %root = math.sqrt %rest : f32
      %ninput = arith.negf %way : f32
      %einput = math.exp %ninput : f32
      %dinput = arith.addf %einput, %unit : f32
      %input = arith.divf %unit, %dinput : f32
      %gated = arith.mulf %input, %in : f32
      %zero = arith.constant 0 : i32
      %first = arith.cmpi eq, %p, %zero : i32
      %scale = arith.select %first, %unit, %root : f32
      %scaled = arith.mulf %scale, %gated : f32
      %kept = arith.mulf %a, %h : f32
      %sum = arith.addf %kept, %scaled : f32
      linalg.yield %sum : f32
    } -> tensor<40xf32>
    weir.yield %after, %after : tensor<40xf32>, tensor<40xf32>
  }
  return %y, %last : tensor<?x?x40xf32>, tensor<?x40xf32>
}

func.func @rglru_init(
    %x: tensor<?x?x40xf32> {weir.name = "x"},
    %r: tensor<?x?x40xf32> {weir.name = "r"},
    %i: tensor<?x?x40xf32> {weir.name = "i"},
    %L: tensor<40xf32> {weir.name = "L"},
    %initial: tensor<?x40xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x40xf32> {weir.name = "y"},
        tensor<?x40xf32> {weir.name = "final_state"}) {
  %y, %last = weir.scan (%x, %r, %i) states(%initial)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>, tensor<?x?x40xf32>),
          (tensor<?x40xf32>)
      -> (tensor<?x?x40xf32>), (tensor<?x40xf32>) {
  ^bb0(%now: tensor<40xf32>, %rt: tensor<40xf32>, %it: tensor<40xf32>,
      %before: tensor<40xf32>):
    %e1 = tensor.empty() : tensor<40xf32>
    %after = linalg.generic {
        indexing_maps = [#d, #d, #d, #d, #d, #d],
        iterator_types = ["parallel"]}
        ins(%now, %rt, %it, %L, %before : tensor<40xf32>, tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
        outs(%e1 : tensor<40xf32>) {
    ^bb0(%in: f32, %gate: f32, %way: f32, %lambda: f32, %h: f32, %out: f32):
      %unit = arith.constant 1.0 : f32
      %nopen = arith.negf %gate : f32
      %eopen = math.exp %nopen : f32
      %dopen = arith.addf %eopen, %unit : f32
      %open = arith.divf %unit, %dopen : f32
      %e = math.exp %lambda : f32
      %rate = math.log1p %e : f32
      %minus = arith.constant -8.0 : f32
      %part = arith.mulf %minus, %rate : f32
      %log = arith.mulf %part, %open : f32
      %a = math.exp %log : f32
      %squared = arith.mulf %a, %a : f32
      %rest = arith.subf %unit, %squared : f32
      %root = math.sqrt %rest : f32
      %ninput = arith.negf %way : f32
      %einput = math.exp %ninput : f32
      %dinput = arith.addf %einput, %unit : f32
      %input = arith.divf %unit, %dinput : f32
      %gated = arith.mulf %input, %in : f32
      %scaled = arith.mulf %root, %gated : f32
      %kept = arith.mulf %a, %h : f32
      %sum = arith.addf %kept, %scaled : f32
      linalg.yield %sum : f32
    } -> tensor<40xf32>
    weir.yield %after, %after : tensor<40xf32>, tensor<40xf32>
  }
  return %y, %last : tensor<?x?x40xf32>, tensor<?x40xf32>
}
