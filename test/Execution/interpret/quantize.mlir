// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s
// The same in vectors.
// RUN: weir-opt %s --weir-lower-to-reference \
// RUN:     --weir-vectorize-generics=vector-bits=128 \
// RUN:     -one-shot-bufferize=bufferize-function-boundaries \
// RUN:     -convert-vector-to-scf -lower-affine -convert-vector-to-llvm \
// RUN:     -convert-ub-to-llvm %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefI32(tensor<*xi32>)

func.func private @run(%x: tensor<2x8xf32>)
    -> (tensor<2x8xi8>, tensor<2x2xf32>, tensor<2x2xi32>) {
  %q, %s, %t = weir.quantize %x group(4)
      : tensor<2x8xf32> -> tensor<2x8xi8>, tensor<2x2xf32>, tensor<2x2xi32>
  return %q, %s, %t : tensor<2x8xi8>, tensor<2x2xf32>, tensor<2x2xi32>
}

func.func @main() {
  // Half steps round to even; a group of next to nothing gives zeros.
  %x = arith.constant dense<[
      [127.0, -2.5, 3.5, 0.0, -254.0, 2.0, 1.0, 3.0],
      [1.0e-31, 0.0, 0.0, -1.0e-31, 1.27, 0.01, 0.0, -1.27]]>
      : tensor<2x8xf32>
  %q, %s, %t = call @run(%x) : (tensor<2x8xf32>)
      -> (tensor<2x8xi8>, tensor<2x2xf32>, tensor<2x2xi32>)

  // CHECK: sizes = [2, 8]
  // CHECK-NEXT: {{\[}}127,{{ *}}-2,{{ *}}4,{{ *}}0,{{ *}}-127,{{ *}}1,{{ *}}0,{{ *}}2]
  // CHECK-NEXT: {{\[}}0,{{ *}}0,{{ *}}0,{{ *}}0,{{ *}}127,{{ *}}1,{{ *}}0,{{ *}}-127]
  %e = tensor.empty() : tensor<2x8xi32>
  %q32 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>,
                       affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%q : tensor<2x8xi8>) outs(%e : tensor<2x8xi32>) {
  ^bb0(%in: i8, %out: i32):
    %0 = arith.extsi %in : i8 to i32
    linalg.yield %0 : i32
  } -> tensor<2x8xi32>
  %u0 = tensor.cast %q32 : tensor<2x8xi32> to tensor<*xi32>
  call @printMemrefI32(%u0) : (tensor<*xi32>) -> ()

  // CHECK: sizes = [2, 2]
  // CHECK-NEXT: {{\[}}1,{{ *}}2]
  // CHECK-NEXT: {{\[}}{{.*}}e-{{.*}},{{ *}}0.01]
  %u1 = tensor.cast %s : tensor<2x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [2, 2]
  // CHECK-NEXT: {{\[}}129,{{ *}}-124]
  // CHECK-NEXT: {{\[}}0,{{ *}}1]
  %u2 = tensor.cast %t : tensor<2x2xi32> to tensor<*xi32>
  call @printMemrefI32(%u2) : (tensor<*xi32>) -> ()
  return
}
