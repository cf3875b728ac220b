// Kind 0 maps x to 2x + 10 * layer, kind 1 to x + 1 + layer, where layers are
// counted within their kind.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %x = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %n = arith.constant 0.0 : f32
  // From 1: doubled 2, and 1 is 3, doubled 6 and 10 is 16, and 2 is 18.
  // CHECK: sizes = [2]
  // CHECK-NEXT: {{\[}}18, 22]
  %0:2 = weir.stack(%x, %n) order [0, 1, 0, 1] : tensor<2xf32>, f32 {
  ^bb0(%layer: index, %a: tensor<2xf32>, %count: f32):
    %i = arith.index_cast %layer : index to i32
    %f = arith.sitofp %i : i32 to f32
    %ten = arith.constant 10.0 : f32
    %add = arith.mulf %f, %ten : f32
    %init = tensor.empty() : tensor<2xf32>
    %b = linalg.map ins(%a : tensor<2xf32>) outs(%init : tensor<2xf32>)
      (%in: f32, %out: f32) {
        %double = arith.addf %in, %in : f32
        %sum = arith.addf %double, %add : f32
        linalg.yield %sum : f32
      }
    weir.yield %b, %count : tensor<2xf32>, f32
  }, {
  ^bb0(%layer: index, %a: tensor<2xf32>, %count: f32):
    %i = arith.index_cast %layer : index to i32
    %f = arith.sitofp %i : i32 to f32
    %one = arith.constant 1.0 : f32
    %add = arith.addf %f, %one : f32
    %init = tensor.empty() : tensor<2xf32>
    %b = linalg.map ins(%a : tensor<2xf32>) outs(%init : tensor<2xf32>)
      (%in: f32, %out: f32) {
        %sum = arith.addf %in, %add : f32
        linalg.yield %sum : f32
      }
    %next = arith.addf %count, %one : f32
    weir.yield %b, %next : tensor<2xf32>, f32
  }
  %u0 = tensor.cast %0#0 : tensor<2xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // The second carried value counts the layers of kind 1.
  // CHECK: sizes = [1]
  // CHECK-NEXT: {{\[}}2]
  %counted = tensor.from_elements %0#1 : tensor<1xf32>
  %u1 = tensor.cast %counted : tensor<1xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()
  return
}
