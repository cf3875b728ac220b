// Mamba-2 (arXiv:2405.21060): B and C shared by two heads, softplus of the
// step, the skip, and the state as [P, N].
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

#bth = affine_map<(b, t, h) -> (b, t, h)>
#h = affine_map<(b, t, h) -> (h)>
#bth_of_bthp = affine_map<(b, t, h, p) -> (b, t, h)>
#bthp = affine_map<(b, t, h, p) -> (b, t, h, p)>
#h_of_bthp = affine_map<(b, t, h, p) -> (h)>
#bhnp = affine_map<(b, h, p, n) -> (b, h, n, p)>
#bhpn = affine_map<(b, h, p, n) -> (b, h, p, n)>
#bhpn_of_bhnp = affine_map<(b, h, n, p) -> (b, h, p, n)>
#bhnp_of_bhnp = affine_map<(b, h, n, p) -> (b, h, n, p)>

func.func @ssd(
    %x: tensor<?x?x4x12xf32> {weir.name = "x"},
    %dt: tensor<?x?x4xf32> {weir.name = "dt"},
    %A: tensor<4xf32> {weir.name = "A"},
    %B: tensor<?x?x2x10xf32> {weir.name = "B"},
    %C: tensor<?x?x2x10xf32> {weir.name = "C"},
    %D: tensor<4xf32> {weir.name = "D"},
    %dt_bias: tensor<4xf32> {weir.name = "dt_bias"})
    -> (tensor<?x?x4x12xf32> {weir.name = "y"},
        tensor<?x4x12x10xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x4x12xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x4x12xf32>
  %e1 = tensor.empty(%b, %t) : tensor<?x?x4xf32>
  %step = linalg.generic {
      indexing_maps = [#bth, #h, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%dt, %dt_bias : tensor<?x?x4xf32>, tensor<4xf32>)
      outs(%e1 : tensor<?x?x4xf32>) {
  ^bb0(%d: f32, %bias: f32, %out: f32):
    %sum = arith.addf %d, %bias : f32
    %exp = math.exp %sum : f32
    %softplus = math.log1p %exp : f32
    linalg.yield %softplus : f32
  } -> tensor<?x?x4xf32>
  %e2 = tensor.empty(%b, %t) : tensor<?x?x4xf32>
  %decay = linalg.generic {
      indexing_maps = [#bth, #h, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%step, %A : tensor<?x?x4xf32>, tensor<4xf32>)
      outs(%e2 : tensor<?x?x4xf32>) {
  ^bb0(%d: f32, %a: f32, %out: f32):
    %product = arith.mulf %d, %a : f32
    linalg.yield %product : f32
  } -> tensor<?x?x4xf32>
  %e3 = tensor.empty(%b, %t) : tensor<?x?x4x12xf32>
  %value = linalg.generic {
      indexing_maps = [#bth_of_bthp, #bthp, #bthp],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%step, %x : tensor<?x?x4xf32>, tensor<?x?x4x12xf32>)
      outs(%e3 : tensor<?x?x4x12xf32>) {
  ^bb0(%d: f32, %in: f32, %out: f32):
    %product = arith.mulf %d, %in : f32
    linalg.yield %product : f32
  } -> tensor<?x?x4x12xf32>
  %read, %state = weir.recurrence %C, %B, %value
      decay(%decay : tensor<?x?x4xf32>) : tensor<?x?x2x10xf32>,
      tensor<?x?x2x10xf32>, tensor<?x?x4x12xf32> -> tensor<?x?x4x12xf32>,
      tensor<?x4x10x12xf32>
  %e4 = tensor.empty(%b, %t) : tensor<?x?x4x12xf32>
  %y = linalg.generic {
      indexing_maps = [#bthp, #h_of_bthp, #bthp, #bthp],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%read, %D, %x : tensor<?x?x4x12xf32>, tensor<4xf32>,
          tensor<?x?x4x12xf32>)
      outs(%e4 : tensor<?x?x4x12xf32>) {
  ^bb0(%r: f32, %d: f32, %in: f32, %out: f32):
    %skip = arith.mulf %d, %in : f32
    %sum = arith.addf %r, %skip : f32
    linalg.yield %sum : f32
  } -> tensor<?x?x4x12xf32>
  %e5 = tensor.empty(%b) : tensor<?x4x12x10xf32>
  %last = linalg.generic {
      indexing_maps = [#bhnp, #bhpn],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%state : tensor<?x4x10x12xf32>)
      outs(%e5 : tensor<?x4x12x10xf32>) {
  ^bb0(%s: f32, %out: f32):
    linalg.yield %s : f32
  } -> tensor<?x4x12x10xf32>
  return %y, %last : tensor<?x?x4x12xf32>, tensor<?x4x12x10xf32>
}

func.func @ssd_init(
    %x: tensor<?x?x4x12xf32> {weir.name = "x"},
    %dt: tensor<?x?x4xf32> {weir.name = "dt"},
    %A: tensor<4xf32> {weir.name = "A"},
    %B: tensor<?x?x2x10xf32> {weir.name = "B"},
    %C: tensor<?x?x2x10xf32> {weir.name = "C"},
    %D: tensor<4xf32> {weir.name = "D"},
    %dt_bias: tensor<4xf32> {weir.name = "dt_bias"},
    %initial: tensor<?x4x12x10xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x4x12xf32> {weir.name = "y"},
        tensor<?x4x12x10xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x4x12xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x4x12xf32>
  %e1 = tensor.empty(%b, %t) : tensor<?x?x4xf32>
  %step = linalg.generic {
      indexing_maps = [#bth, #h, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%dt, %dt_bias : tensor<?x?x4xf32>, tensor<4xf32>)
      outs(%e1 : tensor<?x?x4xf32>) {
  ^bb0(%d: f32, %bias: f32, %out: f32):
    %sum = arith.addf %d, %bias : f32
    %exp = math.exp %sum : f32
    %softplus = math.log1p %exp : f32
    linalg.yield %softplus : f32
  } -> tensor<?x?x4xf32>
  %e2 = tensor.empty(%b, %t) : tensor<?x?x4xf32>
  %decay = linalg.generic {
      indexing_maps = [#bth, #h, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%step, %A : tensor<?x?x4xf32>, tensor<4xf32>)
      outs(%e2 : tensor<?x?x4xf32>) {
  ^bb0(%d: f32, %a: f32, %out: f32):
    %product = arith.mulf %d, %a : f32
    linalg.yield %product : f32
  } -> tensor<?x?x4xf32>
  %e3 = tensor.empty(%b, %t) : tensor<?x?x4x12xf32>
  %value = linalg.generic {
      indexing_maps = [#bth_of_bthp, #bthp, #bthp],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%step, %x : tensor<?x?x4xf32>, tensor<?x?x4x12xf32>)
      outs(%e3 : tensor<?x?x4x12xf32>) {
  ^bb0(%d: f32, %in: f32, %out: f32):
    %product = arith.mulf %d, %in : f32
    linalg.yield %product : f32
  } -> tensor<?x?x4x12xf32>
  %e4 = tensor.empty(%b) : tensor<?x4x10x12xf32>
  %before = linalg.generic {
      indexing_maps = [#bhpn_of_bhnp, #bhnp_of_bhnp],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%initial : tensor<?x4x12x10xf32>)
      outs(%e4 : tensor<?x4x10x12xf32>) {
  ^bb0(%s: f32, %out: f32):
    linalg.yield %s : f32
  } -> tensor<?x4x10x12xf32>
  %read, %state = weir.recurrence %C, %B, %value
      decay(%decay : tensor<?x?x4xf32>) init(%before : tensor<?x4x10x12xf32>)
      : tensor<?x?x2x10xf32>, tensor<?x?x2x10xf32>, tensor<?x?x4x12xf32>
      -> tensor<?x?x4x12xf32>, tensor<?x4x10x12xf32>
  %e5 = tensor.empty(%b, %t) : tensor<?x?x4x12xf32>
  %y = linalg.generic {
      indexing_maps = [#bthp, #h_of_bthp, #bthp, #bthp],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%read, %D, %x : tensor<?x?x4x12xf32>, tensor<4xf32>,
          tensor<?x?x4x12xf32>)
      outs(%e5 : tensor<?x?x4x12xf32>) {
  ^bb0(%r: f32, %d: f32, %in: f32, %out: f32):
    %skip = arith.mulf %d, %in : f32
    %sum = arith.addf %r, %skip : f32
    linalg.yield %sum : f32
  } -> tensor<?x?x4x12xf32>
  %e6 = tensor.empty(%b) : tensor<?x4x12x10xf32>
  %last = linalg.generic {
      indexing_maps = [#bhnp, #bhpn],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%state : tensor<?x4x10x12xf32>)
      outs(%e6 : tensor<?x4x12x10xf32>) {
  ^bb0(%s: f32, %out: f32):
    linalg.yield %s : f32
  } -> tensor<?x4x12x10xf32>
  return %y, %last : tensor<?x?x4x12xf32>, tensor<?x4x12x10xf32>
}
