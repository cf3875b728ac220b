// Floats are rounded to bf16, ties to even, also for CPUs without an
// instruction for it.

// REQUIRES: numpy, safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py write %t.in.safetensors \
// RUN:   x=1x6:1.00390625,1.01171875,-2.5,0.1,3.4e38,-7
// RUN: weirc %s --quiet -o %t && %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out.safetensors | FileCheck %s
// RUN: weirc %s --quiet --target-cpu=portable -o %t && %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out.safetensors | FileCheck %s
// RUN: weirc %s --quiet --target=simt -o %t && %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out.safetensors | FileCheck %s

// CHECK: y 1x6: 1 1.01562 -2.5 0.100098 inf -7
func.func @round(%x: tensor<1x6xf32> {weir.name = "x"})
    -> (tensor<1x6xf32> {weir.name = "y"}) {
  %0 = arith.truncf %x : tensor<1x6xf32> to tensor<1x6xbf16>
  %1 = arith.extf %0 : tensor<1x6xbf16> to tensor<1x6xf32>
  return %1 : tensor<1x6xf32>
}
