//===- SelectSchedule.cpp - Choose tiles, forms and threads -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each kind of op that takes a schedule has one function here that reads the
// op's shapes and the target and returns the schedule with its reason.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

namespace weir {
#define GEN_PASS_DEF_SELECTSCHEDULE
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
/// A schedule and why it was chosen.
struct Choice {
  ScheduleAttr schedule;
  std::string reason;
};

struct SelectSchedulePass : weir::impl::SelectScheduleBase<SelectSchedulePass> {
  using SelectScheduleBase::SelectScheduleBase;
  void runOnOperation() override;

private:
  Choice choose(PackedLinearOp linear);
  Choice choose(AttentionOp attention);
  ScheduleAttr makeSchedule(StringRef form, ArrayRef<int64_t> tiles,
                            bool parallel);
};
} // namespace

ScheduleAttr SelectSchedulePass::makeSchedule(StringRef form,
                                              ArrayRef<int64_t> tiles,
                                              bool parallel) {
  return ScheduleAttr::get(&getContext(), StringAttr::get(&getContext(), form),
                           DenseI64ArrayAttr::get(&getContext(), tiles),
                           parallel);
}

Choice SelectSchedulePass::choose(PackedLinearOp linear) {
  auto input = cast<RankedTensorType>(linear.getInput().getType());
  int64_t panel = linear.getPanel();
  if (!input.hasStaticShape())
    return {makeSchedule("rows", {12, panel}, /*parallel=*/false),
            "rows are cut into blocks, one thread each"};
  int64_t rows =
      input.getNumElements() / std::max<int64_t>(1, input.getShape().back());
  return {makeSchedule("panel", {std::min<int64_t>(rows, 12), panel},
                       /*parallel=*/true),
          std::to_string(rows) + " rows are one block; panels are spread over "
                                 "threads, so each weight is read once"};
}

Choice SelectSchedulePass::choose(AttentionOp attention) {
  auto query = cast<RankedTensorType>(attention.getQuery().getType());
  int64_t group = attention.getGroupSize();
  if (query.getDimSize(TimeAxis) == 1)
    return {makeSchedule("row", {1, 64}, /*parallel=*/true),
            "one query: scores are dot products along the heads' features"};
  // Columns of a tile are the queries of all heads of a group, in pairs of
  // vectors of accumulators.
  int64_t columns = 2 * vectorBits / 32;
  int64_t step = columns / std::gcd(columns, group);
  int64_t wanted = 3 * columns;
  int64_t queries = std::max(step, wanted / group / step * step);
  return {makeSchedule("flash", {queries, 64}, /*parallel=*/true),
          std::to_string(queries) + " queries by " + std::to_string(group) +
              " heads of a group fill " +
              std::to_string(queries * group / columns) + " pairs of vectors"};
}

void SelectSchedulePass::runOnOperation() {
  func::FuncOp function = getOperation();
  function.walk([&](Operation *op) {
    if (op->getAttrOfType<ScheduleAttr>("schedule"))
      return;
    Choice choice = llvm::TypeSwitch<Operation *, Choice>(op)
                        .Case<PackedLinearOp, AttentionOp>(
                            [&](auto scheduled) { return choose(scheduled); })
                        .Default([](Operation *) { return Choice(); });
    if (!choice.schedule)
      return;
    op->setAttr("schedule", choice.schedule);
    remark::passed(
        op->getLoc(),
        remark::RemarkOpts::name("Schedule").category("weir-select-schedule"))
        << choice.schedule.getForm().getValue() << ": " << choice.reason;
  });
  bool hasDynamicTime =
      llvm::any_of(function.getArgumentTypes(), [](Type type) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        return tensor && tensor.getRank() >= 2 && tensor.isDynamicDim(TimeAxis);
      });
  if (function->hasAttr(WeirDialect::getMethodAttrName()) && hasDynamicTime &&
      !function->hasAttr("weir.time_block"))
    function->setAttr(
        "weir.time_block",
        IntegerAttr::get(IntegerType::get(&getContext(), 64), 24));
}
