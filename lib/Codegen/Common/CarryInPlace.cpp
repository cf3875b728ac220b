//===- CarryInPlace.cpp - Values are computed where they end up -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One analysis of what one-shot bufferisation would do serves three steps.
//
// For each tensor a loop carries, the yielded value is followed backwards
// through operations that the analysis lets write into their destination,
// through inner loops and switches, as far as the body's argument. Where the
// argument is reached the value is an update in place already. Otherwise it is
// written back. The writes come last in the body, so that no read of the old
// value can follow them. State slots that a function takes and returns are
// treated the same way.
//
// Writes of several carried tensors are assignments at once: a value that lies
// in another carried tensor is written before that one is overwritten, or out
// of a copy where no order will do.
//
// At last, a value that is made in a tensor of its own and then inserted into
// another is made in its place there, unless the place may still be read by
// then: the copy would be of what is read, and the value be copied all the
// same.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_CARRYINPLACE
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;
using bufferization::OneShotAnalysisState;

namespace {
/// A terminator's operand, and the argument whose next value it is.
struct Carry {
  OpOperand *next;
  Value argument;
};

/// Writes values back and places them, in one analysed module.
class InPlaceCarrier {
public:
  explicit InPlaceCarrier(OneShotAnalysisState &state) : state(state) {}

  /// Ends the body of `loop` with the writes it needs.
  void writeBack(scf::ForOp loop);
  /// Ends `function` with the writes of its state slots.
  void writeBack(func::FuncOp function);
  /// Makes values of `module` where they are inserted.
  LogicalResult placeResults(ModuleOp module);

private:
  OpOperand *getUpdated(OpResult result);
  bool isUpdateOf(Value value, Value argument);
  bool liesIn(OpOperand &operand, const llvm::SmallDenseSet<Value> &values);
  void writeBack(SmallVector<Carry> carries);
  bool readsElementwise(OpOperand &use, SubsetInsertionOpInterface insertion);
  bool isReadMeanwhile(SubsetInsertionOpInterface insertion, Operation *user);

  OneShotAnalysisState &state;
};
} // namespace

/// How values are followed back to those in whose buffers they lie.
static bufferization::TraversalConfig getInPlaceConfig() {
  bufferization::TraversalConfig config;
  config.alwaysIncludeLeaves = false;
  config.followInPlaceOnly = true;
  return config;
}

/// The operand whose tensor `result` is an update of in place, or null.
OpOperand *InPlaceCarrier::getUpdated(OpResult result) {
  Operation *op = result.getOwner();
  unsigned number = result.getResultNumber();
  OpOperand *updated = nullptr;
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    if (isUpdateOf(loop.getYieldedValues()[number],
                   loop.getRegionIterArg(number)))
      updated = &loop.getInitArgsMutable()[number];
  } else if (auto forall = dyn_cast<scf::ForallOp>(op)) {
    updated = &forall.getOutputsMutable()[number];
  } else if (auto destination = dyn_cast<DestinationStyleOpInterface>(op)) {
    updated = destination.getTiedOpOperand(result);
  }
  return updated && state.isInPlace(*updated) ? updated : nullptr;
}

/// Whether `value` is `argument` after updates in place.
bool InPlaceCarrier::isUpdateOf(Value value, Value argument) {
  while (value != argument) {
    auto result = dyn_cast<OpResult>(value);
    if (!result)
      return false;
    // A choice updates the argument when each of its branches does.
    if (isa<scf::IfOp, scf::IndexSwitchOp>(result.getOwner()))
      return llvm::all_of(result.getOwner()->getRegions(), [&](Region &region) {
        Operation *yield = region.front().getTerminator();
        return isUpdateOf(yield->getOperand(result.getResultNumber()),
                          argument);
      });
    OpOperand *updated = getUpdated(result);
    if (!updated)
      return false;
    value = updated->get();
  }
  return true;
}

/// Whether the tensor of `operand` may lie in the buffer of one of `values`.
bool InPlaceCarrier::liesIn(OpOperand &operand,
                            const llvm::SmallDenseSet<Value> &values) {
  auto isOne = [&](Value value) { return values.contains(value); };
  return isOne(operand.get()) || !state
                                      .findValueInReverseUseDefChain(
                                          &operand, isOne, getInPlaceConfig())
                                      .empty();
}

/// Writes what is no update in place into the argument it replaces.
void InPlaceCarrier::writeBack(SmallVector<Carry> carries) {
  llvm::erase_if(carries, [&](const Carry &carry) {
    return !isa<RankedTensorType>(carry.next->get().getType()) ||
           isUpdateOf(carry.next->get(), carry.argument);
  });
  if (carries.empty())
    return;
  Operation *terminator = carries.front().next->getOwner();
  OpBuilder builder(terminator);
  // What is still needed behind a write is in other pending values.
  llvm::SmallDenseMap<OpOperand *, llvm::SmallDenseSet<Value, 4>> places;
  for (const Carry &carry : carries)
    for (const Carry &other : carries)
      if (&carry != &other && liesIn(*carry.next, {other.argument}))
        places[carry.next].insert(other.argument);
  while (!carries.empty()) {
    auto *ready = llvm::find_if(carries, [&](const Carry &carry) {
      return llvm::none_of(carries, [&](const Carry &other) {
        return places[other.next].contains(carry.argument);
      });
    });
    if (ready == carries.end()) {
      auto *held = llvm::find_if(carries, [&](const Carry &carry) {
        return !places[carry.next].empty();
      });
      OpOperand &next = *held->next;
      next.set(bufferization::AllocTensorOp::create(
          builder, terminator->getLoc(),
          cast<RankedTensorType>(next.get().getType()), ValueRange(),
          /*copy=*/next.get()));
      places[&next].clear();
      continue;
    }
    OpOperand &next = *ready->next;
    auto write = bufferization::MaterializeInDestinationOp::create(
        builder, terminator->getLoc(), next.get().getType(), next.get(),
        ready->argument);
    next.set(write->getResult(0));
    state.createAliasInfoEntry(write->getResult(0));
    state.bufferizeInPlace(write.getSourceMutable());
    state.bufferizeInPlace(write.getDestMutable());
    carries.erase(ready);
  }
}

void InPlaceCarrier::writeBack(scf::ForOp loop) {
  SmallVector<Carry> carries;
  for (auto [next, argument] :
       llvm::zip_equal(loop.getBody()->getTerminator()->getOpOperands(),
                       loop.getRegionIterArgs()))
    carries.push_back({&next, argument});
  writeBack(std::move(carries));
}

void InPlaceCarrier::writeBack(func::FuncOp function) {
  StringRef slotName = WeirDialect::getSlotAttrName();
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<Carry> carries;
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    Attribute slot = function.getResultAttr(i, slotName);
    for (unsigned j = 0; slot && j < function.getNumArguments(); ++j)
      if (function.getArgAttr(j, slotName) == slot)
        carries.push_back(
            {&terminator->getOpOperand(i), function.getArgument(j)});
  }
  writeBack(std::move(carries));
}

/// Whether the owner of `use` reads there, element by element as it writes it,
/// all that `insertion` puts its result into.
bool InPlaceCarrier::readsElementwise(OpOperand &use,
                                      SubsetInsertionOpInterface insertion) {
  auto reader =
      dyn_cast<bufferization::BufferizableOpInterface>(use.getOwner());
  auto destination = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
  if (!reader || !destination ||
      use.get() != insertion.getDestinationOperand().get() ||
      !isa<bufferization::MaterializeInDestinationOp>(insertion))
    return false;
  SmallVector<OpOperand *> accesses{&use};
  for (OpOperand &init : destination.getDpsInitsMutable())
    accesses.push_back(&init);
  return reader.bufferizesToElementwiseAccess(state, accesses);
}

/// Whether `reader` is always over when `user` begins, as often as both may run
/// each time `block`, which both are in, does.
static bool precedes(Operation *reader, Operation *user, Block *block) {
  Operation *before = nullptr;
  while (!(before = user->getBlock()->findAncestorOpInBlock(*reader)))
    user = user->getParentOp();
  if (before == user || !before->isBeforeInBlock(user))
    return false;
  for (; user->getBlock() != block; user = user->getParentOp())
    if (!isa<scf::IfOp, scf::IndexSwitchOp>(user->getParentOp()))
      return false;
  return true;
}

/// Whether the place of `insertion` may be read while `user` writes what is
/// inserted into it, or later.
bool InPlaceCarrier::isReadMeanwhile(SubsetInsertionOpInterface insertion,
                                     Operation *user) {
  OpOperand &place = insertion.getDestinationOperand();
  // An empty tensor holds nothing to be read, and bufferisation makes several
  // of one where it has to.
  if (place.get().getDefiningOp<tensor::EmptyOp>())
    return false;
  // The insertion and the user, or what they are in, in one block.
  Operation *end = insertion;
  Operation *begin = nullptr;
  while (end && !(begin = end->getBlock()->findAncestorOpInBlock(*user)))
    end = end->getParentOp();
  if (!begin || !begin->isBeforeInBlock(end))
    return true;

  // Values that may lie in the same buffer, such as a tensor and a slice of it,
  // are found backwards from both sides.
  llvm::SmallDenseSet<Value> origins;
  auto collect = [&](Value value) {
    if (!value.getDefiningOp<tensor::EmptyOp>())
      origins.insert(value);
    return false;
  };
  collect(place.get());
  state.findValueInReverseUseDefChain(&place, collect, getInPlaceConfig());
  auto isRead = [&](OpOperand &use) {
    Operation *reader = use.getOwner();
    Operation *at = end->getBlock()->findAncestorOpInBlock(*reader);
    if (reader == insertion || !at || end->isBeforeInBlock(at) ||
        precedes(reader, user, end->getBlock()) ||
        insideMutuallyExclusiveRegions(reader, user) ||
        !state.bufferizesToMemoryRead(use))
      return false;
    if (reader == user && readsElementwise(use, insertion))
      return false;
    return liesIn(use, origins);
  };
  bool read = false;
  state.createAliasInfoEntry(place.get());
  state.applyOnAliases(place.get(), [&](Value alias) {
    read = read || llvm::any_of(alias.getUses(), isRead);
  });
  return read;
}

LogicalResult InPlaceCarrier::placeResults(ModuleOp module) {
  IRRewriter rewriter(module.getContext());
  return bufferization::eliminateEmptyTensors(
      rewriter, module, state,
      [&](RewriterBase &rewriter, SubsetInsertionOpInterface insertion,
          tensor::EmptyOp empty, Operation *user) {
        return isReadMeanwhile(insertion, user)
                   ? Value()
                   : bufferization::buildSubsetExtraction(rewriter, insertion,
                                                          empty, user);
      });
}

/// Drops writes of loops' results to where the loops have come to begin: a loop
/// counts as a read of its start, and what it yields is there already.
static void dropIdleWrites(ModuleOp module) {
  module.walk([](bufferization::MaterializeInDestinationOp write) {
    auto loop = write.getSource().getDefiningOp<scf::ForOp>();
    if (!loop || write->getNumResults() == 0)
      return;
    unsigned number = cast<OpResult>(write.getSource()).getResultNumber();
    if (loop.getInitArgs()[number] != write.getDest())
      return;
    write->getResult(0).replaceAllUsesWith(write.getSource());
    write.erase();
  });
}

/// Keeps bufferisation from writing into slots that `function` only reads, the
/// memories of an encoder.
static void protectMemories(func::FuncOp function) {
  StringRef slotName = WeirDialect::getSlotAttrName();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    Attribute slot = function.getArgAttr(i, slotName);
    if (slot && llvm::none_of(
                    llvm::seq(function.getNumResults()), [&](unsigned result) {
                      return function.getResultAttr(result, slotName) == slot;
                    }))
      function.setArgAttr(
          i, bufferization::BufferizationDialect::kWritableAttrName,
          BoolAttr::get(function.getContext(), false));
  }
}

namespace {
struct CarryInPlacePass : weir::impl::CarryInPlaceBase<CarryInPlacePass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        protectMemories(function);
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.allowReturnAllocsFromLoops = true;
    OneShotAnalysisState state(getOperation(), options);
    if (failed(bufferization::analyzeModuleOp(getOperation(), state)))
      return signalPassFailure();
    InPlaceCarrier carrier(state);
    getOperation().walk([&](scf::ForOp loop) { carrier.writeBack(loop); });
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        carrier.writeBack(function);
    if (failed(carrier.placeResults(getOperation())))
      return signalPassFailure();
    dropIdleWrites(getOperation());
  }
};
} // namespace
