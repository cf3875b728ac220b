// A decayed sum, as powers of ten show which tokens it has met in which order:
// h = 10 h + x + p, beside a count of tokens that is put out as it was before.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s
// RUN: weir-opt %s --weir-select-schedule='threads=2 vector-bits=32' \
// RUN:     --weir-tile-block-maps --weir-lower-to-reference \
// RUN:     --weir-carry-in-place \
// RUN:     -one-shot-bufferize=bufferize-function-boundaries \
// RUN:     -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s

#v = affine_map<(d) -> (d)>
#none = affine_map<() -> ()>

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @forward(%x: tensor<?x?x2xf32>, %h: tensor<2xf32>,
                           %p: tensor<2xf32>) {
  %c = arith.constant dense<0.0> : tensor<f32>
  %ten = arith.constant 10.0 : f32
  %y, %n, %last, %count = weir.scan (%x) states(%h, %c)
      : (tensor<?x?x2xf32>), (tensor<2xf32>, tensor<f32>)
      -> (tensor<?x?x2xf32>, tensor<?x?xf32>), (tensor<?x2xf32>, tensor<?xf32>) {
  ^bb0(%a: tensor<2xf32>, %before: tensor<2xf32>, %m: tensor<f32>):
    %e = tensor.empty() : tensor<2xf32>
    %after = linalg.generic {indexing_maps = [#v, #v, #v, #v],
        iterator_types = ["parallel"]}
        ins(%a, %before, %p : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>)
        outs(%e : tensor<2xf32>) {
    ^bb1(%i: f32, %s: f32, %q: f32, %out: f32):
      %t = arith.mulf %s, %ten : f32
      %u = arith.addf %t, %i : f32
      %v = arith.addf %u, %q : f32
      linalg.yield %v : f32
    } -> tensor<2xf32>
    %ne = tensor.empty() : tensor<f32>
    %next = linalg.generic {indexing_maps = [#none, #none],
        iterator_types = []} ins(%m : tensor<f32>) outs(%ne : tensor<f32>) {
    ^bb1(%i: f32, %out: f32):
      %one = arith.constant 1.0 : f32
      %t = arith.addf %i, %one : f32
      linalg.yield %t : f32
    } -> tensor<f32>
    weir.yield %after, %m, %after, %next
        : tensor<2xf32>, tensor<f32>, tensor<2xf32>, tensor<f32>
  }
  %yu = tensor.cast %y : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()
  %nu = tensor.cast %n : tensor<?x?xf32> to tensor<*xf32>
  call @printMemrefF32(%nu) : (tensor<*xf32>) -> ()
  %lu = tensor.cast %last : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%lu) : (tensor<*xf32>) -> ()
  %cu = tensor.cast %count : tensor<?xf32> to tensor<*xf32>
  call @printMemrefF32(%cu) : (tensor<*xf32>) -> ()
  return
}

// The same with features that do not meet, so that each is a tile.
func.func private @backward(%x: tensor<?x?x2xf32>, %h: tensor<?x2xf32>,
                            %n: tensor<?xi32>, %p: tensor<2xf32>) {
  %y, %last = weir.scan (%x) states(%h) lengths(%n : tensor<?xi32>) reverse
      : (tensor<?x?x2xf32>), (tensor<?x2xf32>)
      -> (tensor<?x?x2xf32>), (tensor<?x2xf32>) {
  ^bb0(%a: tensor<2xf32>, %before: tensor<2xf32>):
    %e = tensor.empty() : tensor<2xf32>
    %v = linalg.generic {indexing_maps = [#v, #v, #v, #v],
        iterator_types = ["parallel"]}
        ins(%a, %before, %p : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>)
        outs(%e : tensor<2xf32>) {
    ^bb1(%i: f32, %s: f32, %q: f32, %out: f32):
      %ten = arith.constant 10.0 : f32
      %t = arith.mulf %s, %ten : f32
      %u = arith.addf %t, %i : f32
      %w = arith.addf %u, %q : f32
      linalg.yield %w : f32
    } -> tensor<2xf32>
    weir.yield %v, %v : tensor<2xf32>, tensor<2xf32>
  }
  %yu = tensor.cast %y : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()
  %lu = tensor.cast %last : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%lu) : (tensor<*xf32>) -> ()
  return
}

func.func @main() {
  %x = arith.constant dense<[[[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]]>
      : tensor<1x3x2xf32>
  %xd = tensor.cast %x : tensor<1x3x2xf32> to tensor<?x?x2xf32>
  %h = arith.constant dense<[9.0, 0.0]> : tensor<2xf32>
  %p = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
  // CHECK: sizes = [1, 3, 2]
  // CHECK-NEXT: {{\[+}}91, 3],
  // CHECK-NEXT: [912, 34],
  // CHECK-NEXT: [9123, 345]
  // CHECK: sizes = [1, 3]
  // CHECK-NEXT: {{\[+}}0, 1, 2]
  // CHECK: sizes = [1, 2]
  // CHECK-NEXT: {{\[+}}9123, 345]
  // CHECK: sizes = [1]
  // CHECK-NEXT: [3]
  call @forward(%xd, %h, %p)
      : (tensor<?x?x2xf32>, tensor<2xf32>, tensor<2xf32>) -> ()

  // No token leaves the state.
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = tensor.extract_slice %xd[0, 0, 0] [%c1, %c0, 2] [1, 1, 1]
      : tensor<?x?x2xf32> to tensor<?x?x2xf32>
  // CHECK: sizes = [1, 0, 2]
  // CHECK: sizes = [1, 0]
  // CHECK: sizes = [1, 2]
  // CHECK-NEXT: {{\[+}}9, 0]
  // CHECK: sizes = [1]
  // CHECK-NEXT: [0]
  call @forward(%none, %h, %p)
      : (tensor<?x?x2xf32>, tensor<2xf32>, tensor<2xf32>) -> ()

  // Rows of three tokens, two and none, from the last to the first.
  %r = arith.constant dense<[[[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]],
                             [[4.0, 5.0], [5.0, 6.0], [6.0, 7.0]],
                             [[7.0, 8.0], [8.0, 9.0], [9.0, 9.0]]]>
      : tensor<3x3x2xf32>
  %rd = tensor.cast %r : tensor<3x3x2xf32> to tensor<?x?x2xf32>
  %s = arith.constant dense<[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]>
      : tensor<3x2xf32>
  %sd = tensor.cast %s : tensor<3x2xf32> to tensor<?x2xf32>
  %n = arith.constant dense<[3, 2, 0]> : tensor<3xi32>
  %nd = tensor.cast %n : tensor<3xi32> to tensor<?xi32>
  // CHECK: sizes = [3, 3, 2]
  // CHECK-NEXT: {{\[+}}321, 543],
  // CHECK-NEXT: [32, 54],
  // CHECK-NEXT: [3, 5]
  // CHECK-NEXT: {{\[+}}154, 276],
  // CHECK-NEXT: [15, 27],
  // CHECK-NEXT: [0, 0]
  // CHECK-NEXT: {{\[+}}0, 0],
  // CHECK-NEXT: [0, 0],
  // CHECK-NEXT: [0, 0]
  // CHECK: sizes = [3, 2]
  // CHECK-NEXT: {{\[+}}321, 543],
  // CHECK-NEXT: [154, 276],
  // CHECK-NEXT: [3, 4]
  call @backward(%rd, %sd, %nd, %p)
      : (tensor<?x?x2xf32>, tensor<?x2xf32>, tensor<?xi32>, tensor<2xf32>)
        -> ()
  return
}
