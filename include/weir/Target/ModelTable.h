//===- weir/Target/ModelTable.h - The table a compiled model exports -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TARGET_MODELTABLE_H
#define WEIR_TARGET_MODELTABLE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/LogicalResult.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlir {
class DictionaryAttr;
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace llvm {
class Module;
} // namespace llvm

namespace weir {

/// One argument or result; mirrors `weir_value_desc`.
struct ValueInterface {
  std::string name;
  llvm::SmallVector<int64_t> shape; ///< INT64_MIN where dynamic
  llvm::SmallVector<int32_t> axes;  ///< weir_axis
  int32_t dtype = 0;                ///< weir_dtype
  int32_t role = 0;                 ///< weir_role
  int32_t slot = -1;
  int32_t sequence = 0;
  int64_t limit = 0;
};

/// One entry point; mirrors `weir_function_desc`.
struct FunctionInterface {
  std::string name;
  std::vector<ValueInterface> args;
  std::vector<ValueInterface> results; ///< without slots updated in place
  int32_t method = 0;                  ///< weir_method
  int64_t time = INT64_MIN;
};

/// One state slot; mirrors `weir_slot_desc`.
struct SlotInterface {
  ValueInterface value;
  int32_t kind = 0; ///< weir_slot_kind
  int64_t lookback = INT64_MIN;
};

/// One kernel; mirrors `weir_kernel_desc`.
struct KernelInterface {
  std::string name;
  /// Whether a function of this name runs it in the emulator.
  bool emulated = false;
  llvm::SmallVector<int64_t> shared; ///< bytes of each shared buffer
};

/// Code for one architecture; mirrors `weir_image_desc`.
struct ImageInterface {
  std::string arch;
  std::string data;
  int32_t kind = 0; ///< weir_image_kind
};

/// The kernels of a model; mirrors `weir_device_desc`.
struct DeviceInterface {
  int32_t kind = 0; ///< weir_device_kind
  std::vector<KernelInterface> kernels;
  std::vector<ImageInterface> images;
};

/// All the runtime is told of a model; mirrors `weir_model_desc`.
struct ModelInterface {
  std::string name;
  std::string target;
  std::string options;
  std::vector<FunctionInterface> functions;
  std::vector<SlotInterface> slots;
  uint32_t maxBlock = 512;
  int64_t maxLength = INT64_MIN;
  int64_t vocabSize = 0;
  int64_t weightsBytes = 0;
  uint64_t weightsId = 0;
  std::vector<uint8_t> tokenizer;
  int32_t bos = -1, pad = -1, addBos = 0;
  llvm::SmallVector<int32_t> eos;
  /// Of models with an encoder.
  int32_t decoderStart = -1, forcedBos = -1, forcedEos = -1;
  llvm::SmallVector<int32_t> suppressed;
  /// None where the host computes all.
  std::optional<DeviceInterface> device;
  /// Whether entry points, which are code for x86 then, make zeros of results
  /// below the normal numbers.
  bool flushSubnormals = false;
};

/// Reads the interface off a module on tensors, before bufferisation: public
/// functions with bodies, slots and the `weir.model` attribute. Reports what
/// the runtime cannot pass (e.g. scalars) at its location.
llvm::LogicalResult readModelInterface(mlir::ModuleOp module,
                                       ModelInterface &interface);

/// What `readModelInterface` read, as an attribute for modules that do not show
/// it any more. The tokenizer, the target, the options and the weights are not
/// part of it.
mlir::DictionaryAttr getInterfaceAttr(mlir::MLIRContext *context,
                                      const ModelInterface &interface);

/// Reads such an attribute back. The error says what is wrong with it, worded
/// to follow its name.
llvm::Error readInterfaceAttr(mlir::DictionaryAttr attribute,
                              ModelInterface &interface);

/// Adds the entry points and the constant `weir_model` to `module`, which
/// holds the C wrappers (`_mlir_ciface_*`) of all functions of `interface`.
llvm::Error emitModelTable(llvm::Module &module,
                           const ModelInterface &interface);

} // namespace weir

#endif // WEIR_TARGET_MODELTABLE_H
