// Element-wise work and reductions of rows, on the emulator and on the CPU: row
// sums by warps, a broadcast behind a barrier, and rows of an odd length.

// REQUIRES: numpy, safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py write %t.in.safetensors \
// RUN:   x=2x5:1,2,3,4,5,-1,-2,-3,-4,6
// RUN: weirc %s --target=simt --quiet -o %t.simt
// RUN: %t.simt --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out.safetensors \
// RUN:   | FileCheck %s
// RUN: weirc %s --target=simt --reference --quiet -o %t.reference
// RUN: %t.reference --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out.safetensors \
// RUN:   | FileCheck %s

// CHECK: y 2x5: 0.0666667 0.133333 0.2 0.266667 0.333333 0.25 0.5 0.75 1 -1.5

#rows = affine_map<(i, k) -> (i)>
#all = affine_map<(i, k) -> (i, k)>
func.func @f(%x: tensor<?x5xf32> {weir.name = "x"})
    -> (tensor<?x5xf32> {weir.name = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x5xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#all, #rows],
                         iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x5xf32>) outs(%z : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  %f = tensor.empty(%n) : tensor<?x5xf32>
  %y = linalg.generic {indexing_maps = [#all, #rows, #all],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<?x5xf32>, tensor<?xf32>)
      outs(%f : tensor<?x5xf32>) {
  ^bb0(%a: f32, %s: f32, %out: f32):
    %0 = arith.divf %a, %s : f32
    linalg.yield %0 : f32
  } -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}
