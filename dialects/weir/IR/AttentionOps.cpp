//===- AttentionOps.cpp - Softmax attention -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

int64_t AttentionOp::getGroupSize() {
  auto query = cast<RankedTensorType>(getQuery().getType());
  auto key = cast<RankedTensorType>(getKey().getType());
  return query.getDimSize(2) / key.getDimSize(2);
}

/// Whether two extents may be the same at run time.
static bool mayEqual(int64_t lhs, int64_t rhs) {
  return ShapedType::isDynamic(lhs) || ShapedType::isDynamic(rhs) || lhs == rhs;
}

LogicalResult AttentionOp::verify() {
  auto query = cast<RankedTensorType>(getQuery().getType());
  auto key = cast<RankedTensorType>(getKey().getType());
  auto value = cast<RankedTensorType>(getValue().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  // attention_c1
  for (auto [type, name] : {std::pair(query, "query"), std::pair(key, "key"),
                            std::pair(value, "value")}) {
    if (type.getRank() != 4 || type.isDynamicDim(2) || type.isDynamicDim(3))
      return emitOpError("has a ") << name << " of type " << type
                                   << ", expected [batch, time, heads, dim] "
                                      "with static heads and dim";
    if (type.getElementType() != query.getElementType())
      return emitOpError("has a ")
             << name << " of type " << type << " when the query is " << query;
  }
  if (query.getDimSize(3) != key.getDimSize(3))
    return emitOpError("has query heads of ")
           << query.getDimSize(3) << " features and key heads of "
           << key.getDimSize(3);
  if (key.getDimSize(2) != value.getDimSize(2) ||
      !mayEqual(key.getDimSize(1), value.getDimSize(1)))
    return emitOpError("has a key of type ")
           << key << " and a value of type " << value
           << ", which differ in heads or time";
  if (!mayEqual(query.getDimSize(0), key.getDimSize(0)) ||
      !mayEqual(query.getDimSize(0), value.getDimSize(0)))
    return emitOpError("has batches of ")
           << query.getDimSize(0) << " queries and " << key.getDimSize(0)
           << " keys";
  auto expected =
      RankedTensorType::get({query.getDimSize(0), query.getDimSize(1),
                             query.getDimSize(2), value.getDimSize(3)},
                            query.getElementType());
  if (result != expected)
    return emitOpError("has result type ")
           << result << ", expected " << expected;
  // attention_c2
  if (key.getDimSize(2) == 0 || query.getDimSize(2) % key.getDimSize(2))
    return emitOpError("has ")
           << query.getDimSize(2) << " query heads, expected a multiple of the "
           << key.getDimSize(2) << " key heads";
  // attention_c3
  for (Value rows : {getOffset(), getKeyLengths()}) {
    if (!rows)
      continue;
    auto type = cast<RankedTensorType>(rows.getType());
    if (type.getRank() != 1 || !type.getElementType().isSignlessInteger(32) ||
        !mayEqual(type.getDimSize(0), query.getDimSize(0)))
      return emitOpError("has an offset or key lengths of type ")
             << type << ", expected [batch] of i32";
  }
  return success();
}

LogicalResult AttentionOp::verifyRegions() {
  // attention_c7
  if (getScore().empty())
    return success();
  Block &body = getScore().front();
  Type element = cast<RankedTensorType>(getQuery().getType()).getElementType();
  bool matches =
      body.getNumArguments() == 5 && body.getArgument(0).getType() == element &&
      llvm::all_of(body.getArguments().drop_front(),
                   [](Value index) { return index.getType().isIndex(); });
  if (!matches)
    return emitOpError("has a score region with arguments (")
           << body.getArgumentTypes() << "), expected (" << element
           << ", index, index, index, index)";
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || yield.getNumOperands() != 1 ||
      yield.getOperand(0).getType() != element)
    return emitOpError("has a score region that does not yield one ")
           << element;
  return success();
}
