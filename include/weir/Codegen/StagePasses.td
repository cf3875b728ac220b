//===- StagePasses.td - What may remain behind a stage -----*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The contracts between stages. Each pass changes nothing; it fails at the op
// that breaks the contract. Of several ops of one name only the first is shown.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_STAGEPASSES_TD
#define WEIR_CODEGEN_STAGEPASSES_TD

include "mlir/Pass/PassBase.td"

def VerifyFormed : Pass<"weir-verify-formed", "::mlir::ModuleOp"> {
  let summary = "check that every op can be compiled";
  let description = [{
    Behind the stage `formed` there are ops of `affine`, `arith`,
    `bufferization`, `cf`, `func`, `index`, `linalg`, `math`, `memref`, `scf`,
    `tensor`, `ub` and `vector`, vector instructions of a target (`llvm`,
    `x86vector`, `amx`), and ops of `weir` that are declarations, read a weight,
    end a region, or have a plain definition (`ReferenceInterface`).

    ```mlir
    %0 = tosa.abs %x : (tensor<4xf32>) -> tensor<4xf32>
    // error: 'tosa.abs' op may not remain behind the stage formed, ...
    ```
  }];
}

def VerifyScheduled : Pass<"weir-verify-scheduled", "::mlir::ModuleOp"> {
  let summary = "check that every block map has a schedule";
  let description = [{
    As `weir-verify-formed`, and every op that implements `BlockMapInterface`
    has a `#weir.schedule`, since `weir-tile-block-maps` only reads it. Without
    `require` ops may lack one, as they do on the way to plain definitions.
  }];
  let options = [
    Option<"require", "require", "bool", "true",
           "Whether block maps must have a schedule">,
  ];
}

def VerifyTiled : Pass<"weir-verify-tiled", "::mlir::ModuleOp"> {
  let summary = "check that of the weir dialect only weights and slots are left";
  let description = [{
    Behind the stage `tiled` there are the upstream dialects of
    `weir-verify-formed`, and of `weir` only `weir.param`, `weir.slot` and
    `weir.weight`. Functions still take and return tensors.
  }];
}

def VerifyBufferized : Pass<"weir-verify-bufferized", "::mlir::ModuleOp"> {
  let summary = "check that no tensor and no allocation is left";
  let description = [{
    Behind the stage `bufferized` no value is a tensor, nothing is allocated or
    freed on the heap but what a block of a GPU shares, weights are read from an argument (only `weir.param` and
    `weir.slot` declarations are left), and every public function with a body
    ends its arguments with the weights file and the arena.
  }];
}

def VerifyLowered : Pass<"weir-verify-lowered", "::mlir::ModuleOp"> {
  let summary = "check that all code is in the LLVM dialect";
  let description = [{
    Behind the stage `lowered` there are ops of `llvm` and `omp`, kernels in a
    `gpu.module` of `llvm` and `nvvm`, and `weir.param` declarations for the
    writer of the weights file.
  }];
}

#endif // WEIR_CODEGEN_STAGEPASSES_TD
