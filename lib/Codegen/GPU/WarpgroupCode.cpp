//===- WarpgroupCode.cpp - Products of warpgroups as code -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpgroupCode.h"

using namespace mlir;
using namespace weir;

static constexpr StringLiteral WaitText = "wgmma.wait_group.sync.aligned ";

/// The registers from number `first` on, in braces.
static std::string listRegisters(int64_t first, int64_t count) {
  std::string text = "{";
  for (int64_t i = 0; i < count; ++i)
    text += (i ? ", $" : "$") + std::to_string(first + i);
  return text + "}";
}

static std::string getProductText(int64_t sums) {
  // Sums come twice: as results, and as operands tied to them.
  int64_t factors = 2 * sums, descriptor = factors + WarpgroupFactors;
  return "wgmma.mma_async.sync.aligned.m64n" + std::to_string(2 * sums) +
         "k16.f32.bf16.bf16 " + listRegisters(0, sums) + ", " +
         listRegisters(factors, WarpgroupFactors) + ", $" +
         std::to_string(descriptor) + ", 1, 1, 1, 0;";
}

static std::string getWaitText(int64_t groups) {
  return (WaitText + Twine(groups) + ";").str();
}

/// Code with `sums` that it changes and with `others` it reads.
static SmallVector<Value> buildCode(OpBuilder &builder, Location loc,
                                    const std::string &text, ValueRange sums,
                                    ValueRange others) {
  SmallVector<std::string> parts(sums.size(), "=f");
  for (size_t i = 0; i < sums.size(); ++i)
    parts.push_back(std::to_string(i));
  for (Value other : others)
    parts.push_back(other.getType().isInteger(64) ? "l" : "r");
  SmallVector<Value> operands(sums);
  llvm::append_range(operands, others);
  SmallVector<Type> types(sums.getTypes());
  auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(), types);
  auto code = LLVM::InlineAsmOp::create(
      builder, loc, result, operands, text, llvm::join(parts, ","),
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(builder.getContext(), LLVM::AsmDialect::AD_ATT),
      ArrayAttr());
  SmallVector<Value> results;
  for (size_t i = 0; i < sums.size(); ++i)
    results.push_back(
        LLVM::ExtractValueOp::create(builder, loc, code.getRes(), i));
  return results;
}

SmallVector<Value> weir::emitWarpgroupProduct(OpBuilder &builder, Location loc,
                                              ValueRange sums,
                                              ValueRange factors,
                                              Value descriptor) {
  SmallVector<Value> others(factors);
  others.push_back(descriptor);
  return buildCode(builder, loc, getProductText(sums.size()), sums, others);
}

SmallVector<Value> weir::emitWarpgroupWait(OpBuilder &builder, Location loc,
                                           ValueRange sums, int64_t groups) {
  return buildCode(builder, loc, getWaitText(groups), sums, {});
}

std::optional<WarpgroupCode> weir::matchWarpgroupCode(LLVM::InlineAsmOp code) {
  auto type = dyn_cast_or_null<LLVM::LLVMStructType>(
      code.getNumResults() ? code.getRes().getType() : Type());
  if (!type)
    return std::nullopt;
  WarpgroupCode found;
  found.sums = static_cast<int64_t>(type.getBody().size());
  StringRef text = code.getAsmString();
  if (text == getProductText(found.sums))
    return found;
  found.wait = text.consume_front(WaitText) && text.consume_back(";") &&
               !text.getAsInteger(10, found.groups);
  return found.wait ? std::optional(found) : std::nullopt;
}
