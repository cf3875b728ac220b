//===- weir/Transforms/StepBuilder.h - Steps op by op -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_STEPBUILDER_H
#define WEIR_TRANSFORMS_STEPBUILDER_H

#include "AxisFlow.h"
#include "TokenSequences.h"
#include "mlir/IR/IRMapping.h"

namespace weir {

/// A slot of the state under construction. Slot 0 holds the positions.
struct SlotPlan {
  SlotKind kind;
  /// Of one layer: `[batch, capacity, ...]` or `[batch, ...]`.
  mlir::RankedTensorType layerType;
  /// Layers of the kind that uses the slot; 0 outside of stacks.
  int64_t layers;
  mlir::Location loc;
  /// Positions looked back at by all readers; none is all of them.
  std::optional<int64_t> lookback;

  mlir::RankedTensorType getType() const {
    if (layers == 0)
      return layerType;
    llvm::SmallVector<int64_t> shape{layers};
    llvm::append_range(shape, layerType.getShape());
    return mlir::RankedTensorType::get(shape, layerType.getElementType());
  }
};

/// A block of the step function under construction.
struct StepScope {
  /// The block of @forward that it is the step of.
  mlir::Block *forward;
  mlir::Block *step;
  mlir::OpBuilder builder;
  /// Layers that run this block, and the number of the present one; 0 and null
  /// outside of stacks.
  int64_t layers;
  mlir::Value layer;
  /// The newest value of each slot, null for slots not threaded through, and
  /// the block argument that brings it in.
  llvm::SmallVector<mlir::Value> current;
  llvm::SmallVector<mlir::BlockArgument> incoming;
};

/// The tokens of one sequence that each row has before a block of the step, and
/// has in it.
struct BlockExtent {
  mlir::Value offset;
  mlir::Value lengths;
};

/// Builds @extend.
class StepBuilder : public StreamingContext {
public:
  StepBuilder(mlir::func::FuncOp forward, const AxisFlow &flow,
              mlir::Value lengths, std::optional<AxisRefusal> &refusal)
      : forward(forward), flow(flow), forwardLengths(lengths),
        refusal(refusal) {}

  /// Builds the function, in no module yet, or returns null.
  mlir::func::FuncOp build();
  llvm::ArrayRef<SlotPlan> getSlots() const { return slots; }

  mlir::Value lookup(mlir::Value value) override {
    return mapping.lookupOrDefault(value);
  }
  mlir::FailureOr<mlir::Value> getHistory(mlir::Value value,
                                          const HistoryNeed &need) override;
  mlir::FailureOr<mlir::Value> getPast(mlir::Value result,
                                       const HistoryNeed &need) override;
  mlir::FailureOr<mlir::Value> getCarry(mlir::Operation *op,
                                        llvm::StringRef name,
                                        mlir::RankedTensorType type) override;
  void setCarry(mlir::Operation *op, llvm::StringRef name,
                mlir::Value value) override;
  mlir::Value getOffset() override { return present.offset; }
  mlir::Value getLengths() override { return present.lengths; }
  void startSequence(mlir::Value forwardPlaces, mlir::Value offset,
                     mlir::Value lengths) override {
    listed[forwardPlaces] = {offset, lengths};
  }

private:
  llvm::LogicalResult buildBlock(mlir::Block &block);
  llvm::LogicalResult buildOp(mlir::Operation *op);
  void alignHistories();
  llvm::LogicalResult buildStack(StackOp op);
  mlir::func::FuncOp finish(mlir::func::FuncOp step);
  unsigned addSlot(SlotKind kind, mlir::RankedTensorType type, int64_t layers,
                   mlir::Location loc);
  unsigned addHistory(StepScope &scope, mlir::Value value,
                      const HistoryNeed &need);
  mlir::Value appendBlock(StepScope &scope, unsigned slot, mlir::Value value);
  mlir::Value getSlotValue(StepScope &scope, unsigned slot);
  void orderSlotArguments(StepScope &scope, llvm::ArrayRef<unsigned> used);
  mlir::Value readLayer(StepScope &scope, unsigned slot, mlir::Location loc);
  mlir::Value addLengths(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value into);
  llvm::LogicalResult refuse(mlir::Location loc, const llvm::Twine &reason) {
    refusal = AxisRefusal{loc, reason.str(), std::nullopt};
    return llvm::failure();
  }

  mlir::func::FuncOp forward;
  const AxisFlow &flow;
  mlir::Value forwardLengths;
  std::optional<AxisRefusal> &refusal;

  mlir::IRMapping mapping;
  llvm::SmallVector<SlotPlan> slots;
  /// Open blocks, outermost first.
  llvm::SmallVector<std::unique_ptr<StepScope>> scopes;
  /// The slot of each value with a history, and what readers read.
  llvm::DenseMap<mlir::Value, std::pair<unsigned, mlir::Value>> histories;
  /// Histories that the op under construction has asked for of its results.
  llvm::SmallVector<std::pair<mlir::Value, unsigned>> pasts;
  llvm::DenseMap<std::pair<mlir::Operation *, mlir::StringAttr>, unsigned>
      carries;
  /// The slots of the histories that one op reads, for each op.
  llvm::SmallVector<llvm::SmallVector<unsigned>> readTogether;
  mlir::Value offset, lengths;
  TokenSequences sequences;
  /// The blocks of lists of tokens, by their places, and that of the sequence
  /// which the op under construction belongs to.
  llvm::DenseMap<mlir::Value, BlockExtent> listed;
  BlockExtent present;
};

} // namespace weir

#endif // WEIR_TRANSFORMS_STEPBUILDER_H
