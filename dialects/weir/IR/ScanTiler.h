//===- ScanTiler.h - A scan's region on a tile -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_SCANTILER_H
#define WEIR_IR_SCANTILER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/ScanAxes.h"

namespace weir {

/// What the builders of a scan's block map share.
class ScanTiler {
public:
  ScanTiler(ScanOp op, mlir::OpBuilder &builder, ScheduleAttr schedule)
      : op(op), builder(builder), loc(op.getLoc()), axes(op),
        tiles(llvm::ArrayRef<int64_t>(schedule.getTiles())
                  .take_front(axes.getExtents().size())) {}

  /// Where what `part`, a value of the region or an operand in it, stands for
  /// lies in the tile of `point`, behind leading axes at `lead`, with an extent
  /// of one each. Without a point: in the tile itself.
  template <typename Part>
  TilePlace getPlace(Part &&part, llvm::ArrayRef<mlir::OpFoldResult> lead,
                     mlir::ValueRange point);
  /// That of `source`, without the leading axes.
  mlir::Value extract(mlir::Value argument, mlir::Value source,
                      llvm::ArrayRef<mlir::OpFoldResult> lead,
                      mlir::ValueRange point);
  /// `part` of a tile, for `result`, written to `into`.
  mlir::Value insert(unsigned result, mlir::Value part, mlir::Value into,
                     llvm::ArrayRef<mlir::OpFoldResult> lead);
  /// What the region yields for a result.
  mlir::OpOperand &getYielded(unsigned result) {
    return op.getBody().front().getTerminator()->getOpOperand(result);
  }
  mlir::OpFoldResult index(int64_t number) {
    return builder.getIndexAttr(number);
  }
  mlir::OpFoldResult getTime() {
    return mlir::tensor::getMixedSize(builder, loc, op.getInputs().front(),
                                      TimeAxis);
  }
  /// The region on a tile, given its arguments; the yielded values.
  llvm::SmallVector<mlir::Value> buildStep(mlir::IRMapping &mapping);

  /// Where in a point the first block of its range is, if it has one; the block
  /// behind the last follows.
  unsigned getRanged() const { return 1 + axes.getExtents().size(); }
  bool isRanged(mlir::ValueRange point) const {
    return point.size() > getRanged();
  }
  /// The arguments for inputs, at block `index`, and for params; returns the
  /// token that block is.
  mlir::Value mapArguments(mlir::ValueRange point, mlir::Value index,
                           mlir::ValueRange invariants,
                           mlir::IRMapping &mapping);

  /// The type of a value of the region in a tile.
  mlir::RankedTensorType getTileType(mlir::Value value) const {
    return mlir::cast<mlir::RankedTensorType>(axes.getTileType(value, tiles));
  }
  /// Clones an operation of the region on a tile.
  void cloneOp(mlir::Operation &inner, mlir::IRMapping &mapping);
  /// What `operand` reads in a tile.
  mlir::Value getOperand(mlir::OpOperand &operand, mlir::IRMapping &mapping);
  /// Lets the operation that makes `next` write over `state`, if all that is
  /// read of that is read before, or element by element by the operation
  /// itself.
  void updateInPlace(mlir::Value state, mlir::Value next);

private:
  ScanOp op;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  ScanAxes axes;
  llvm::ArrayRef<int64_t> tiles;
};

template <typename Part>
TilePlace ScanTiler::getPlace(Part &&part,
                              llvm::ArrayRef<mlir::OpFoldResult> lead,
                              mlir::ValueRange point) {
  TilePlace place;
  for (mlir::OpFoldResult at : lead) {
    place.offsets.push_back(at);
    place.sizes.push_back(index(1));
  }
  auto tile = mlir::cast<mlir::RankedTensorType>(axes.getTileType(part, tiles));
  for (auto [extent, number] :
       llvm::zip_equal(tile.getShape(), axes.getClasses(part))) {
    mlir::OpFoldResult offset = index(0);
    if (number && !point.empty() && extent != axes.getExtents()[*number])
      offset = mlir::arith::MulIOp::create(builder, loc, point[1 + *number],
                                           buildIndex(builder, loc, extent))
                   .getResult();
    place.offsets.push_back(offset);
    place.sizes.push_back(index(extent));
  }
  return place;
}

/// Positions in the list of a point's invariants. The parts of params follow,
/// and the first token of the point's range, if it has one.
enum ScanInvariant : unsigned {
  EndOfRow,  ///< tokens the row has
  FirstParam ///< the first of the params' parts
};

} // namespace weir

#endif // WEIR_IR_SCANTILER_H
