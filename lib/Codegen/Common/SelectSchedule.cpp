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
#include "weir/IR/ScanAffinity.h"
#include "weir/IR/ScanAxes.h"
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
  Choice chooseListed(AttentionOp attention);
  Choice chooseSorted(AttentionOp attention);
  Choice choose(DeltaValuesOp delta);
  Choice choose(SelectBlocksOp select);
  Choice choose(RecurrenceOp recurrence);
  Choice choose(ScanOp scan);
  Choice chooseRanges(ScanOp scan, const ScanAffinity &affinity,
                      ArrayRef<int64_t> tiles, std::string reason);
  Choice choose(ExpertsOp experts);
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

/// Panels of a tile of a product that runs on one thread: few enough that what
/// is computed from the tile finds it in the first-level cache.
static constexpr int64_t PanelsPerInnerTile = 4;

Choice SelectSchedulePass::choose(PackedLinearOp linear) {
  int64_t panels =
      cast<RankedTensorType>(linear.getValues().getType()).getDimSize(0);
  if (auto experts = dyn_cast<ExpertsOp>(linear->getParentOp());
      experts && choose(experts).schedule.getForm().getValue() != "columns") {
    if (grid)
      return {makeSchedule("panel", {rows, linear.getPanel()},
                           /*parallel=*/true),
              "one panel for a block of one expert"};
    int64_t perTile = std::min(panels, PanelsPerInnerTile);
    while (panels % perTile != 0)
      --perTile;
    return {makeSchedule("panel", {rows, perTile * linear.getPanel()},
                         /*parallel=*/false),
            "experts are what threads share; tiles of " +
                std::to_string(perTile) + " of " + std::to_string(panels) +
                " panels are read again at once"};
  }
  // Some pieces per thread even out what threads are held up by; with pieces
  // of equal size no thread waits for a remainder.
  int64_t wanted = std::max<int64_t>(1, panels / (4 * threads));
  int64_t perTile = wanted;
  while (panels % perTile != 0 && 2 * perTile > wanted)
    --perTile;
  if (panels % perTile != 0)
    perTile = wanted;
  return {makeSchedule("panel", {rows, perTile * linear.getPanel()},
                       /*parallel=*/true),
          std::to_string(panels) + " panels in pieces of " +
              std::to_string(perTile) + " for " + std::to_string(threads) +
              " threads; each weight is read once"};
}

/// Rows of a batch that are known of, at least one.
static int64_t getKnownRows(RankedTensorType type) {
  int64_t rows = type.getDimSize(BatchAxis);
  return ShapedType::isDynamic(rows) ? 1 : std::max<int64_t>(1, rows);
}

/// Keys of a step for one query, and for a list of blocks.
static constexpr int64_t KeysPerStep = 64;

/// Keys of a step for a tile of queries: sums are read and written once for
/// each.
static constexpr int64_t KeysPerTile = 128;

/// A mask that reaches fewer keys than this for each query of a tile gets
/// smaller tiles: these see fewer keys that only some of their queries do.
static constexpr int64_t KeysPerQuery = 16;

/// Keys of a step along a path: what lies between two of them is a matrix,
/// which costs with their square what all else costs with their number.
static constexpr int64_t KeysPerPathStep = 16;

/// Keys of a block, and a part of a vector, from which on queries that do not
/// share their lists are sorted by block: gathering them, and joining what each
/// block gives, takes longer than a few products.
static constexpr int64_t KeysPerSortedBlock = 32;

/// Bytes of the sums of queries that are sorted together, a second-level cache:
/// more of them name a block, which is read again for each lot.
static constexpr int64_t SortedBytes = 1 << 21;

/// Queries that are sorted together at least, and as many as may be where it is
/// not known that there are enough heads for the threads.
static constexpr int64_t LeastSorted = 64, UnknownSorted = 1024;

/// Queries with lists of their own, sorted by the blocks that they name.
Choice SelectSchedulePass::chooseSorted(AttentionOp attention) {
  auto query = cast<RankedTensorType>(attention.getQuery().getType());
  auto value = cast<RankedTensorType>(attention.getValue().getType());
  int64_t heads = query.getDimSize(2) / attention.getListedHeads();
  int64_t lanes = vectorBits / 32;
  int64_t together = std::max<int64_t>(1, 4 * lanes / heads);
  int64_t sorted = SortedBytes / (4 * heads * value.getDimSize(3));
  int64_t points = getKnownRows(query) * attention.getListedHeads();
  int64_t parts = llvm::divideCeil(threads, std::max<int64_t>(1, points));
  int64_t time = query.getDimSize(TimeAxis);
  if (!ShapedType::isDynamic(time))
    sorted = std::min(sorted, (time + parts - 1) / parts);
  else if (parts > 1)
    sorted = std::min(sorted, UnknownSorted);
  sorted = std::max(sorted, LeastSorted);
  std::string blocks = std::to_string(attention.getBlockSize());
  return {makeSchedule("list_sorted", {sorted, KeysPerTile, together},
                       /*parallel=*/true),
          std::to_string(sorted) + " queries sorted by the blocks of " +
              blocks + " keys that they name, " + std::to_string(together) +
              " by " + std::to_string(heads) + " heads at once"};
}

/// Lists of blocks: as many queries as share one, in vectors where these and
/// their heads fill some; else queries sorted by block.
Choice SelectSchedulePass::chooseListed(AttentionOp attention) {
  auto query = cast<RankedTensorType>(attention.getQuery().getType());
  int64_t heads = query.getDimSize(2) / attention.getListedHeads();
  auto queries = static_cast<int64_t>(attention.getQueryBlock());
  while (queries > 1 && (queries * heads > 3 * vectorBits / 16 ||
                         attention.getQueryBlock() % queries != 0))
    --queries;
  bool isVector = queries * heads >= vectorBits / 32;
  if (sort && !isVector && query.getDimSize(TimeAxis) != 1 &&
      static_cast<int64_t>(attention.getBlockSize()) >= KeysPerSortedBlock)
    return chooseSorted(attention);
  std::string blocks = std::to_string(attention.getBlockSize());
  return {makeSchedule(isVector ? "list_flash" : "list", {queries, KeysPerStep},
                       /*parallel=*/true),
          "blocks of " + blocks + " keys, chosen for " +
              std::to_string(queries) + " queries by " + std::to_string(heads) +
              " heads at once"};
}

Choice SelectSchedulePass::choose(AttentionOp attention) {
  if (attention.getBlockList())
    return chooseListed(attention);
  auto query = cast<RankedTensorType>(attention.getQuery().getType());
  int64_t group = attention.getGroupSize();
  if (query.getDimSize(TimeAxis) == 1) {
    int64_t heads =
        cast<RankedTensorType>(attention.getKey().getType()).getDimSize(2);
    // Few heads do not divide evenly among threads; parts of the keys do.
    int64_t parts = threads / std::gcd(heads, int64_t(threads));
    if (attention.getPathKey())
      return {makeSchedule("row", {1, KeysPerStep}, /*parallel=*/true),
              "one query, which passes key by key along its path"};
    if (query.getDimSize(BatchAxis) == 1 && parts > 1 && heads < 4 * threads)
      return {makeSchedule("split", {1, KeysPerStep, parts}, /*parallel=*/true),
              "one query: " + std::to_string(heads) + " heads by " +
                  std::to_string(parts) + " parts of the keys for " +
                  std::to_string(threads) + " threads"};
    return {makeSchedule("row", {1, KeysPerStep}, /*parallel=*/true),
            "one query: scores are dot products along the heads' features"};
  }
  // Columns of a tile are the queries of all heads of a group, in whole
  // vectors.
  int64_t lanes = vectorBits / 32;
  int64_t step = lanes / std::gcd(lanes, group);
  int64_t wanted = 4 * lanes;
  MaskReach reach = attention.getReach();
  if (reach.ahead && reach.behind &&
      *reach.ahead + *reach.behind < KeysPerQuery * wanted / group)
    wanted = 2 * lanes;
  int64_t queries = std::max(step, wanted / group / step * step);
  bool hasPath = static_cast<bool>(attention.getPathKey());
  std::string reason = std::to_string(queries) + " queries by " +
                       std::to_string(group) + " heads of a group fill " +
                       std::to_string(queries * group / lanes) + " vectors";
  if (hasPath)
    reason += "; the path goes by " + std::to_string(KeysPerPathStep) + " keys";
  return {makeSchedule("flash",
                       {queries, hasPath ? KeysPerPathStep : KeysPerTile},
                       /*parallel=*/true),
          reason};
}

Choice SelectSchedulePass::choose(DeltaValuesOp delta) {
  auto query = cast<RankedTensorType>(delta.getQuery().getType());
  std::string heads = std::to_string(delta.getHeads()) +
                      " heads of a row for " + std::to_string(threads) +
                      " threads";
  if (query.getDimSize(TimeAxis) == 1)
    return {makeSchedule("row", {1, KeysPerStep}, /*parallel=*/true),
            "one token; " + heads};
  // Two pairs of vectors: the system within a block grows with its tokens.
  int64_t tokens = 4 * vectorBits / 32;
  return {makeSchedule("flash", {tokens, KeysPerStep}, /*parallel=*/true),
          "blocks of " + std::to_string(tokens) +
              " tokens in order, which read those before them as attention "
              "does; " +
              heads};
}

/// Blocks whose products with the queries of a list are computed at once.
static constexpr int64_t BlocksPerStep = 64;

/// Keys whose products are kept at once where a block's largest one counts.
static constexpr int64_t KeysPerSelection = 256;

/// Query vectors of a tile that chooses blocks: as many as make the keys, which
/// are turned for each tile, cheap beside the products.
static constexpr int64_t RowsPerSelection = 128;

/// Bytes of the scores, or of a softmax's products, of a tile: half of a
/// second-level cache.
static constexpr int64_t SelectionBytes = 1 << 20;

Choice SelectSchedulePass::choose(SelectBlocksOp select) {
  auto query = cast<RankedTensorType>(select.getQuery().getType());
  auto size = static_cast<int64_t>(select.getBlockSize());
  int64_t heads = select.getHeadsPerList(), blocks = BlocksPerStep;
  if (select.getPool() == SelectPool::Max)
    blocks = std::clamp<int64_t>(KeysPerSelection / size, 1, BlocksPerStep);
  int64_t queries = std::max<int64_t>(1, RowsPerSelection / heads);
  int64_t keys =
      cast<RankedTensorType>(select.getKey().getType()).getDimSize(TimeAxis);
  if (!ShapedType::isDynamic(keys)) {
    bool isSoftmax = select.getScore() == SelectScore::Softmax;
    int64_t bytes = (isSoftmax ? heads : 1) * 4 * llvm::divideCeil(keys, size);
    queries = std::clamp<int64_t>(SelectionBytes / std::max<int64_t>(1, bytes),
                                  1, queries);
  }
  // As many lists as threads at least, where so many are known of.
  if (int64_t time = query.getDimSize(TimeAxis); !ShapedType::isDynamic(time)) {
    int64_t lists = getKnownRows(query) * select.getListCount();
    int64_t parts = llvm::divideCeil(threads, std::max<int64_t>(1, lists));
    queries = std::clamp<int64_t>(llvm::divideCeil(time, parts), 1, queries);
  }
  return {makeSchedule("row", {queries, blocks}, /*parallel=*/true),
          "scores of " + std::to_string(queries) + " queries by " +
              std::to_string(heads) + " heads with " + std::to_string(blocks) +
              " blocks at once; the best " + std::to_string(select.getCount()) +
              " bit by bit"};
}

/// Bytes of the states that a thread goes to and fro between: part of a
/// second-level cache.
static constexpr int64_t NearStateBytes = 65536;

/// The least share of the time in order that ranges of time have to save, in
/// percent: what is estimated is not known better, and the code is larger.
static constexpr int64_t LeastGain = 15;

/// Whether `ranges` ranges of time are worth it for a sequence like `type`, of
/// blocks of `tokens`.
static bool isLongEnough(RankedTensorType type, const RangeCost &cost,
                         int64_t ranges, int64_t tokens) {
  int64_t time = type.getDimSize(TimeAxis);
  return ShapedType::isDynamic(time) ||
         time > (cost.leastBlocks * ranges - 1) * tokens;
}

/// Says when `ranges` ranges of time run side by side.
static std::string describeRanges(int64_t points, int64_t threads,
                                  const RangeCost &cost, int64_t ranges,
                                  int64_t tokens) {
  return std::to_string(ranges) + " ranges of time side by side, since " +
         std::to_string(points) + (points == 1 ? " tile" : " tiles") +
         " of a row would leave threads of " + std::to_string(threads) +
         " idle; what a block does to the state takes " +
         std::to_string(cost.summaryPercent) + "% of a step; in order below " +
         std::to_string(cost.leastBlocks * ranges * tokens) +
         " tokens, or where further rows fill the threads";
}

Choice SelectSchedulePass::choose(RecurrenceOp recurrence) {
  auto query = cast<RankedTensorType>(recurrence.getQuery().getType());
  int64_t columns = recurrence.getValueDim();
  int64_t heads = recurrence.getHeads();
  int64_t lanes = std::max<int64_t>(vectorBits, lineBits) / 32;
  // Few heads do not divide evenly among threads; their value features do.
  int64_t parts = threads / std::gcd(heads, int64_t(threads));
  if (query.getDimSize(BatchAxis) == 1 && heads < 4 * threads &&
      columns % (parts * lanes) == 0)
    columns /= parts;
  // What decays feature by feature has factors for each beside the state.
  int64_t most = recurrence.hasChannelDecay() ? stateBytes / 2 : stateBytes;
  while (most > 0 && columns % (2 * lanes) == 0 &&
         recurrence.getKeyDim() * columns * 4 > most)
    columns /= 2;
  if (query.getDimSize(TimeAxis) == 1)
    return {makeSchedule("recurrent", {1, columns}, /*parallel=*/true),
            "one token: the state is read and written once"};
  // Longer chunks spend more on pairs of tokens than they save on the state.
  int64_t tokens = std::max<int64_t>(1, 16 / recurrence.getUpdates());
  // Heads that a thread takes side by side read neighbouring rows, and share
  // keys where they have one key head; their states have to stay near.
  int64_t share = heads / recurrence.getKeyHeads();
  int64_t tileBytes = recurrence.getKeyDim() * columns * 4, together = 1;
  int64_t near = most > 0 ? most : NearStateBytes;
  for (int64_t tile = 2; tile <= heads && tile * tileBytes <= near; ++tile)
    if (heads % tile == 0 && heads / tile % threads == 0 &&
        (share == 1 || share % tile == 0))
      together = tile;
  std::string reason = "chunks of " + std::to_string(tokens) +
                       " tokens, as products of matrices";
  if (recurrence.hasChannelDecay())
    reason += " where the decay of each key feature over a chunk stays above "
              "exp(-60), by differences one by one elsewhere";
  if (together > 1)
    reason += "; " + std::to_string(together) + " heads side by side";

  // Where heads, or parts of their value features, are few, ranges of time.
  int64_t width = recurrence.getValueDim();
  int64_t points = getKnownRows(query) * heads;
  int64_t others = threads / points;
  if (ranges && others >= 2) {
    ScheduleAttr ranged = makeSchedule(
        "parallel", {tokens, width, 1, others + 1}, /*parallel=*/true);
    RangeCost cost = recurrence.getRangeCost(ranged);
    int64_t step = recurrence.estimateStep(tokens, width);
    int64_t share = 100 * step * (100 + cost.summaryPercent) /
                    (100 * others + cost.summaryPercent) /
                    recurrence.estimateStep(tokens, columns);
    if (share > 100 - LeastGain)
      reason +=
          "; ranges of time would take " + std::to_string(share) + "% of that" +
          (recurrence.hasCorrection()
               ? ", as what a range does to the state is a matrix of " +
                     std::to_string(recurrence.getKeyDim()) + " by as many"
               : "");
    else if (isLongEnough(query, cost, others + 1, tokens))
      return {ranged,
              describeRanges(points, threads, cost, others + 1, tokens) + "; " +
                  reason};
  }
  return {makeSchedule("chunkwise", {tokens, columns, together},
                       /*parallel=*/true),
          reason};
}

/// Bytes of a tile's states, with what is computed beside them: half of a
/// first-level cache.
static constexpr int64_t StateBytes = 16384;

/// Says of each state of a scan what a step makes of it.
static void remarkStates(ScanOp scan, const ScanAffinity &affinity) {
  for (unsigned number = 0; number < scan.getStates().size(); ++number)
    remark::analysis(scan.getLoc(), remark::RemarkOpts::name("State").category(
                                        "weir-select-schedule"))
        << affinity.describe(number);
}

/// Ranges of time where tiles are too few for the threads, or time in order.
Choice SelectSchedulePass::chooseRanges(ScanOp scan,
                                        const ScanAffinity &affinity,
                                        ArrayRef<int64_t> tiles,
                                        std::string reason) {
  auto input = cast<RankedTensorType>(scan.getInputs().front().getType());
  ScheduleAttr inOrder = makeSchedule("scan", tiles, /*parallel=*/true);
  int64_t points = getKnownRows(input);
  ScanAxes axes(scan);
  for (auto [tile, extent] : llvm::zip_equal(tiles, axes.getExtents()))
    points *= extent / tile;
  int64_t others = threads / points;
  if (!ranges || others < 2 || input.getDimSize(TimeAxis) == 1)
    return {inOrder, reason};
  std::string obstacle = affinity.explainObstacle();
  if (!obstacle.empty())
    return {inOrder, reason + "; no ranges of time side by side: " + obstacle};
  SmallVector<int64_t> ranged(tiles);
  ranged.push_back(others + 1);
  ScheduleAttr sideBySide = makeSchedule("parallel", ranged, /*parallel=*/true);
  RangeCost cost = scan.getRangeCost(sideBySide);
  int64_t share =
      100 * (100 + cost.summaryPercent) / (100 * others + cost.summaryPercent);
  if (share > 100 - LeastGain ||
      !isLongEnough(input, cost, others + 1, /*tokens=*/1))
    return {inOrder, reason};
  return {sideBySide,
          describeRanges(points, threads, cost, others + 1, 1) + "; " + reason};
}

Choice SelectSchedulePass::choose(ScanOp scan) {
  // What the region uses from above is made in front of it, once.
  OpBuilder builder(scan);
  scan.isolate(builder);
  ScanAffinity affinity(scan);
  remarkStates(scan, affinity);
  ScanAxes axes(scan);
  SmallVector<int64_t> tiles(axes.getExtents());
  if (tiles.empty())
    return chooseRanges(scan, affinity, tiles,
                        "every axis of the step is coupled: one row at a time");
  auto countBytes = [&] {
    int64_t bytes = 0;
    for (BlockArgument state : scan.getStateArguments()) {
      auto type = cast<RankedTensorType>(axes.getTileType(state, tiles));
      if (type.getElementType().isIntOrFloat())
        bytes += type.getNumElements() * type.getElementTypeBitWidth() / 8;
    }
    return bytes;
  };
  // Cut the first axis, the outermost of the states, until its tiles fit and
  // there is one for each thread. Where vectors run along it, a tile has whole
  // ones, and whole lines of a cache.
  int64_t extent = tiles[0], lanes = 1;
  for (OpOperand &yielded :
       scan.getBody().front().getTerminator()->getOpOperands()) {
    SmallVector<std::optional<unsigned>> classes = axes.getClasses(yielded);
    if (!classes.empty() && classes.back() == 0u)
      lanes = std::min(extent, std::max<int64_t>(vectorBits, lineBits) / 32);
  }
  auto input = cast<RankedTensorType>(scan.getInputs().front().getType());
  bool single = input.getDimSize(BatchAxis) == 1;
  bool token = input.getDimSize(TimeAxis) == 1;
  int64_t parts = 1;
  for (int64_t next = 1; next <= extent && !(token && single); ++next) {
    if (extent % next != 0 || extent / next < lanes ||
        (extent % lanes == 0 && extent / next % lanes != 0))
      continue;
    tiles[0] = extent / next;
    parts = next;
    if (countBytes() <= StateBytes && next % threads == 0)
      break;
  }
  std::string reason =
      std::to_string(parts) + " tiles of " + std::to_string(tiles[0]) +
      " along an element-wise axis of " + std::to_string(extent) +
      ", whose states take " + std::to_string(countBytes()) + " bytes, for " +
      std::to_string(threads) + " threads";
  return chooseRanges(scan, affinity, tiles, std::move(reason));
}

/// Rows of one expert that are taken at once: enough that reading its weights
/// for them is not what takes the time, few enough for the second-level cache.
static constexpr int64_t RowsPerExpertBlock = 96;

Choice SelectSchedulePass::choose(ExpertsOp experts) {
  if (ScheduleAttr given = experts.getScheduleAttr())
    return {given, {}};
  auto input = cast<RankedTensorType>(experts.getInput().getType());
  int64_t slots = experts.getSlotCount();
  bool single = llvm::all_of(input.getShape().drop_back(),
                             [](int64_t extent) { return extent == 1; });
  std::string count = std::to_string(slots) + " of " +
                      std::to_string(experts.getExpertCount()) + " experts";
  if (grid)
    return {makeSchedule("grid", {rows}, /*parallel=*/true),
            count + ": blocks of " + std::to_string(rows) +
                " rows of one expert, one operation after another"};
  if (!single)
    return {makeSchedule("grouped", {RowsPerExpertBlock, threads},
                         /*parallel=*/true),
            count + ": tokens sorted by expert, in " + std::to_string(threads) +
                " parts of equal cost"};
  if (slots % threads == 0 || slots > 4 * threads)
    return {makeSchedule("slots", {}, /*parallel=*/true),
            "one token: " + count + " side by side on " +
                std::to_string(threads) + " threads"};
  return {makeSchedule("columns", {}, /*parallel=*/true),
          "one token: " + count + ", which do not divide among " +
              std::to_string(threads) + " threads; their columns do"};
}

void SelectSchedulePass::runOnOperation() {
  func::FuncOp function = getOperation();
  function.walk([&](Operation *op) {
    if (op->getAttrOfType<ScheduleAttr>("schedule"))
      return;
    Choice choice = llvm::TypeSwitch<Operation *, Choice>(op)
                        .Case<PackedLinearOp, AttentionOp, DeltaValuesOp,
                              SelectBlocksOp, RecurrenceOp, ScanOp, ExpertsOp>(
                            [&](auto scheduled) { return choose(scheduled); })
                        .Default([](Operation *) { return Choice(); });
    if (!choice.schedule)
      return;
    op->setAttr("schedule", choice.schedule);
    op->setDiscardableAttr(WeirDialect::getReasonAttrName(),
                           StringAttr::get(&getContext(), choice.reason));
    remark::passed(
        op->getLoc(),
        remark::RemarkOpts::name("Schedule").category("weir-select-schedule"))
        << choice.schedule.getForm().getValue() << ": " << choice.reason;
  });
}
