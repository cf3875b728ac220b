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
#include "weir/Frontend/PackedWeights.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileOutputBuffer.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace weir;

/// What the packing of weights calls `type`; none for other than f32, f16 and
/// bf16.
static std::optional<StorageType> getFloatType(Type type) {
  if (type.isF32())
    return StorageType::F32;
  if (type.isF16())
    return StorageType::F16;
  if (type.isBF16())
    return StorageType::BF16;
  return std::nullopt;
}

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
  if (std::optional<StorageType> floats = getFloatType(type))
    return encodeFloats(
        *floats, values,
        MutableArrayRef(out, values.size() * getBytesPerBlock(*floats)));
  if (type.isF64())
    return store([](float value) { return static_cast<double>(value); });
  if (type.isSignlessInteger(64) || type.isIndex())
    return store([](float value) { return static_cast<int64_t>(value); });
  if (type.isSignlessInteger(32))
    return store([](float value) { return static_cast<int32_t>(value); });
  // Bytes may be meant signed or unsigned.
  if (type.isSignlessInteger(8))
    return store([](float value) {
      return static_cast<uint8_t>(static_cast<int32_t>(value));
    });
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return llvm::createStringError(
      "cannot write weights of element type " + name +
      ", expected f32, f64, bf16, f16, index, or integers of 8, 32 or 64 bits");
}

static_assert(static_cast<int>(PackedPart::Values) ==
                      static_cast<int>(PackPart::Values) &&
                  static_cast<int>(PackedPart::Quants) ==
                      static_cast<int>(PackPart::Quants) &&
                  static_cast<int>(PackedPart::Scales) ==
                      static_cast<int>(PackPart::Scales) &&
                  static_cast<int>(PackedPart::Mins) ==
                      static_cast<int>(PackPart::Mins) &&
                  static_cast<int>(PackedPart::Pairs) ==
                      static_cast<int>(PackPart::Pairs),
              "both number the parts alike");

static_assert(static_cast<int>(PackedCode::Affine) ==
                      static_cast<int>(PackCode::Affine) &&
                  static_cast<int>(PackedCode::E2M1) ==
                      static_cast<int>(PackCode::E2M1) &&
                  static_cast<int>(PackedCode::E4M3) ==
                      static_cast<int>(PackCode::E4M3),
              "both number the codes alike");

/// How `param`, whose init is `pack`, is packed. What its quants depend on is
/// seen from the scales and mins made of the same matrix.
static llvm::Expected<PackedLayout> getLayout(ParamOp param, PackAttr pack) {
  PackedLayout layout;
  layout.part = static_cast<PackedPart>(pack.getPart());
  layout.panel = pack.getPanel();
  layout.bits = pack.getBits();
  layout.group = pack.getGroup();
  layout.code = static_cast<PackedCode>(pack.getCode());
  auto setFloats = [&](ParamOp part) -> llvm::Error {
    Type element = part.getTensorType().getElementType();
    if (layout.code == PackedCode::E2M1 && element.isSignlessInteger(8)) {
      layout.floats = StorageType::F8_E8M0;
      return llvm::Error::success();
    }
    std::optional<StorageType> floats = getFloatType(element);
    if (!floats)
      return llvm::createStringError("@" + part.getSymName() +
                                     " is packed as integers, expected f32, "
                                     "f16 or bf16");
    layout.floats = *floats;
    return llvm::Error::success();
  };
  if (pack.getPart() == PackPart::Values || pack.getPart() == PackPart::Pairs) {
    if (llvm::Error error = setFloats(param))
      return std::move(error);
    return layout;
  }
  auto getAs = [&](PackPart part) {
    return PackAttr::get(pack.getContext(), pack.getSource(), part,
                         pack.getPanel(), pack.getBits(), pack.getGroup(),
                         pack.getCode());
  };
  PackAttr scales = getAs(PackPart::Scales), mins = getAs(PackPart::Mins);
  for (auto other : param->getParentOfType<ModuleOp>().getOps<ParamOp>()) {
    if (other.getInit() == mins)
      layout.hasMins = true;
    if (other.getInit() == scales)
      if (llvm::Error error = setFloats(other))
        return std::move(error);
  }
  // Mins are rounded as scales are, so one type must do.
  if (pack.getPart() == PackPart::Mins) {
    StorageType ofScales = layout.floats;
    if (llvm::Error error = setFloats(param))
      return std::move(error);
    if (layout.floats != ofScales)
      return llvm::createStringError("scales and mins of different types");
  }
  if (pack.getPart() == PackPart::Quants &&
      !param.getTensorType().getElementType().isSignlessInteger(8))
    return llvm::createStringError("quants are packed as i8");
  return layout;
}

/// Fills `out` with the numbers of `param`, a part of a packed matrix.
static llvm::Error writePackedParam(ParamOp param, PackAttr pack,
                                    const SymbolTable &symbols,
                                    Checkpoint *checkpoint, uint8_t *out) {
  auto matrix = symbols.lookup<ParamOp>(pack.getSource().getAttr());
  if (!matrix)
    return llvm::createStringError("packs @" + pack.getSource().getValue() +
                                   ", which there is not");
  llvm::Expected<WeightRef> source =
      buildParamSource(matrix, symbols, checkpoint);
  if (!source)
    return source.takeError();
  llvm::Expected<PackedLayout> layout = getLayout(param, pack);
  if (!layout)
    return layout.takeError();
  llvm::Expected<int64_t> bytes = getPackedBytes(*layout, (*source)->shape());
  if (!bytes)
    return bytes.takeError();
  RankedTensorType type = param.getTensorType();
  int64_t declared = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  if (*bytes != declared)
    return llvm::createStringError("packed it has " + std::to_string(*bytes) +
                                   " bytes, its type says " +
                                   std::to_string(declared));
  return packWeights(*source, *layout, MutableArrayRef(out, *bytes));
}

/// Fills `out` with the numbers of `param`.
static llvm::Error writeParam(ParamOp param, const SymbolTable &symbols,
                              Checkpoint *checkpoint, uint8_t *out) {
  if (auto pack = dyn_cast<PackAttr>(param.getInit()))
    return writePackedParam(param, pack, symbols, checkpoint, out);
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

  bool isPartial = llvm::any_of(module.getOps<ParamOp>(), [](ParamOp param) {
    return param->hasAttr("weir.partial");
  });
  uint64_t id = llvm::xxh3_64bits(ArrayRef(payload, bytes));
  std::memcpy(file, WEIR_WEIGHTS_MAGIC, 8);
  llvm::support::endian::write32le(file + WEIR_WEIGHTS_VERSION_AT,
                                   WEIR_ABI_VERSION);
  llvm::support::endian::write64le(file + WEIR_WEIGHTS_ID_AT, id);
  llvm::support::endian::write64le(file + WEIR_WEIGHTS_BYTES_AT, bytes);
  llvm::support::endian::write32le(file + WEIR_WEIGHTS_PARTIAL_AT, isPartial);
  if (llvm::Error error = (*buffer)->commit())
    return error;
  return id;
}
