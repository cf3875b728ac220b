//===- TokenSequences.cpp - Lists of tokens ---------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenSequences.h"

using namespace mlir;
using namespace weir;

/// Goes through a function from its arguments on.
class TokenSequences::Walker {
public:
  Walker(TokenSequences &found, const AxisFlow &flow,
         std::optional<AxisRefusal> &refusal)
      : sequences(found.sequences), flow(flow), refusal(refusal) {}

  void seed(ValueRange arguments) {
    for (Value argument : arguments)
      if (flow.getAxis(argument))
        sequences[argument] = Value();
  }
  LogicalResult visitBlock(Block &block) {
    for (Operation &op : block)
      if (failed(visitOp(&op)))
        return failure();
    return success();
  }

private:
  LogicalResult visitOp(Operation *op);
  LogicalResult visitStack(StackOp op);
  LogicalResult visitList(ListTokensOp op);
  LogicalResult visitGather(GatherTokensOp op);

  std::optional<Value> find(Value value) const {
    auto it = sequences.find(value);
    return it == sequences.end() ? std::nullopt : std::optional(it->second);
  }
  void set(Value value, std::optional<Value> sequence) {
    if (sequence && flow.getAxis(value))
      sequences[value] = *sequence;
  }
  LogicalResult refuse(Operation *op, const Twine &reason) {
    refusal = AxisRefusal{op->getLoc(), reason.str(), std::nullopt};
    return failure();
  }

  llvm::DenseMap<Value, Value> &sequences;
  const AxisFlow &flow;
  std::optional<AxisRefusal> &refusal;
};

LogicalResult TokenSequences::Walker::visitOp(Operation *op) {
  if (auto stack = dyn_cast<StackOp>(op))
    return visitStack(stack);
  if (auto list = dyn_cast<ListTokensOp>(op))
    return visitList(list);
  if (auto gather = dyn_cast<GatherTokensOp>(op))
    return visitGather(gather);
  std::optional<Value> sequence;
  for (Value operand : op->getOperands()) {
    std::optional<Value> own = find(operand);
    if (own && sequence && *own != *sequence)
      return refuse(op, "this mixes listed tokens with others; bring them to "
                        "one sequence by weir.gather_tokens");
    if (own)
      sequence = own;
  }
  if (sequence && *sequence && isa<func::ReturnOp>(op))
    return refuse(op, "a result has listed tokens alone; weir.gather_tokens by "
                      "ranks brings them back to where they stand");
  for (Value result : op->getResults())
    set(result, sequence);
  return success();
}

LogicalResult TokenSequences::Walker::visitStack(StackOp op) {
  SmallVector<std::optional<Value>> carried;
  for (Value init : op.getInits())
    carried.push_back(find(init));
  // What begins as a constant, as sums do, is of the tokens that a layer first
  // fills it with; what was found without knowing that is looked at again.
  bool changed = true;
  while (changed) {
    changed = false;
    for (Region &region : op.getKinds()) {
      Block &body = region.front();
      for (auto [sequence, argument] :
           llvm::zip_equal(carried, body.getArguments().drop_front()))
        set(argument, sequence);
      // A yield hands on values of several sequences.
      for (Operation &inner : body.without_terminator())
        if (failed(visitOp(&inner)))
          return failure();
      for (auto [sequence, yielded] :
           llvm::zip_equal(carried, body.getTerminator()->getOperands())) {
        std::optional<Value> own = find(yielded);
        if (!own || own == sequence)
          continue;
        if (sequence)
          return refuse(body.getTerminator(),
                        "the stack carries tokens of one sequence in and of "
                        "another one out");
        sequence = own;
        changed = true;
      }
    }
  }
  for (auto [sequence, result] : llvm::zip_equal(carried, op.getResults()))
    set(result, sequence);
  return success();
}

LogicalResult TokenSequences::Walker::visitList(ListTokensOp op) {
  std::optional<Value> source = find(op.getIndices());
  if (!source)
    return success();
  set(op.getPlaces(), op.getPlaces());
  set(op.getRanks(), source);
  return success();
}

LogicalResult TokenSequences::Walker::visitGather(GatherTokensOp op) {
  auto list = op.getPlaces().getDefiningOp<ListTokensOp>();
  if (!list)
    return refuse(op, "tokens are gathered by positions that are no result of "
                      "weir.list_tokens");
  std::optional<Value> source = find(list.getIndices());
  std::optional<Value> input = find(op.getInput());
  if (!source)
    return success();
  bool isBack = op.getPlaces() == list.getRanks();
  Value from = isBack ? list.getPlaces() : *source;
  if (input && *input != from)
    return refuse(op, isBack ? "tokens are gathered by ranks that are not "
                               "those of the list"
                             : "tokens are gathered by places of another "
                               "sequence");
  set(op.getResult(), isBack ? *source : list.getPlaces());
  return success();
}

FailureOr<TokenSequences>
TokenSequences::compute(func::FuncOp function, const AxisFlow &flow,
                        std::optional<AxisRefusal> &refusal) {
  TokenSequences found;
  Walker walker(found, flow, refusal);
  walker.seed(function.getArguments());
  if (failed(walker.visitBlock(function.front())))
    return failure();
  return found;
}

Value TokenSequences::getSequence(Operation *op) const {
  for (Value operand : op->getOperands())
    if (auto it = sequences.find(operand); it != sequences.end())
      return it->second;
  return {};
}
