//===- weir/Frontend/Import.h - From checkpoints to modules ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_IMPORT_H
#define WEIR_FRONTEND_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "weir/Frontend/Checkpoint.h"
#include "weir/Frontend/WeightSource.h"
#include "weir/IR/Weir.h"

namespace weir {

/// How a model is imported.
struct ImportOptions {
  /// The longest sequence to compile for; none for what the model was made for,
  /// or for 4096 tokens where that is less and nothing keeps it from going on.
  /// Models with rotary positions may be given more than that. Frequencies of
  /// the kind `dynamic` are fixed by it; of `longrope`, whether there are any
  /// for long sequences.
  std::optional<int64_t> maxLength;
};

/// Builds the module of a trained model (docs/adr/004-module-conventions.md)
/// and verifies it. Errors are diagnosed in `context`: an architecture, a key
/// of the configuration or a value of it that is not understood, a tensor that
/// is missing, misshapen or left over. Tensors read are marked used.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importModel(mlir::MLIRContext &context, Checkpoint &checkpoint,
            const ImportOptions &options = {});

/// Loads the dialects that imported modules are made of.
void loadImportDialects(mlir::MLIRContext &context);

/// The serialised tokenizer that comes with a checkpoint; empty when there is
/// none.
llvm::Expected<std::vector<uint8_t>>
importTokenizerBlob(const Checkpoint &checkpoint);

/// The numbers of a `weir.param`, as an expression over the checkpoint. Of the
/// attributes that `init` may be, `#weir.pack` is refused: packing belongs to
/// the code generator, which asks for the source of the packed parameter.
/// `symbols` is the module's table. Without a checkpoint, naming one of its
/// tensors is an error. The result refers to the checkpoint.
llvm::Expected<WeightRef> buildParamSource(ParamOp param,
                                           const mlir::SymbolTable &symbols,
                                           Checkpoint *checkpoint);

} // namespace weir

#endif // WEIR_FRONTEND_IMPORT_H
