// The recurrence of Mamba (arXiv:2312.00752), with its gates in the step.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

#d = affine_map<(d, n) -> (d)>
#n = affine_map<(d, n) -> (n)>
#dn = affine_map<(d, n) -> (d, n)>
#one = affine_map<(d) -> (d)>

func.func @selective_scan(
    %x: tensor<?x40x?xf32> {weir.name = "x"},
    %delta: tensor<?x40x?xf32> {weir.name = "delta"},
    %A: tensor<40x7xf32> {weir.name = "A"},
    %B: tensor<?x7x?xf32> {weir.name = "B"},
    %C: tensor<?x7x?xf32> {weir.name = "C"},
    %D: tensor<40xf32> {weir.name = "D"},
    %z: tensor<?x40x?xf32> {weir.name = "z"},
    %bias: tensor<40xf32> {weir.name = "dt_bias"})
    -> (tensor<?x40x?xf32> {weir.name = "y"},
        tensor<?x40x7xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %rows = tensor.dim %x, %c0 : tensor<?x40x?xf32>
  %time = tensor.dim %x, %c2 : tensor<?x40x?xf32>
  %wide = tensor.empty(%rows, %time) : tensor<?x?x40xf32>
  %narrow = tensor.empty(%rows, %time) : tensor<?x?x7xf32>
  %xs = linalg.transpose ins(%x : tensor<?x40x?xf32>)
      outs(%wide : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %ds = linalg.transpose ins(%delta : tensor<?x40x?xf32>)
      outs(%wide : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %zs = linalg.transpose ins(%z : tensor<?x40x?xf32>)
      outs(%wide : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %bs = linalg.transpose ins(%B : tensor<?x7x?xf32>)
      outs(%narrow : tensor<?x?x7xf32>) permutation = [0, 2, 1]
  %cs = linalg.transpose ins(%C : tensor<?x7x?xf32>)
      outs(%narrow : tensor<?x?x7xf32>) permutation = [0, 2, 1]
  %initial = arith.constant dense<0.0> : tensor<40x7xf32>
  %ys, %last = weir.scan (%xs, %ds, %bs, %cs, %zs) states(%initial)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>, tensor<?x?x7xf32>,
         tensor<?x?x7xf32>, tensor<?x?x40xf32>), (tensor<40x7xf32>)
      -> (tensor<?x?x40xf32>), (tensor<?x40x7xf32>) {
  ^bb0(%xt: tensor<40xf32>, %dt: tensor<40xf32>, %bt: tensor<7xf32>,
       %ct: tensor<7xf32>, %zt: tensor<40xf32>, %before: tensor<40x7xf32>):
    %e = tensor.empty() : tensor<40xf32>
    %step = linalg.generic {indexing_maps = [#one, #one, #one],
        iterator_types = ["parallel"]}
        ins(%dt, %bias : tensor<40xf32>, tensor<40xf32>)
        outs(%e : tensor<40xf32>) {
    ^bb1(%a: f32, %b: f32, %out: f32):
      %zero = arith.constant 0.0 : f32
      %sum = arith.addf %a, %b : f32
      %size = math.absf %sum : f32
      %minus = arith.negf %size : f32
      %p = math.exp %minus : f32
      %l = math.log1p %p : f32
      %positive = arith.maximumf %sum, %zero : f32
      %s = arith.addf %positive, %l : f32
      linalg.yield %s : f32
    } -> tensor<40xf32>
    %se = tensor.empty() : tensor<40x7xf32>
    %after = linalg.generic {indexing_maps = [#d, #d, #n, #dn, #dn, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%step, %xt, %bt, %A, %before : tensor<40xf32>, tensor<40xf32>,
            tensor<7xf32>, tensor<40x7xf32>, tensor<40x7xf32>)
        outs(%se : tensor<40x7xf32>) {
    ^bb1(%s: f32, %u: f32, %b: f32, %a: f32, %h: f32, %out: f32):
      %rate = arith.mulf %s, %a : f32
      %decay = math.exp %rate : f32
      %kept = arith.mulf %decay, %h : f32
      %su = arith.mulf %s, %u : f32
      %new = arith.mulf %su, %b : f32
      %sum = arith.addf %kept, %new : f32
      linalg.yield %sum : f32
    } -> tensor<40x7xf32>
    %zero = arith.constant 0.0 : f32
    %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<40xf32>)
        -> tensor<40xf32>
    %read = linalg.generic {indexing_maps = [#dn, #n, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%after, %ct : tensor<40x7xf32>, tensor<7xf32>)
        outs(%fill : tensor<40xf32>) {
    ^bb1(%h: f32, %c: f32, %sum: f32):
      %p = arith.mulf %h, %c : f32
      %r = arith.addf %sum, %p : f32
      linalg.yield %r : f32
    } -> tensor<40xf32>
    %y = linalg.generic {indexing_maps = [#one, #one, #one, #one, #one],
        iterator_types = ["parallel"]}
        ins(%read, %xt, %D, %zt : tensor<40xf32>, tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>)
        outs(%e : tensor<40xf32>) {
    ^bb1(%r: f32, %u: f32, %skip: f32, %g: f32, %out: f32):
      %su = arith.mulf %skip, %u : f32
      %sum = arith.addf %r, %su : f32
      %one = arith.constant 1.0 : f32
      %minus = arith.negf %g : f32
      %p = math.exp %minus : f32
      %q = arith.addf %one, %p : f32
      %gate = arith.divf %g, %q : f32
      %v = arith.mulf %sum, %gate : f32
      linalg.yield %v : f32
    } -> tensor<40xf32>
    weir.yield %y, %after : tensor<40xf32>, tensor<40x7xf32>
  }
  %back = tensor.empty(%rows, %time) : tensor<?x40x?xf32>
  %y = linalg.transpose ins(%ys : tensor<?x?x40xf32>)
      outs(%back : tensor<?x40x?xf32>) permutation = [0, 2, 1]
  return %y, %last : tensor<?x40x?xf32>, tensor<?x40x7xf32>
}

func.func @selective_scan_init(
    %x: tensor<?x40x?xf32> {weir.name = "x"},
    %delta: tensor<?x40x?xf32> {weir.name = "delta"},
    %A: tensor<40x7xf32> {weir.name = "A"},
    %B: tensor<?x7x?xf32> {weir.name = "B"},
    %C: tensor<?x7x?xf32> {weir.name = "C"},
    %D: tensor<40xf32> {weir.name = "D"},
    %z: tensor<?x40x?xf32> {weir.name = "z"},
    %bias: tensor<40xf32> {weir.name = "dt_bias"},
    %initial: tensor<?x40x7xf32> {weir.name = "initial_state"})
    -> (tensor<?x40x?xf32> {weir.name = "y"},
        tensor<?x40x7xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %rows = tensor.dim %x, %c0 : tensor<?x40x?xf32>
  %time = tensor.dim %x, %c2 : tensor<?x40x?xf32>
  %wide = tensor.empty(%rows, %time) : tensor<?x?x40xf32>
  %narrow = tensor.empty(%rows, %time) : tensor<?x?x7xf32>
  %xs = linalg.transpose ins(%x : tensor<?x40x?xf32>)
      outs(%wide : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %ds = linalg.transpose ins(%delta : tensor<?x40x?xf32>)
      outs(%wide : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %zs = linalg.transpose ins(%z : tensor<?x40x?xf32>)
      outs(%wide : tensor<?x?x40xf32>) permutation = [0, 2, 1]
  %bs = linalg.transpose ins(%B : tensor<?x7x?xf32>)
      outs(%narrow : tensor<?x?x7xf32>) permutation = [0, 2, 1]
  %cs = linalg.transpose ins(%C : tensor<?x7x?xf32>)
      outs(%narrow : tensor<?x?x7xf32>) permutation = [0, 2, 1]
  %ys, %last = weir.scan (%xs, %ds, %bs, %cs, %zs) states(%initial)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>, tensor<?x?x7xf32>,
         tensor<?x?x7xf32>, tensor<?x?x40xf32>), (tensor<?x40x7xf32>)
      -> (tensor<?x?x40xf32>), (tensor<?x40x7xf32>) {
  ^bb0(%xt: tensor<40xf32>, %dt: tensor<40xf32>, %bt: tensor<7xf32>,
       %ct: tensor<7xf32>, %zt: tensor<40xf32>, %before: tensor<40x7xf32>):
    %e = tensor.empty() : tensor<40xf32>
    %step = linalg.generic {indexing_maps = [#one, #one, #one],
        iterator_types = ["parallel"]}
        ins(%dt, %bias : tensor<40xf32>, tensor<40xf32>)
        outs(%e : tensor<40xf32>) {
    ^bb1(%a: f32, %b: f32, %out: f32):
      %zero = arith.constant 0.0 : f32
      %sum = arith.addf %a, %b : f32
      %size = math.absf %sum : f32
      %minus = arith.negf %size : f32
      %p = math.exp %minus : f32
      %l = math.log1p %p : f32
      %positive = arith.maximumf %sum, %zero : f32
      %s = arith.addf %positive, %l : f32
      linalg.yield %s : f32
    } -> tensor<40xf32>
    %se = tensor.empty() : tensor<40x7xf32>
    %after = linalg.generic {indexing_maps = [#d, #d, #n, #dn, #dn, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%step, %xt, %bt, %A, %before : tensor<40xf32>, tensor<40xf32>,
            tensor<7xf32>, tensor<40x7xf32>, tensor<40x7xf32>)
        outs(%se : tensor<40x7xf32>) {
    ^bb1(%s: f32, %u: f32, %b: f32, %a: f32, %h: f32, %out: f32):
      %rate = arith.mulf %s, %a : f32
      %decay = math.exp %rate : f32
      %kept = arith.mulf %decay, %h : f32
      %su = arith.mulf %s, %u : f32
      %new = arith.mulf %su, %b : f32
      %sum = arith.addf %kept, %new : f32
      linalg.yield %sum : f32
    } -> tensor<40x7xf32>
    %zero = arith.constant 0.0 : f32
    %fill = linalg.fill ins(%zero : f32) outs(%e : tensor<40xf32>)
        -> tensor<40xf32>
    %read = linalg.generic {indexing_maps = [#dn, #n, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%after, %ct : tensor<40x7xf32>, tensor<7xf32>)
        outs(%fill : tensor<40xf32>) {
    ^bb1(%h: f32, %c: f32, %sum: f32):
      %p = arith.mulf %h, %c : f32
      %r = arith.addf %sum, %p : f32
      linalg.yield %r : f32
    } -> tensor<40xf32>
    %y = linalg.generic {indexing_maps = [#one, #one, #one, #one, #one],
        iterator_types = ["parallel"]}
        ins(%read, %xt, %D, %zt : tensor<40xf32>, tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>)
        outs(%e : tensor<40xf32>) {
    ^bb1(%r: f32, %u: f32, %skip: f32, %g: f32, %out: f32):
      %su = arith.mulf %skip, %u : f32
      %sum = arith.addf %r, %su : f32
      %one = arith.constant 1.0 : f32
      %minus = arith.negf %g : f32
      %p = math.exp %minus : f32
      %q = arith.addf %one, %p : f32
      %gate = arith.divf %g, %q : f32
      %v = arith.mulf %sum, %gate : f32
      linalg.yield %v : f32
    } -> tensor<40xf32>
    weir.yield %y, %after : tensor<40xf32>, tensor<40x7xf32>
  }
  %back = tensor.empty(%rows, %time) : tensor<?x40x?xf32>
  %y = linalg.transpose ins(%ys : tensor<?x?x40xf32>)
      outs(%back : tensor<?x40x?xf32>) permutation = [0, 2, 1]
  return %y, %last : tensor<?x40x?xf32>, tensor<?x40x7xf32>
}
