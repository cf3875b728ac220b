//===- ScanTransfer.cpp - Scans in ranges of time -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the step is affine and element-wise in the states (ScanAffinity.h), a
// run of steps makes of states h
//
//   h'[i] = sum over j of A[i, j] * h[j] + B[i]
//
// with tensors A[i, j] and B[i] of the states' type. B is what the region makes
// of states of zero. A begins as 1 for i = j and else as 0, and goes through
// the region as what changes with a state: along column j, states are replaced
// by A[., j] and what does not depend on a state by nothing. Operations of the
// region that depend on states are emitted once, with the results for B and for
// all columns of A side by side, so that they share the coefficients. Pairs
// that no number of steps brings together have no A.
//
//===----------------------------------------------------------------------===//

#include "ScanTiler.h"
#include "SmallNumbers.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/RegionUtils.h"
#include "weir/IR/ScanAffinity.h"
#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;

namespace {
/// The pairs (i, j) of states for which there is an A.
using StatePairs = SmallVector<std::pair<unsigned, unsigned>>;

/// Of values of the region, what changes with a state. Those that are missing
/// do not.
using Tangents = DenseMap<Value, Value>;

/// Builds the region on a tile for B and the columns of A.
class SummaryBuilder {
public:
  SummaryBuilder(ScanOp op, OpBuilder &builder, ScanTiler &tiler)
      : op(op), builder(builder), loc(op.getLoc()), tiler(tiler), affinity(op),
        columns(op.getStates().size()) {}

  /// Given the arguments in `mapping`, with B for states, and A for `pairs`:
  /// the next B, then the next A.
  SmallVector<Value> build(IRMapping &mapping, const StatePairs &pairs,
                           ValueRange factors);

private:
  void need(Value value);
  /// The operations in the body of `inner` that its needed results take.
  llvm::SetVector<Operation *> getNeededBody(linalg::LinalgOp inner);
  void emitStructured(linalg::LinalgOp inner, IRMapping &mapping);

  ScanOp op;
  OpBuilder &builder;
  Location loc;
  ScanTiler &tiler;
  ScanAffinity affinity;
  SmallVector<Tangents> columns;
  DenseSet<Value> needed;
};
} // namespace

/// The pairs of states that some number of steps brings together.
static StatePairs getPairs(ScanOp op) {
  ScanAffinity affinity(op);
  unsigned count = op.getStates().size();
  SmallVector<SmallVector<bool>> reads(count, SmallVector<bool>(count));
  for (unsigned i = 0; i < count; ++i) {
    reads[i][i] = true;
    for (const auto &[j, axes] : affinity.getState(i).states)
      reads[i][j] = true;
  }
  for (unsigned k = 0; k < count; ++k)
    for (unsigned i = 0; i < count; ++i)
      for (unsigned j = 0; j < count; ++j)
        if (reads[i][k] && reads[k][j])
          reads[i][j] = true;
  StatePairs pairs;
  for (unsigned i = 0; i < count; ++i)
    for (unsigned j = 0; j < count; ++j)
      if (reads[i][j])
        pairs.push_back({i, j});
  return pairs;
}

//===----------------------------------------------------------------------===//
// Tangents
//===----------------------------------------------------------------------===//

/// What changes with a state in the result of `inner`, an operation that is
/// affine in states; null if nothing does. `primal` gives values, `tangent`
/// what changes of them or null.
static Value buildTangent(OpBuilder &b, Operation &inner, Type type,
                          function_ref<Value(Value)> primal,
                          function_ref<Value(Value)> tangent) {
  Location l = inner.getLoc();
  auto multiply = [&](Value lhs, Value rhs) -> Value {
    if (Value change = tangent(lhs))
      return arith::MulFOp::create(b, l, change, primal(rhs));
    if (Value change = tangent(rhs))
      return arith::MulFOp::create(b, l, primal(lhs), change);
    return {};
  };
  auto add = [&](Value lhs, Value rhs) -> Value {
    if (lhs && rhs)
      return arith::AddFOp::create(b, l, lhs, rhs);
    return lhs ? lhs : rhs;
  };
  auto operand = [&](unsigned number) {
    return tangent(inner.getOperand(number));
  };
  if (isa<arith::AddFOp>(inner))
    return add(operand(0), operand(1));
  if (isa<arith::SubFOp>(inner)) {
    Value lhs = operand(0), rhs = operand(1);
    if (lhs && rhs)
      return arith::SubFOp::create(b, l, lhs, rhs);
    return rhs ? Value(arith::NegFOp::create(b, l, rhs)) : lhs;
  }
  if (isa<arith::MulFOp>(inner))
    return multiply(inner.getOperand(0), inner.getOperand(1));
  if (isa<math::FmaOp>(inner))
    return add(multiply(inner.getOperand(0), inner.getOperand(1)), operand(2));
  if (isa<arith::SelectOp>(inner)) {
    Value lhs = operand(1), rhs = operand(2);
    if (!lhs && !rhs)
      return {};
    Value none = arith::ConstantOp::create(
        b, l, type, cast<TypedAttr>(b.getZeroAttr(type)));
    return arith::SelectOp::create(b, l, primal(inner.getOperand(0)),
                                   lhs ? lhs : none, rhs ? rhs : none);
  }
  // The rest is of one operand, or a quotient.
  Value change = operand(0);
  if (!change)
    return {};
  if (isa<arith::DivFOp>(inner))
    return arith::DivFOp::create(b, l, change, primal(inner.getOperand(1)));
  IRMapping mapping;
  mapping.map(inner.getOperand(0), change);
  Operation *clone = b.clone(inner, mapping);
  clone->getResult(0).setType(type);
  return clone->getResult(0);
}

//===----------------------------------------------------------------------===//
// The region
//===----------------------------------------------------------------------===//

llvm::SetVector<Operation *>
SummaryBuilder::getNeededBody(linalg::LinalgOp inner) {
  llvm::SetVector<Operation *> body;
  Operation *yield = inner.getBlock()->getTerminator();
  auto add = [&](Value value) {
    Operation *maker = value.getDefiningOp();
    if (maker && maker->getBlock() == inner.getBlock())
      body.insert(maker);
  };
  for (OpResult result : inner->getResults())
    if (needed.contains(result))
      add(yield->getOperand(result.getResultNumber()));
  for (size_t next = 0; next < body.size(); ++next)
    body[next]->walk(
        [&](Operation *nested) { llvm::for_each(nested->getOperands(), add); });
  return body;
}

/// Marks `value`, and all that it is computed from, for being emitted.
void SummaryBuilder::need(Value value) {
  if (!needed.insert(value).second)
    return;
  Operation *maker = value.getDefiningOp();
  if (!maker || maker->getBlock() != &op.getBody().front())
    return;
  auto structured = dyn_cast<linalg::LinalgOp>(maker);
  if (!structured || !affinity.getValue(value)) {
    llvm::for_each(maker->getOperands(), [&](Value operand) { need(operand); });
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(maker->getRegions(), captured);
    llvm::for_each(captured, [&](Value read) { need(read); });
    return;
  }
  auto read = [&](Value used) {
    auto argument = dyn_cast<BlockArgument>(used);
    if (argument && argument.getOwner() == structured.getBlock())
      need(maker->getOperand(argument.getArgNumber()));
    else if (used.getParentBlock() != structured.getBlock())
      need(used);
  };
  read(structured.getBlock()->getTerminator()->getOperand(
      cast<OpResult>(value).getResultNumber()));
  for (Operation *body : getNeededBody(structured))
    body->walk([&](Operation *nested) {
      llvm::for_each(nested->getOperands(), read);
    });
}

void SummaryBuilder::emitStructured(linalg::LinalgOp inner,
                                    IRMapping &mapping) {
  llvm::SetVector<Operation *> body = getNeededBody(inner);
  Operation *yield = inner.getBlock()->getTerminator();
  auto isRead = [&](BlockArgument argument) {
    return llvm::any_of(argument.getUses(), [&](OpOperand &use) {
      if (use.getOwner() == yield)
        return needed.contains(inner->getResult(use.getOperandNumber()));
      return body.contains(
          inner.getBlock()->findAncestorOpInBlock(*use.getOwner()));
    });
  };

  // What is read, then what changes of it along each column.
  SmallVector<Value> inputs, outputs;
  SmallVector<AffineMap> maps;
  SmallVector<Value> arguments;
  struct Change {
    unsigned column;
    Value argument;
  };
  SmallVector<Change> changes;
  auto read = [&](Value tile, OpOperand &operand) {
    inputs.push_back(tile);
    maps.push_back(inner.getMatchingIndexingMap(&operand));
  };
  SmallVector<OpOperand *> operands;
  for (OpOperand &operand : inner->getOpOperands())
    if (isRead(inner.getMatchingBlockArgument(&operand)))
      operands.push_back(&operand);
  for (OpOperand *operand : operands) {
    read(tiler.getOperand(*operand, mapping), *operand);
    arguments.push_back(inner.getMatchingBlockArgument(operand));
  }
  for (OpOperand *operand : operands)
    for (auto [number, column] : llvm::enumerate(columns))
      if (Value change = column.lookup(operand->get())) {
        read(change, *operand);
        changes.push_back(
            {unsigned(number), inner.getMatchingBlockArgument(operand)});
      }

  // The needed results, each with what changes of it.
  struct Output {
    OpResult result;
    std::optional<unsigned> column;
  };
  SmallVector<Output> results;
  auto write = [&](OpResult result, std::optional<unsigned> column) {
    RankedTensorType type = tiler.getTileType(result);
    outputs.push_back(tensor::EmptyOp::create(builder, loc, type.getShape(),
                                              type.getElementType()));
    maps.push_back(
        inner.getMatchingIndexingMap(inner.getTiedOpOperand(result)));
    results.push_back({result, column});
  };
  for (OpResult result : inner->getResults()) {
    if (!needed.contains(result))
      continue;
    write(result, std::nullopt);
    for (unsigned number = 0; number < columns.size(); ++number)
      if (llvm::any_of(affinity.getValue(result).states, [&](const auto &part) {
            return columns[number].contains(op.getStateArguments()[part.first]);
          }))
        write(result, number);
  }

  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange(ValueRange(outputs)), inputs, outputs, maps,
      SmallVector<IteratorType>(inner.getNumLoops(), IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange given) {
        IRMapping elements(mapping);
        SmallVector<Tangents> local(columns.size());
        for (auto [argument, value] : llvm::zip(arguments, given))
          elements.map(argument, value);
        for (auto [change, value] :
             llvm::zip(changes, given.drop_front(arguments.size())))
          local[change.column][change.argument] = value;
        for (Operation &scalar : inner.getBlock()->without_terminator()) {
          if (!body.contains(&scalar))
            continue;
          b.clone(scalar, elements);
          if (scalar.getNumResults() != 1 ||
              !affinity.getValue(scalar.getResult(0)))
            continue;
          for (Tangents &column : local)
            if (Value change = buildTangent(
                    b, scalar, scalar.getResult(0).getType(),
                    [&](Value value) {
                      return elements.lookupOrDefault(value);
                    },
                    [&](Value value) { return column.lookup(value); }))
              column[scalar.getResult(0)] = change;
        }
        SmallVector<Value> yielded;
        for (const Output &output : results) {
          Value value = yield->getOperand(output.result.getResultNumber());
          yielded.push_back(
              output.column
                  ? buildFlushed(b, l, local[*output.column].lookup(value))
                  : elements.lookupOrDefault(value));
        }
        linalg::YieldOp::create(b, l, yielded);
      });
  for (auto [output, value] : llvm::zip_equal(results, generic.getResults())) {
    if (output.column)
      columns[*output.column][output.result] = value;
    else
      mapping.map(output.result, value);
  }
}

SmallVector<Value> SummaryBuilder::build(IRMapping &mapping,
                                         const StatePairs &pairs,
                                         ValueRange factors) {
  auto states = op.getStateArguments();
  unsigned outputs = op.getOutputs().size();
  for (unsigned number = 0; number < states.size(); ++number)
    need(tiler.getYielded(outputs + number).get());
  for (auto [pair, factor] : llvm::zip_equal(pairs, factors))
    columns[pair.second][states[pair.first]] = factor;

  for (Operation &inner : op.getBody().front().without_terminator()) {
    if (llvm::none_of(inner.getResults(),
                      [&](Value result) { return needed.contains(result); }))
      continue;
    bool depends = llvm::any_of(inner.getResults(), [&](Value result) {
      return needed.contains(result) &&
             static_cast<bool>(affinity.getValue(result));
    });
    if (auto structured = dyn_cast<linalg::LinalgOp>(inner);
        structured && depends) {
      emitStructured(structured, mapping);
      continue;
    }
    tiler.cloneOp(inner, mapping);
    if (!depends)
      continue;
    // An element-wise operation on tensors.
    for (Tangents &column : columns) {
      auto primal = [&](Value value) -> Value {
        for (OpOperand &operand : inner.getOpOperands())
          if (operand.get() == value)
            return tiler.getOperand(operand, mapping);
        return mapping.lookupOrDefault(value);
      };
      if (Value change = buildTangent(
              builder, inner, tiler.getTileType(inner.getResult(0)), primal,
              [&](Value value) { return column.lookup(value); }))
        column[inner.getResult(0)] = change;
    }
  }

  SmallVector<Value> next;
  for (unsigned number = 0; number < states.size(); ++number)
    next.push_back(
        tiler.getOperand(tiler.getYielded(outputs + number), mapping));
  for (auto [i, j] : pairs) {
    Value change = columns[j].lookup(tiler.getYielded(outputs + i).get());
    RankedTensorType type = tiler.getTileType(states[i]);
    next.push_back(change ? change
                          : buildFilled(builder, loc, type.getShape(),
                                        type.getElementType(), 0));
  }
  return next;
}

//===----------------------------------------------------------------------===//
// BlockMapInterface
//===----------------------------------------------------------------------===//

bool ScanOp::isWrittenByBlocks(unsigned result) {
  return result < getOutputs().size();
}

int64_t ScanOp::getCarriedParts(ScheduleAttr schedule) {
  return schedule.getForm().getValue() == "parallel"
             ? ArrayRef<int64_t>(schedule.getTiles()).back()
             : 1;
}

Value ScanOp::buildBlockCount(OpBuilder &builder, ScheduleAttr schedule) {
  ScanTiler tiler(*this, builder, schedule);
  return getValueOrCreateConstantIndexOp(builder, getLoc(), tiler.getTime());
}

SmallVector<RankedTensorType> ScanOp::getTransferTypes(ScheduleAttr schedule) {
  OpBuilder builder(*this);
  ScanTiler tiler(*this, builder, schedule);
  SmallVector<RankedTensorType> types;
  for (BlockArgument state : getStateArguments())
    types.push_back(tiler.getTileType(state));
  for (auto [i, j] : getPairs(*this))
    types.push_back(types[i]);
  return types;
}

SmallVector<Value> ScanOp::buildTransferInit(OpBuilder &builder,
                                             ScheduleAttr schedule, ValueRange,
                                             ValueRange) {
  Location loc = getLoc();
  StatePairs pairs = getPairs(*this);
  SmallVector<Value> transfer;
  for (auto [number, type] : llvm::enumerate(getTransferTypes(schedule))) {
    bool isOne = false;
    if (number >= getStates().size()) {
      auto [i, j] = pairs[number - getStates().size()];
      isOne = i == j;
    }
    transfer.push_back(buildFilled(builder, loc, type.getShape(),
                                   type.getElementType(), isOne));
  }
  return transfer;
}

SmallVector<Value> ScanOp::buildSummary(OpBuilder &builder,
                                        ScheduleAttr schedule, ValueRange point,
                                        Value index, ValueRange invariants,
                                        ValueRange transfer) {
  ScanTiler tiler(*this, builder, schedule);
  IRMapping mapping;
  tiler.mapArguments(point, index, invariants, mapping);
  size_t states = getStates().size();
  for (auto [argument, state] :
       llvm::zip(getStateArguments(), transfer.take_front(states)))
    mapping.map(argument, state);
  SmallVector<Value> next =
      SummaryBuilder(*this, builder, tiler)
          .build(mapping, getPairs(*this), transfer.drop_front(states));
  for (auto [before, after] : llvm::zip_equal(transfer, next))
    if (!llvm::is_contained(next, before))
      tiler.updateInPlace(before, after);
  return next;
}

SmallVector<Value> ScanOp::buildApplication(OpBuilder &builder,
                                            ScheduleAttr schedule,
                                            ValueRange transfer,
                                            ValueRange carry) {
  Location loc = getLoc();
  StatePairs pairs = getPairs(*this);
  unsigned count = getStates().size();
  SmallVector<Value> next(carry);
  MutableArrayRef<Value> states =
      MutableArrayRef(next).drop_front(getOutputs().size());
  // States that are part of one another change at once.
  llvm::EquivalenceClasses<unsigned> joined;
  for (auto [i, j] : pairs)
    joined.unionSets(i, j);
  for (unsigned leader = 0; leader < count; ++leader) {
    if (joined.getLeaderValue(leader) != leader)
      continue;
    SmallVector<unsigned> members;
    SmallVector<Value> inputs, outputs;
    SmallVector<std::pair<unsigned, unsigned>> own;
    for (unsigned state = 0; state < count; ++state)
      if (joined.getLeaderValue(state) == leader) {
        members.push_back(state);
        inputs.push_back(transfer[state]);
        outputs.push_back(states[state]);
      }
    auto getMember = [&](unsigned state) {
      return llvm::find(members, state) - members.begin();
    };
    for (auto [number, pair] : llvm::enumerate(pairs))
      if (joined.getLeaderValue(pair.first) == leader) {
        inputs.push_back(transfer[count + number]);
        own.push_back({getMember(pair.first), getMember(pair.second)});
      }
    unsigned rank = cast<RankedTensorType>(outputs.front().getType()).getRank();
    auto generic = linalg::GenericOp::create(
        builder, loc, TypeRange(ValueRange(outputs)), inputs, outputs,
        SmallVector<AffineMap>(inputs.size() + outputs.size(),
                               builder.getMultiDimIdentityMap(rank)),
        SmallVector<IteratorType>(rank, IteratorType::parallel),
        [&](OpBuilder &b, Location l, ValueRange in) {
          SmallVector<Value> sums(in.take_front(members.size()));
          for (auto [number, pair] : llvm::enumerate(own)) {
            Value product =
                arith::MulFOp::create(b, l, in[members.size() + number],
                                      in[inputs.size() + pair.second]);
            sums[pair.first] =
                arith::AddFOp::create(b, l, product, sums[pair.first]);
          }
          linalg::YieldOp::create(b, l, sums);
        });
    for (auto [member, state] : llvm::zip_equal(members, generic.getResults()))
      states[member] = state;
  }
  return next;
}

/// Elements of states that take as long as entering a further parallel loop,
/// and tokens below which nothing is gained with states of any size.
static constexpr int64_t LeastElements = 2048, LeastTokens = 16;

RangeCost ScanOp::getRangeCost(ScheduleAttr schedule) {
  int64_t elements = 0;
  OpBuilder builder(*this);
  ScanTiler tiler(*this, builder, schedule);
  for (BlockArgument state : getStateArguments())
    elements += tiler.getTileType(state).getNumElements();
  RangeCost cost;
  // All but the outputs is computed, and the factors beside: of a step that is
  // one exponential and a sum, measured.
  cost.summaryPercent = 125;
  cost.leastBlocks =
      std::max(LeastTokens, LeastElements / std::max<int64_t>(1, elements));
  return cost;
}
