//===- Passes.td - Code generation passes ------------------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_PASSES_TD
#define WEIR_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def BindWeights : Pass<"weir-bind-weights", "::mlir::ModuleOp"> {
  let summary = "place weights in one file and read them from its mapping";
  let description = [{
    Gives every `weir.param` that is read an `offset` in the weights file, sets
    `weir.weights_bytes` on the module, appends an argument for the mapped file
    (`weir.role = "weights"`) to every public function, and turns `weir.weight`
    into a view of it. Offsets are multiples of 64 bytes; parameters nobody
    reads get none.

    ```mlir
    // old:
    weir.param @w : tensor<3x8xf32> = #weir.checkpoint<"w">
    func.func @f(%layer: index) -> tensor<8xf32> {
      %0 = weir.weight @w[%layer] : tensor<8xf32>
    // new:
    weir.param @w : tensor<3x8xf32> = #weir.checkpoint<"w"> {offset = 0 : i64}
    func.func @f(%layer: index, %file: memref<?xi8> {weir.role = "weights"})
      %shift = ... // %layer * 32 + 0
      %view = memref.view %file[%shift][] : memref<?xi8> to memref<8xf32>
      %0 = bufferization.to_tensor %view restrict : memref<8xf32> to tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::memref::MemRefDialect"];
}

def CarryInPlace : Pass<"weir-carry-in-place", "::mlir::ModuleOp"> {
  let summary = "write loop-carried tensors back where they came from";
  let description = [{
    A tensor carried by `scf.for` whose next value is computed afresh would make
    bufferisation allocate in every iteration, and the buffers of two
    iterations alive at once. This pass ends such a body by writing the next
    value into the carried one, so that one buffer serves the whole loop.
    Values that are already updates of the carried tensor are left alone.

    ```mlir
    // old:
    scf.for ... iter_args(%x = %x0) {
      %y = linalg.generic ins(%x) outs(%empty)
      scf.yield %y
    // new:
      %y = linalg.generic ins(%x) outs(%empty)
      %z = bufferization.materialize_in_destination %y in %x
      scf.yield %z
    ```
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def LowerCopies : Pass<"weir-lower-copies", "::mlir::ModuleOp"> {
  let summary = "turn copies of strided buffers into loops";
  let description = [{
    `memref.copy` between contiguous buffers becomes a call of memcpy further
    down; of strided ones it would become a call of a library that Weir's
    runtime does not have. Those turn into `linalg.copy` here.

    ```mlir
    // old:
    memref.copy %a, %b : memref<4x8xf32, strided<[16, 1]>> to memref<4x8xf32>
    // new:
    linalg.copy ins(%a : memref<4x8xf32, strided<[16, 1]>>)
                outs(%b : memref<4x8xf32>)
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def PlanMemory : Pass<"weir-plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every buffer its place in an arena";
  let description = [{
    Appends an argument for scratch memory (`weir.role = "arena"`) to every
    public function, replaces each `memref.alloc` by a view of it, and adds
    `@<name>__arena` with the same arguments, which returns the bytes needed
    from the extents of the arguments alone. Nothing is allocated in a step.

    Every buffer has a place of its own, a multiple of 64 bytes. Buffers inside
    a parallel loop get one copy per thread, behind the shared part. A buffer
    inside a sequential loop is reused by each iteration.

    Precondition: bufferised, one level of functions. An allocation whose size
    depends on data or on a loop counter is an error at its place.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect"];
}

#endif // WEIR_CODEGEN_PASSES_TD
