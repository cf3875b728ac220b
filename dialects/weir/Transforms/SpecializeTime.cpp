//===- SpecializeTime.cpp - Steps for a fixed block length -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows the time axis (AxisFlow.h) through a step and clones its body with
// the extent of that axis fixed; then, where asked, the batch axis of the copy.
//
//===----------------------------------------------------------------------===//

#include "AxisFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Transforms/Passes.h"
#include "weir/Transforms/Transforms.h"

namespace weir {
#define GEN_PASS_DEF_SPECIALIZETIMEPASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// A copy of `function`, in no module yet, with `axis` cut to `extent`, or null
/// where no argument has that axis. A failure has been reported.
static FailureOr<func::FuncOp> cutFunction(func::FuncOp function,
                                           ModuleOp module, SequenceAxis axis,
                                           int64_t extent) {
  std::optional<AxisRefusal> refusal;
  FailureOr<AxisFlow> flow =
      AxisFlow::compute(function, module, axis, AxisTrust::Derived, refusal);
  if (failed(flow))
    return refusal->emit(axis == TimeAxis ? "cannot fix the block length"
                                          : "cannot fix the batch");
  if (!flow->isPresent())
    return func::FuncOp();
  func::FuncOp copy = function.cloneWithoutRegions();
  Block *body = new Block();
  copy.getBody().push_back(body);
  IRMapping mapping;
  for (BlockArgument argument : function.getArguments())
    mapping.map(argument,
                body->addArgument(flow->getTypeAtExtent(argument, extent),
                                  argument.getLoc()));
  OpBuilder builder = OpBuilder::atBlockEnd(body);
  for (Operation &op : function.front())
    cloneAtExtent(builder, &op, mapping, *flow, extent);
  copy.setType(FunctionType::get(copy.getContext(), body->getArgumentTypes(),
                                 body->getTerminator()->getOperandTypes()));
  return copy;
}

FailureOr<func::FuncOp>
weir::specializeStep(func::FuncOp step, const SpecializeTimeOptions &options) {
  auto module = step->getParentOfType<ModuleOp>();
  std::string name = step.getSymName().str();
  func::FuncOp copy;
  auto cut = [&](SequenceAxis axis, std::optional<int64_t> extent,
                 const Twine &suffix) {
    if (!extent)
      return success();
    FailureOr<func::FuncOp> next =
        cutFunction(copy ? copy : step, module, axis, *extent);
    if (failed(next))
      return failure();
    if (!*next)
      return success();
    if (copy)
      copy.erase();
    copy = *next;
    name += suffix.str();
    return success();
  };
  if (failed(cut(BatchAxis, options.batch,
                 "_b" + Twine(options.batch.value_or(0)))) ||
      failed(cut(TimeAxis, options.time,
                 "_t" + Twine(options.time.value_or(0))))) {
    if (copy)
      copy.erase();
    return failure();
  }
  if (!copy)
    return copy;
  if (Operation *other = SymbolTable::lookupSymbolIn(module, name)) {
    copy.erase();
    InFlightDiagnostic diag = step.emitError("cannot add @")
                              << name << ": the module has this symbol already";
    diag.attachNote(other->getLoc()) << "defined here";
    return failure();
  }
  copy.setSymName(name);
  module.getBody()->getOperations().insert(std::next(Block::iterator(step)),
                                           copy);
  return copy;
}

namespace {

struct SpecializeTimePass
    : public weir::impl::SpecializeTimePassBase<SpecializeTimePass> {
  using SpecializeTimePassBase::SpecializeTimePassBase;

  void runOnOperation() override {
    SpecializeTimeOptions options;
    if (time < 1 || batch < 0) {
      getOperation().emitError("fixes ")
          << time << " tokens and " << batch
          << " rows, expected positive numbers (or no rows)";
      return signalPassFailure();
    }
    options.time = time;
    if (batch)
      options.batch = batch;
    for (auto function :
         llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      auto method =
          function->getAttrOfType<StringAttr>(WeirDialect::getMethodAttrName());
      if (!method || function.isExternal() ||
          (method.getValue() != "extend" &&
           method.getValue() != "extend_last") ||
          (!this->method.empty() && this->method != method.getValue()))
        continue;
      if (failed(specializeStep(function, options)))
        return signalPassFailure();
    }
  }
};

} // namespace
