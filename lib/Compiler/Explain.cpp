//===- Explain.cpp - What a model costs, as a table -------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two functions of a model that streams are looked at: the one that decodes a
// token, and the one that takes the largest block of a prompt. Their layers are
// the same ops with other schedules, so one table shows both. A model that does
// not stream has its whole-sequence function shown, and a file of plain
// functions each of them.
//
// What an op costs comes from CostInterface, of linalg ops from their loops;
// parameters come from the `weir.weight`s an op reads, followed through packing
// and views to what the checkpoint holds.
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Explain.h"
#include "TextTable.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/SymbolTable.h"
#include "weir/IR/Cost.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

/// Each point of a linalg op's loops does its body's arithmetic once.
static OpCost getLinalgCost(linalg::LinalgOp op, const CostPoint &point) {
  // Dynamic loops of sequence tensors are batch and time, in this order.
  SmallVector<int64_t> dynamic = {point.time, point.batch};
  double points = 1;
  for (int64_t extent : op.getStaticLoopRanges()) {
    if (ShapedType::isDynamic(extent))
      extent = dynamic.empty() ? 1 : dynamic.pop_back_val();
    points *= static_cast<double>(extent);
  }
  int64_t arithmetic = 0;
  for (Operation &inner : op->getRegion(0).front())
    arithmetic +=
        isa<arith::ArithDialect, math::MathDialect>(inner.getDialect()) &&
        isa<FloatType>(inner.getResult(0).getType()) &&
        !isa<CastOpInterface>(inner);
  return {points * static_cast<double>(arithmetic), getWeightOperandBytes(op),
          0};
}

static OpCost getOpCost(Operation *op, const CostPoint &point) {
  if (auto cost = dyn_cast<CostInterface>(op))
    return cost.getCost(point);
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return getLinalgCost(structured, point);
  return {};
}

/// The cost of `block`, a stack's regions times the layers they stand for. Ops
/// of the dialect that do not say what they cost are added to `uncounted`.
static OpCost getBlockCost(Block &block, const CostPoint &point,
                           llvm::SetVector<StringRef> &uncounted) {
  OpCost total;
  for (Operation &op : block) {
    if (auto stack = dyn_cast<StackOp>(op)) {
      for (auto [kind, region] : llvm::enumerate(stack.getKinds()))
        total += getBlockCost(region.front(), point, uncounted) *
                 static_cast<double>(stack.getLayerCount(kind));
      continue;
    }
    if (isa<ReferenceInterface>(op) && !isa<CostInterface>(op))
      uncounted.insert(op.getName().getStringRef());
    total += getOpCost(&op, point);
  }
  return total;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// What `param` holds the numbers of: itself, or what it packs or views.
static ParamOp getRootParam(ParamOp param, const SymbolTable &symbols) {
  llvm::SmallPtrSet<Operation *, 4> seen;
  while (param && seen.insert(param).second) {
    auto source =
        llvm::TypeSwitch<Attribute, FlatSymbolRefAttr>(param.getInit())
            .Case<PackAttr, TransposeAttr, ReshapeAttr>(
                [](auto attr) { return attr.getSource(); })
            .Default(FlatSymbolRefAttr());
    auto next = source ? symbols.lookup<ParamOp>(source.getAttr()) : ParamOp();
    if (!next)
      return param;
    param = next;
  }
  return param;
}

/// How the numbers of `param` are stored.
static std::string describeStorage(ParamOp param) {
  if (auto pack = dyn_cast<PackAttr>(param.getInit())) {
    if (pack.getPart() == PackPart::Scales || pack.getPart() == PackPart::Mins)
      return {};
    if (pack.getPart() == PackPart::Quants)
      return (pack.getCode() == PackCode::Affine
                  ? "int" + std::to_string(pack.getBits())
                  : stringifyPackCode(pack.getCode()).str()) +
             " by " + std::to_string(pack.getGroup());
  }
  std::string text;
  llvm::raw_string_ostream(text) << param.getTensorType().getElementType();
  return text;
}

namespace {
/// The weights an op reads, in one layer.
struct WeightUse {
  /// What the checkpoint calls them, or constants by their symbols.
  SmallVector<StringRef> names;
  double parameters = 0;
  double bytes = 0;
  std::string stored = "-";
};
} // namespace

/// Adds the symbols that `param` joins, or its own.
static void addNames(ParamOp param, SmallVectorImpl<StringRef> &names) {
  auto concat = dyn_cast<ConcatAttr>(param.getInit());
  if (!concat) {
    names.push_back(param.getSymName());
    return;
  }
  for (Attribute part : concat.getParts())
    if (auto symbol = dyn_cast<FlatSymbolRefAttr>(part))
      names.push_back(symbol.getValue());
}

static WeightUse getWeightUse(Operation *op, const SymbolTable &symbols) {
  WeightUse use;
  double most = 0;
  llvm::SmallPtrSet<Operation *, 4> roots;
  for (Value operand : op->getOperands()) {
    auto weight = operand.getDefiningOp<WeightOp>();
    auto param =
        weight ? symbols.lookup<ParamOp>(weight.getParam()) : ParamOp();
    if (!param)
      continue;
    use.bytes += getBytes(operand.getType(), {});
    ParamOp root = getRootParam(param, symbols);
    double elements = root.getTensorType().getNumElements();
    // Most of the numbers count, not their biases or scales.
    std::string stored = describeStorage(param);
    if (elements > most && !stored.empty()) {
      most = elements;
      use.stored = stored;
    }
    if (!roots.insert(root).second)
      continue;
    if (weight.getLayer())
      elements /= static_cast<double>(root.getTensorType().getDimSize(0));
    use.parameters += elements;
    addNames(root, use.names);
  }
  return use;
}

/// The dotted prefix that all of `names` have, its dot included.
static StringRef getCommonPrefix(ArrayRef<StringRef> names) {
  if (names.size() < 2)
    return {};
  StringRef prefix = names.front();
  for (StringRef name : names)
    while (!name.starts_with(prefix))
      prefix = prefix.drop_back();
  return prefix.take_front(prefix.rfind('.') + 1);
}

/// `names` without their prefix of `length` and the `.weight` most end in.
static std::string describeNames(ArrayRef<StringRef> names, size_t length) {
  if (names.empty())
    return "-";
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(
      names, os,
      [&](StringRef name) {
        name = name.drop_front(length);
        name.consume_back(".weight");
        os << name;
      },
      " + ");
  return text;
}

static std::string describeSchedule(Operation *op) {
  auto schedule =
      op ? op->getAttrOfType<ScheduleAttr>("schedule") : ScheduleAttr();
  if (!schedule)
    return "-";
  std::string text = schedule.getForm().str() + " ";
  llvm::raw_string_ostream os(text);
  llvm::interleave(schedule.getTiles().asArrayRef(), os, "x");
  if (schedule.getParallel())
    os << ", threads";
  return text;
}

/// Why the schedules of `ops` are what they are, a line for each reason.
static void printReasons(raw_ostream &os, ArrayRef<Operation *> ops,
                         StringRef when) {
  llvm::SetVector<StringRef> seen;
  for (Operation *op : ops) {
    auto schedule = op->getAttrOfType<ScheduleAttr>("schedule");
    auto reason =
        op->getAttrOfType<StringAttr>(WeirDialect::getReasonAttrName());
    if (!schedule || !reason || !seen.insert(reason.getValue()))
      continue;
    os << "  " << op->getName().stripDialect();
    if (!when.empty())
      os << " in " << when;
    os << " is " << schedule.getForm().getValue() << ": " << reason.getValue()
       << '\n';
  }
}

//===----------------------------------------------------------------------===//
// The report
//===----------------------------------------------------------------------===//

namespace {
/// One module's report.
class Explainer {
public:
  Explainer(llvm::raw_ostream &os, ModuleOp module,
            const ExplainOptions &options)
      : os(os), module(module), options(options), symbols(module) {}
  void run();

private:
  /// The functions the report is about; either may be null.
  struct Chosen {
    func::FuncOp decode, prefill;
    /// Positions `prefill` takes at once; none when any number. Blocks longer
    /// than
    /// the prompt are of no use to it.
    std::optional<int64_t> block;
    /// Whether there is a state.
    bool streams = false;
  };
  Chosen choose();

  void printHead();
  void printFunction(func::FuncOp first, func::FuncOp second,
                     StringRef firstName, StringRef secondName);
  void printRows(Block &first, Block *second, StringRef firstName,
                 StringRef secondName);
  void printWeights();
  void printState();
  void printCosts(const Chosen &chosen);
  void printPlainCosts(func::FuncOp function);
  void printCost(StringRef what, const OpCost &cost);
  void printLimit(StringRef what, double memory, double arithmetic,
                  StringRef unit);
  void printMachine();
  /// How many products an instruction makes where it makes one of f32.
  int getWidening() const {
    return options.computes == "int8" ? 4 : options.computes == "bf16" ? 2 : 1;
  }
  /// Operations per second at most, by what products are computed in.
  double getPeak() const { return options.machine->flops * getWidening(); }
  OpCost getCost(func::FuncOp function, const CostPoint &point) {
    return getBlockCost(function.getBody().front(), point, uncounted);
  }

  llvm::raw_ostream &os;
  ModuleOp module;
  const ExplainOptions &options;
  SymbolTable symbols;
  llvm::SetVector<StringRef> uncounted;
};
} // namespace

/// The method of `function`, or an empty string.
static StringRef getMethod(func::FuncOp function) {
  auto method =
      function->getAttrOfType<StringAttr>(WeirDialect::getMethodAttrName());
  return method ? method.getValue() : StringRef();
}

/// The fixed time extent of `function`, if it has one.
static std::optional<int64_t> getFixedTime(func::FuncOp function) {
  StringRef slotName = WeirDialect::getSlotAttrName();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto type = dyn_cast<RankedTensorType>(function.getArgument(i).getType());
    if (!type || type.getRank() < 2 || function.getArgAttr(i, slotName))
      continue;
    if (type.isDynamicDim(TimeAxis))
      return std::nullopt;
    return type.getDimSize(TimeAxis);
  }
  return std::nullopt;
}

Explainer::Chosen Explainer::choose() {
  Chosen chosen;
  func::FuncOp anyLength, forward;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal() || !function.isPublic())
      continue;
    StringRef method = getMethod(function);
    if (method == "forward")
      forward = function;
    if (method != "extend_last" && method != "extend")
      continue;
    chosen.streams = true;
    std::optional<int64_t> time = getFixedTime(function);
    // What decodes and prefills wants the last position's outputs alone.
    if (!time && (!anyLength || method == "extend_last"))
      anyLength = function;
    if (time && *time == 1)
      chosen.decode = function;
    if (time && *time > 1 && *time <= options.context &&
        (!chosen.block || *time > *chosen.block)) {
      chosen.prefill = function;
      chosen.block = time;
    }
  }
  if (!chosen.decode)
    chosen.decode = anyLength;
  if (!chosen.prefill)
    chosen.prefill = anyLength ? anyLength : forward;
  return chosen;
}

/// Layers in order, runs of one kind together: "3 x A, B, 3 x A".
static std::string describeOrder(ArrayRef<int32_t> order) {
  std::string text;
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && order[end] == order[i])
      ++end;
    if (i > 0)
      text += ", ";
    if (end - i > 1)
      text += std::to_string(end - i) + " x ";
    text += static_cast<char>('A' + order[i] % 26);
    i = end;
  }
  return text;
}

void Explainer::printHead() {
  auto model = module->getAttrOfType<DictionaryAttr>("weir.model");
  auto name = model ? model.getAs<StringAttr>("name") : StringAttr();
  os << "model      " << (name ? name.getValue() : "(a file of functions)")
     << '\n';
  os << "options    " << options.description << '\n';
}

/// Ops worth a row: those that compute, read weights or keep state. Pointwise
/// ops without weights are only counted, in `pointwise`.
static SmallVector<Operation *> collectOps(Block &block, int64_t &pointwise) {
  SmallVector<Operation *> ops;
  for (Operation &op : block) {
    OpCost cost = getOpCost(&op, {});
    if (isa<linalg::LinalgOp>(op) && cost.weightBytes == 0)
      ++pointwise;
    else if (cost.flops > 0 || cost.weightBytes > 0 || cost.stateBytes > 0)
      ops.push_back(&op);
  }
  return ops;
}

void Explainer::printRows(Block &first, Block *second, StringRef firstName,
                          StringRef secondName) {
  int64_t pointwise = 0, pointwiseOfSecond = 0;
  SmallVector<Operation *> ops = collectOps(first, pointwise);
  SmallVector<Operation *> others;
  if (second)
    others = collectOps(*second, pointwiseOfSecond);
  auto getName = [](Operation *op) { return op->getName().getStringRef(); };
  bool both = llvm::equal(llvm::map_range(ops, getName),
                          llvm::map_range(others, getName));
  SmallVector<WeightUse> uses;
  SmallVector<StringRef> names;
  for (Operation *op : ops) {
    uses.push_back(getWeightUse(op, symbols));
    llvm::append_range(names, uses.back().names);
  }
  StringRef prefix = getCommonPrefix(names);
  std::string weightHead = "weights";
  if (!prefix.empty())
    weightHead += " (" + prefix.str() + "*)";
  TextTable table(
      {"op", "shape", weightHead, "parameters", "stored", "bytes",
       second ? ("schedule, " + firstName).str() : std::string("schedule")});
  if (both)
    table.addColumn(("schedule, " + secondName).str());
  table.alignRight(3);
  table.alignRight(5);
  for (auto [i, op] : llvm::enumerate(ops)) {
    const WeightUse &use = uses[i];
    bool reads = !use.names.empty();
    table.addRow(
        {op->getName().stripDialect().str(),
         isa<CostInterface>(op) ? cast<CostInterface>(op).describeShape() : "-",
         describeNames(use.names, prefix.size()),
         reads ? formatCount(use.parameters) : "-", use.stored,
         reads ? formatQuantity(use.bytes, "B") : "-", describeSchedule(op),
         both ? describeSchedule(others[i]) : ""});
  }
  if (pointwise)
    table.addRow({"linalg", std::to_string(pointwise) + " pointwise"});
  table.print(os, "  ");
  printReasons(os, ops, second ? firstName : StringRef());
  if (both)
    printReasons(os, others, secondName);
}

void Explainer::printFunction(func::FuncOp first, func::FuncOp second,
                              StringRef firstName, StringRef secondName) {
  Block &body = first.getBody().front();
  Block *other = second ? &second.getBody().front() : nullptr;
  auto stacks = llvm::to_vector(body.getOps<StackOp>());
  auto otherStacks = other ? llvm::to_vector(other->getOps<StackOp>())
                           : SmallVector<StackOp>();
  for (auto [i, stack] : llvm::enumerate(stacks)) {
    StackOp twin = i < otherStacks.size() ? otherStacks[i] : StackOp();
    os << "\nlayers     " << stack.getOrder().size() << " of "
       << stack.getKinds().size()
       << (stack.getKinds().size() == 1 ? " kind: " : " kinds: ")
       << describeOrder(stack.getOrder()) << '\n';
    for (auto [kind, region] : llvm::enumerate(stack.getKinds())) {
      int64_t count = stack.getLayerCount(kind);
      os << "\nlayer " << static_cast<char>('A' + kind % 26) << ", "
         << (count == 1 ? "once" : std::to_string(count) + " times") << '\n';
      printRows(region.front(), twin ? &twin.getKinds()[kind].front() : nullptr,
                firstName, secondName);
    }
  }
  os << (stacks.empty() ? "\nops of @" + first.getName().str()
                        : std::string("\naround the layers"))
     << '\n';
  printRows(body, other, firstName, secondName);
}

void Explainer::printWeights() {
  llvm::SetVector<ParamOp> read, roots;
  module->walk([&](WeightOp weight) {
    if (auto param = symbols.lookup<ParamOp>(weight.getParam())) {
      read.insert(param);
      roots.insert(getRootParam(param, symbols));
    }
  });
  double parameters = 0, bytes = 0;
  for (ParamOp param : roots)
    parameters += param.getTensorType().getNumElements();
  for (ParamOp param : read)
    bytes += getBytes(param.getTensorType(), {});
  os << "\nweights    ";
  if (read.empty())
    os << "none\n";
  else
    os << formatCount(parameters) << " parameters, "
       << formatQuantity(bytes, "B") << " stored\n";
}

void Explainer::printState() {
  auto slots = llvm::to_vector(module.getOps<SlotOp>());
  if (slots.empty()) {
    os << "state      none\n";
    return;
  }
  double perToken = 0, perSource = 0, fixed = 0;
  TextTable table({"slot", "kind", "type", "bytes"});
  for (SlotOp slot : slots) {
    // Batch and capacity count once: they are what the bytes are per.
    double bytes = getBytes(slot.getType(), {});
    bool isHistory = slot.getKind() == SlotKind::History;
    bool isMemory = slot.getKind() == SlotKind::Memory &&
                    cast<RankedTensorType>(slot.getType()).getRank() > 1;
    (isHistory ? perToken : isMemory ? perSource : fixed) += bytes;
    std::string type;
    llvm::raw_string_ostream(type) << slot.getType();
    std::string text =
        formatQuantity(bytes, "B") + (isHistory  ? " a token"
                                      : isMemory ? " a position encoded"
                                                 : " a row");
    if (slot.getLookback())
      text += ", of the last " + std::to_string(*slot.getLookback());
    table.addRow({slot.getSymName().str(),
                  stringifySlotKind(slot.getKind()).str(), type, text});
  }
  os << "state      " << formatQuantity(perToken, "B") << " a token and "
     << formatQuantity(fixed, "B") << " a row";
  if (perSource > 0)
    os << ", and " << formatQuantity(perSource, "B") << " a position encoded";
  os << '\n';
  table.print(os, "  ");
}

void Explainer::printCost(StringRef what, const OpCost &cost) {
  os << "  " << what << ": " << formatQuantity(cost.flops, "FLOP") << ", "
     << formatQuantity(cost.weightBytes, "B") << " of weights, "
     << formatQuantity(cost.stateBytes, "B") << " of state\n";
}

void Explainer::printLimit(StringRef what, double memory, double arithmetic,
                           StringRef unit) {
  os << "  " << what << ": at most " << formatRate(std::min(memory, arithmetic))
     << ' ' << unit << "/s, by "
     << (memory < arithmetic ? "memory" : "arithmetic") << " (memory "
     << formatRate(memory) << ", arithmetic " << formatRate(arithmetic)
     << ")\n";
}

void Explainer::printMachine() {
  os << "\nlimit      ";
  if (!options.machine) {
    os << "code for this target does not run here; give the machine's limits "
          "as --machine=GB/s,GFLOP/s\n";
    return;
  }
  os << llvm::format("%.1f GB/s", options.machine->bandwidth / 1e9)
     << " from memory and "
     << llvm::format("%.0f GFLOP/s", options.machine->flops / 1e9)
     << " of f32, " << options.threads
     << (options.threads == 1 ? " thread (" : " threads (")
     << options.machine->source << ")\n";
  if (getWidening() != 1)
    os << "  products in " << options.computes << ": " << getWidening()
       << " times the arithmetic of f32\n";
}

void Explainer::printCosts(const Chosen &chosen) {
  int64_t context = options.context;
  OpCost token;
  os << "\ncost per token\n";
  if (chosen.decode) {
    token = getCost(chosen.decode, {1, 1, context});
    printCost("decode at context " + std::to_string(context), token);
  }
  // A prompt of `context` tokens in blocks, each behind those before it.
  int64_t block = std::min(chosen.block.value_or(context), context);
  double memorySeconds = 0, computeSeconds = 0;
  OpCost prompt;
  for (int64_t start = 0; start + block <= context; start += block) {
    OpCost one = getCost(chosen.prefill, {1, block, start});
    prompt += one;
    if (options.machine) {
      memorySeconds +=
          (one.weightBytes + one.stateBytes) / options.machine->bandwidth;
      computeSeconds += one.flops / getPeak();
    }
  }
  double tokens = static_cast<double>(context / block * block);
  std::string what = (chosen.streams ? "prefill of " : "sequence of ") +
                     std::to_string(static_cast<int64_t>(tokens));
  if (block < context)
    what += " in blocks of " + std::to_string(block);
  printCost(what, prompt * (1 / tokens));
  for (StringRef op : uncounted)
    os << "  not counted: " << op << ", which does not say what it costs\n";
  printMachine();
  if (!options.machine)
    return;
  if (chosen.decode)
    printLimit("decode at context " + std::to_string(context),
               options.machine->bandwidth /
                   (token.weightBytes + token.stateBytes),
               getPeak() / token.flops, "tokens");
  printLimit(what, tokens / memorySeconds, tokens / computeSeconds, "tokens");
}

void Explainer::printPlainCosts(func::FuncOp function) {
  OpCost cost = getCost(function, {});
  os << "\ncost of a call, dynamic extents counted as 1\n";
  printCost("@" + function.getName().str(), cost);
  for (StringRef op : uncounted)
    os << "  not counted: " << op << ", which does not say what it costs\n";
}

void Explainer::run() {
  printHead();
  Chosen chosen = choose();
  if (chosen.prefill) {
    func::FuncOp first = chosen.decode ? chosen.decode : chosen.prefill;
    func::FuncOp second =
        first == chosen.prefill ? func::FuncOp() : chosen.prefill;
    printFunction(first, second, "decode", "prefill");
    printWeights();
    printState();
    printCosts(chosen);
    return;
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() && function.isPublic()) {
      printFunction(function, {}, "", "");
      printPlainCosts(function);
    }
  printWeights();
  printState();
}

void weir::explainModule(llvm::raw_ostream &os, ModuleOp module,
                         const ExplainOptions &options) {
  Explainer(os, module, options).run();
}
