//===- GenerateOps.cpp - Choosing tokens, decode loops -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/PatternMatch.h"
#include "weir/IR/GenerateCallee.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// Whether `type` is a tensor of i32 with `rank` axes.
static bool isIntegerTensor(Type type, int64_t rank) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == rank &&
         tensor.getElementType().isSignlessInteger(32);
}

//===----------------------------------------------------------------------===//
// SampleOp
//===----------------------------------------------------------------------===//

/// The likeliest token of each row.
void SampleOp::build(OpBuilder &builder, OperationState &state, Value logits) {
  auto type = cast<RankedTensorType>(logits.getType());
  build(
      builder, state,
      RankedTensorType::get(type.getShape().take_front(), builder.getI32Type()),
      logits, /*uniform=*/Value(), APFloat(0.0), /*top_k=*/0, APFloat(1.0));
}

LogicalResult SampleOp::verify() {
  auto logits = cast<RankedTensorType>(getLogits().getType());
  double temperature = getTemperature().convertToDouble();
  double topP = getTopP().convertToDouble();
  // sample_c1
  if (logits.getRank() != 2 || !isa<FloatType>(logits.getElementType()))
    return emitOpError("draws from ")
           << logits << ", expected [batch, vocabulary] of floats";
  auto expected = RankedTensorType::get(logits.getShape().take_front(),
                                        IntegerType::get(getContext(), 32));
  if (getType() != expected)
    return emitOpError("has result type ")
           << getType() << ", expected " << expected;
  // sample_c3, before the one that reads it
  if (!(temperature >= 0) || std::isinf(temperature))
    return emitOpError("has temperature ")
           << temperature << ", expected 0 or more";
  if (int64_t topK = getTopK(); topK < 0)
    return emitOpError("keeps the top ")
           << topK << " tokens, expected 0 for all or more";
  if (!(topP > 0 && topP <= 1))
    return emitOpError("has top_p ")
           << topP << ", expected more than 0 and at most 1";
  // sample_c2
  if (static_cast<bool>(getUniform()) != (temperature != 0))
    return emitOpError(getUniform()
                           ? "has a random number and temperature 0, which "
                             "leaves nothing to chance"
                           : "has no random number for a temperature above 0; "
                             "give it with uniform(...)");
  if (!getUniform())
    return success();
  auto uniform = cast<RankedTensorType>(getUniform().getType());
  if (uniform.getShape() != logits.getShape().take_front() ||
      !isa<FloatType>(uniform.getElementType()))
    return emitOpError("has random numbers of type ")
           << uniform << ", expected [batch] of floats as in " << logits;
  return success();
}

LogicalResult SampleOp::canonicalize(SampleOp op, PatternRewriter &rewriter) {
  int64_t vocabulary =
      cast<RankedTensorType>(op.getLogits().getType()).getDimSize(1);
  int64_t topK = op.getTopK();
  // Of one kept token there is nothing to draw.
  if (op.getTemperature().convertToDouble() != 0 && topK == 1) {
    rewriter.replaceOpWithNewOp<SampleOp>(op, op.getLogits());
    return success();
  }
  // Nothing is drawn at temperature 0, and all tokens are no choice of them.
  bool greedy = op.getTemperature().convertToDouble() == 0;
  bool idleTopK =
      topK != 0 &&
      (greedy || (!ShapedType::isDynamic(vocabulary) && topK >= vocabulary));
  bool idleTopP = greedy && op.getTopP().convertToDouble() != 1;
  if (!idleTopK && !idleTopP)
    return rewriter.notifyMatchFailure(op, "every option has an effect");
  rewriter.modifyOpInPlace(op, [&] {
    if (idleTopK)
      op.setTopK(0);
    if (idleTopP)
      op.setTopP(APFloat(1.0));
  });
  return success();
}

//===----------------------------------------------------------------------===//
// GenerateOp
//===----------------------------------------------------------------------===//

LogicalResult GenerateOp::verify() {
  // generate_c1
  if (!isIntegerTensor(getIds().getType(), 2))
    return emitOpError("continues ")
           << getIds().getType() << ", expected [batch, time] of i32";
  auto ids = cast<RankedTensorType>(getIds().getType());
  if (!isIntegerTensor(getLengths().getType(), 1) ||
      cast<RankedTensorType>(getLengths().getType()).getShape() !=
          ids.getShape().take_front())
    return emitOpError("has lengths of type ")
           << getLengths().getType() << ", expected [batch] of i32 as in "
           << ids;
  // generate_c2
  int64_t maxNew = getMaxNew();
  if (maxNew <= 0)
    return emitOpError("makes ")
           << maxNew << " new tokens, expected a positive number";
  // generate_c1
  int64_t time = ids.getDimSize(TimeAxis);
  auto expected = RankedTensorType::get(
      {ids.getDimSize(BatchAxis),
       ShapedType::isDynamic(time) ? time : time + maxNew},
      ids.getElementType());
  if (getTokens().getType() != expected)
    return emitOpError("has result type ")
           << getTokens().getType() << ", expected " << expected;
  return success();
}

/// Finds what the arguments and results of `function` are, or returns why it is
/// no model.
static std::optional<std::string> findMismatch(FunctionOpInterface function,
                                               GenerateCallee &callee) {
  StringRef slot = WeirDialect::getSlotAttrName();
  StringRef role = WeirDialect::getRoleAttrName();
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    if (function.getArgAttr(i, slot)) {
      // A decode loop makes it empty, of a batch and a capacity it knows.
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor || tensor.getNumDynamicDims() > 2)
        return ("argument " + Twine(i) +
                " is no slot with dynamic extents for batch and capacity alone")
            .str();
      callee.slots.push_back(i);
      continue;
    }
    auto roleName = function.getArgAttrOfType<StringAttr>(i, role);
    std::optional<unsigned> &place =
        roleName && roleName.getValue() == "lengths" ? callee.lengths
                                                     : callee.tokens;
    if (place)
      return ("argument " + Twine(i) +
              " is neither its tokens nor its lengths nor a slot")
          .str();
    place = i;
  }
  if (!callee.tokens || !callee.lengths)
    return std::string("it lacks an argument for ") +
           (callee.tokens ? "lengths (weir.role = \"lengths\")" : "tokens");
  auto tokens = function.getArgumentTypes()[*callee.tokens];
  if (!isIntegerTensor(tokens, 2) ||
      cast<RankedTensorType>(tokens).getNumDynamicDims() != 2)
    return "its tokens are no dynamic [batch, time] of i32";
  auto lengths = function.getArgumentTypes()[*callee.lengths];
  if (!isIntegerTensor(lengths, 1) ||
      !cast<RankedTensorType>(lengths).isDynamicDim(0))
    return "its lengths are no dynamic [batch] of i32";
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    if (Attribute name = function.getResultAttr(i, slot)) {
      if (llvm::none_of(callee.slots, [&, type = type](unsigned argument) {
            return function.getArgAttr(argument, slot) == name &&
                   function.getArgumentTypes()[argument] == type;
          }))
        return ("result " + Twine(i) +
                " is a slot that no argument of its type brings in")
            .str();
      continue;
    }
    auto logits = dyn_cast<RankedTensorType>(type);
    if (callee.logits || !logits || logits.getRank() != 3 ||
        !logits.isDynamicDim(BatchAxis) ||
        !isa<FloatType>(logits.getElementType()))
      return ("result " + Twine(i) +
              " is neither a slot nor the one [batch, time, vocabulary] of "
              "floats")
          .str();
    callee.logits = i;
  }
  for (unsigned argument : callee.slots) {
    Attribute name = function.getArgAttr(argument, slot);
    if (llvm::none_of(llvm::seq(function.getNumResults()), [&](unsigned i) {
          return function.getResultAttr(i, slot) == name;
        }))
      return ("argument " + Twine(argument) +
              " is a slot that no result gives, the memory of an encoder, "
              "which a decode loop does not have")
          .str();
  }
  if (!callee.logits)
    return std::string("it returns no logits");
  return std::nullopt;
}

FailureOr<GenerateCallee> weir::findGenerateCallee(GenerateOp op,
                                                   std::string &mismatch) {
  SymbolTableCollection tables;
  return findGenerateCallee(op, tables, mismatch);
}

FailureOr<GenerateCallee>
weir::findGenerateCallee(GenerateOp op, SymbolTableCollection &tables,
                         std::string &mismatch) {
  GenerateCallee callee;
  callee.function = tables.lookupNearestSymbolFrom<FunctionOpInterface>(
      op, op.getCalleeAttr());
  if (!callee.function) {
    mismatch = "there is no such function";
    return failure();
  }
  auto method = callee.function->getAttrOfType<StringAttr>(
      WeirDialect::getMethodAttrName());
  if (!method) {
    mismatch = "it has no weir.method";
    return failure();
  }
  callee.wholeSequence = method.getValue() == "forward";
  if (std::optional<std::string> found =
          findMismatch(callee.function, callee)) {
    mismatch = *found;
    return failure();
  }
  return callee;
}

RankedTensorType GenerateCallee::getRowLogitsType() {
  auto type = cast<RankedTensorType>(function.getResultTypes()[*logits]);
  return RankedTensorType::get({type.getDimSize(0), type.getDimSize(2)},
                               type.getElementType());
}

LogicalResult GenerateOp::verifySymbolUses(SymbolTableCollection &tables) {
  // generate_c3
  std::string mismatch;
  FailureOr<GenerateCallee> callee =
      findGenerateCallee(*this, tables, mismatch);
  if (failed(callee)) {
    InFlightDiagnostic diagnostic = emitOpError("cannot ask ")
                                    << getCalleeAttr()
                                    << " for tokens: " << mismatch;
    if (Operation *function =
            tables.lookupNearestSymbolFrom(*this, getCalleeAttr()))
      diagnostic.attachNote(function->getLoc()) << "declared here";
    return diagnostic;
  }
  // generate_c4
  if (getChoose().empty())
    return success();
  Block &body = getChoose().front();
  RankedTensorType logits = callee->getRowLogitsType();
  if (body.getNumArguments() != 2 || body.getArgument(0).getType() != logits ||
      !body.getArgument(1).getType().isIndex())
    return emitOpError("has a region with arguments (")
           << body.getArgumentTypes() << "), expected (" << logits
           << ", index)";
  auto expected = RankedTensorType::get(logits.getShape().take_front(),
                                        IntegerType::get(getContext(), 32));
  auto yield = body.empty() ? nullptr : dyn_cast<YieldOp>(body.back());
  if (!yield || yield.getNumOperands() != 1 ||
      yield.getOperand(0).getType() != expected)
    return emitOpError("has a region that does not yield one ") << expected;
  return success();
}
