//===- WeightsWriter.cpp - Write the packed weights file -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The file is memory-mapped at its full size under a temporary name, filled
// parameter by parameter, hashed, and renamed. A parameter is computed slice by
// slice of its leading axis, so that no more than one layer of it is in memory
// as f32.
//
//===----------------------------------------------------------------------===//

#include "WeightsWriter.h"
#include "weir-rt/ModelDesc.h"
#include "weir-rt/WeightsFile.h"
#include "weir/Frontend/Import.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileOutputBuffer.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace weir;

/// Writes `values` as elements of `type` to `out`.
static llvm::Error writeElements(Type type, ArrayRef<float> values,
                                 uint8_t *out) {
  auto store = [&](auto convert) {
    using T = decltype(convert(0.0f));
    for (auto [i, value] : llvm::enumerate(values)) {
      T element = convert(value);
      std::memcpy(out + i * sizeof(T), &element, sizeof(T));
    }
    return llvm::Error::success();
  };
  if (type.isF32())
    return store([](float value) { return value; });
  if (type.isF64())
    return store([](float value) { return static_cast<double>(value); });
  if (type.isBF16() || type.isF16())
    return store([&](float value) {
      llvm::APFloat number(value);
      bool lost;
      number.convert(cast<FloatType>(type).getFloatSemantics(),
                     llvm::APFloat::rmNearestTiesToEven, &lost);
      return static_cast<uint16_t>(number.bitcastToAPInt().getZExtValue());
    });
  if (type.isSignlessInteger(64) || type.isIndex())
    return store([](float value) { return static_cast<int64_t>(value); });
  if (type.isSignlessInteger(32))
    return store([](float value) { return static_cast<int32_t>(value); });
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return llvm::createStringError("cannot write weights of element type " +
                                 name +
                                 ", expected f32, bf16, f16 or integers");
}

/// Fills `out` with the numbers of `param`.
static llvm::Error writeParam(ParamOp param, const SymbolTable &symbols,
                              Checkpoint *checkpoint, uint8_t *out) {
  RankedTensorType type = param.getTensorType();
  llvm::Expected<WeightRef> source =
      buildParamSource(param, symbols, checkpoint);
  if (!source)
    return source.takeError();
  int64_t slices = type.getRank() == 0 ? 1 : type.getDimSize(0);
  int64_t elements = type.getNumElements() / std::max<int64_t>(slices, 1);
  int64_t bytes = elements * llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  // Large slices are read by several threads at once, small ones together.
  constexpr int64_t Together = 1 << 20;
  int64_t step =
      std::max<int64_t>(1, Together / std::max<int64_t>(elements, 1));
  std::vector<float> values;
  for (int64_t slice = 0; slice < slices; slice += step) {
    int64_t end = std::min(slice + step, slices);
    values.resize((end - slice) * elements);
    llvm::Error error = type.getRank() == 0
                            ? (*source)->read(0, values)
                            : (*source)->readRows(slice, end, values);
    if (error)
      return error;
    if (llvm::Error error =
            writeElements(type.getElementType(), values, out + slice * bytes))
      return error;
  }
  return llvm::Error::success();
}

llvm::Expected<uint64_t> weir::writeWeights(ModuleOp module,
                                            Checkpoint *checkpoint,
                                            llvm::StringRef path) {
  auto total = module->getAttrOfType<IntegerAttr>("weir.weights_bytes");
  uint64_t bytes = total ? total.getInt() : 0;
  auto buffer =
      llvm::FileOutputBuffer::create(path, WEIR_WEIGHTS_PAYLOAD_AT + bytes);
  if (!buffer)
    return buffer.takeError();
  uint8_t *file = (*buffer)->getBufferStart();
  uint8_t *payload = file + WEIR_WEIGHTS_PAYLOAD_AT;

  SymbolTable symbols(module);
  for (auto param : module.getOps<ParamOp>()) {
    auto offset = param->getAttrOfType<IntegerAttr>("offset");
    if (!offset)
      continue;
    if (llvm::Error error =
            writeParam(param, symbols, checkpoint, payload + offset.getInt()))
      return llvm::createStringError("weight @" + param.getSymName() + ": " +
                                     llvm::toString(std::move(error)));
  }

  uint64_t id = llvm::xxh3_64bits(ArrayRef(payload, bytes));
  std::memcpy(file, WEIR_WEIGHTS_MAGIC, 8);
  llvm::support::endian::write32le(file + WEIR_WEIGHTS_VERSION_AT,
                                   WEIR_ABI_VERSION);
  llvm::support::endian::write64le(file + WEIR_WEIGHTS_ID_AT, id);
  llvm::support::endian::write64le(file + WEIR_WEIGHTS_BYTES_AT, bytes);
  if (llvm::Error error = (*buffer)->commit())
    return error;
  return id;
}
