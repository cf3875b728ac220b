// The packed matrix is [[1, 1], [1, -1], [0.5, 2]] with two output features a
// panel, the last one padded.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %x = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %w = arith.constant dense<[[[1.0, 1.0], [1.0, -1.0]],
                             [[0.5, 0.0], [2.0, 0.0]]]> : tensor<2x2x2xf32>
  %b = arith.constant dense<[0.0, 10.0, 1.0]> : tensor<3xf32>
  // CHECK: sizes = [2, 3]
  // CHECK-NEXT: {{\[}}3, 9, 5.5]
  // CHECK-NEXT: {{\[}}7, 9, 10.5]
  %y = weir.packed_linear %x, %w bias(%b : tensor<3xf32>) bits(32) group(0)
      : tensor<2x2xf32>, tensor<2x2x2xf32> -> tensor<2x3xf32>
  %u0 = tensor.cast %y : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // One output feature of 4-bit quants: elements 0 to 7 are the quants 0 to 7,
  // element j in the low half of byte j and element j + 4 in the high half.
  %ones = arith.constant dense<1.0> : tensor<1x8xf32>
  %first = arith.constant dense<[[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]>
      : tensor<1x8xf32>
  %last = arith.constant dense<[[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]>
      : tensor<1x8xf32>
  %quants = arith.constant dense<[[[[0x40, 0x51, 0x62, 0x73]]]]>
      : tensor<1x1x1x4xi8>
  %scales = arith.constant dense<2.0> : tensor<1x1x1xf32>
  %mins = arith.constant dense<-1.0> : tensor<1x1x1xf32>

  // With mins, 2 * q - 1: the sum, the first, the last.
  // CHECK: sizes = [1, 1]
  // CHECK-NEXT: {{\[}}48]
  %sum = weir.packed_linear %ones, %quants scales(%scales : tensor<1x1x1xf32>)
      mins(%mins : tensor<1x1x1xf32>) bits(4) group(8)
      : tensor<1x8xf32>, tensor<1x1x1x4xi8> -> tensor<1x1xf32>
  %u1 = tensor.cast %sum : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()
  // CHECK: sizes = [1, 1]
  // CHECK-NEXT: {{\[}}-1]
  %low = weir.packed_linear %first, %quants scales(%scales : tensor<1x1x1xf32>)
      mins(%mins : tensor<1x1x1xf32>) bits(4) group(8)
      : tensor<1x8xf32>, tensor<1x1x1x4xi8> -> tensor<1x1xf32>
  %u2 = tensor.cast %low : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%u2) : (tensor<*xf32>) -> ()

  // Without, the zero point is 8: 2 * (7 - 8).
  // CHECK: sizes = [1, 1]
  // CHECK-NEXT: {{\[}}-2]
  %high = weir.packed_linear %last, %quants scales(%scales : tensor<1x1x1xf32>)
      bits(4) group(8)
      : tensor<1x8xf32>, tensor<1x1x1x4xi8> -> tensor<1x1xf32>
  %u3 = tensor.cast %high : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%u3) : (tensor<*xf32>) -> ()

  // Eight bits: bytes are unsigned, their zero point is 128.
  // CHECK: sizes = [1, 1]
  // CHECK-NEXT: {{\[}}254]
  %bytes = arith.constant dense<[[[[-128, -128, -128, -128]],
                                  [[-128, -128, -128, -1]]]]>
      : tensor<1x2x1x4xi8>
  %wide = weir.packed_linear %ones, %bytes scales(%scales : tensor<1x1x1xf32>)
      bits(8) group(8)
      : tensor<1x8xf32>, tensor<1x2x1x4xi8> -> tensor<1x1xf32>
  %u4 = tensor.cast %wide : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%u4) : (tensor<*xf32>) -> ()
  return
}
