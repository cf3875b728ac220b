//===- MesaNet.cpp - Locally optimal test-time training -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// arXiv:2506.05233, in the layout of flash-linear-attention. The state has sums
// of keys times keys, A, and of keys times values, B; a query q reads
// (A + lambda)^-1 q of B. A fixed number of steps of conjugate gradients solves
// that, from zero, as the library does for whole sequences.
//
//===----------------------------------------------------------------------===//

#include "Fla.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weir;

namespace {

/// The options of the mixer.
struct MesaOptions {
  int64_t heads = 16, dim = 128, convWidth = 4, steps = 30;
  bool gated = false;
  double lowerBound = 0.25;
};

/// What a token brings, `[heads]` and features behind.
struct MesaToken {
  Value query, key, value, decay, rate;
};

/// Builds one step of the scan.
class MesaStep {
public:
  MesaStep(OpBuilder &builder, Location loc, const MesaOptions &options,
           Value ridge)
      : builder(builder), loc(loc), options(options), ridge(ridge),
        features({options.heads, options.dim}) {}

  /// The state, `[heads, keys, features]`, decayed, and `rate * key` times
  /// `entry` added.
  Value update(Value state, const MesaToken &token, Value entry);
  /// Solves `(squares + ridge) x = query` for x.
  Value solve(Value squares, Value query);
  /// Reads the state by `query`.
  Value read(Value state, Value query);

private:
  /// Applies `element` to heads' features.
  SmallVector<Value>
  map(unsigned results, ArrayRef<Indexed> inputs,
      function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)>
          element);
  /// The dot product of each head.
  Value dot(Value lhs, Value rhs);
  /// One step of the solver, of the solution, the rest, the direction, and the
  /// rest's square.
  SmallVector<Value> iterate(Value squares, ValueRange carried);

  OpBuilder &builder;
  Location loc;
  const MesaOptions &options;
  Value ridge;
  SmallVector<int64_t> features;
};

} // namespace

Value MesaStep::update(Value state, const MesaToken &token, Value entry) {
  return buildMap(
             builder, loc, {options.heads, options.dim, options.dim}, 1,
             {{state, {0, 1, 2}},
              {token.decay, {0}},
              {token.rate, {0}},
              {token.key, {0, 1}},
              {entry, {0, 2}}},
             [](OpBuilder &n, Location l, ValueRange in) -> SmallVector<Value> {
               auto mul = [&](Value lhs, Value rhs) -> Value {
                 return arith::MulFOp::create(n, l, lhs, rhs);
               };
               Value kept = mul(math::ExpOp::create(n, l, in[1]), in[0]);
               Value added = mul(mul(in[2], in[3]), in[4]);
               return {arith::AddFOp::create(n, l, kept, added)};
             })
      .front();
}

SmallVector<Value> MesaStep::map(
    unsigned results, ArrayRef<Indexed> inputs,
    function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)>
        element) {
  return buildMap(builder, loc, features, results, inputs, element);
}

Value MesaStep::dot(Value lhs, Value rhs) {
  return buildProductSum(builder, loc, {lhs, {0, 1}}, {rhs, {0, 1}},
                         buildSplat(builder, loc, options.heads, 0));
}

Value MesaStep::read(Value state, Value query) {
  return buildProductSum(builder, loc, {state, {0, 2, 1}}, {query, {0, 2}},
                         buildSplat(builder, loc, features, 0));
}

/// `summand + numerator / (denominator + 1e-5) * factor`.
static Value addShare(OpBuilder &n, Location l, Value summand, Value numerator,
                      Value denominator, Value factor) {
  Value tiny = arith::ConstantOp::create(n, l, n.getF32FloatAttr(1e-5f));
  Value share = arith::DivFOp::create(
      n, l, numerator, arith::AddFOp::create(n, l, denominator, tiny));
  return arith::AddFOp::create(n, l, summand,
                               arith::MulFOp::create(n, l, share, factor));
}

SmallVector<Value> MesaStep::iterate(Value squares, ValueRange carried) {
  Value solution = carried[0], rest = carried[1], direction = carried[2],
        norm = carried[3];
  Value start =
      map(1, {{ridge, {0, 1}}, {direction, {0, 1}}},
          [](OpBuilder &n, Location l, ValueRange in) -> SmallVector<Value> {
            return {arith::MulFOp::create(n, l, in[0], in[1])};
          })
          .front();
  Value image = buildProductSum(builder, loc, {squares, {0, 2, 1}},
                                {direction, {0, 2}}, start);
  Value curve = dot(direction, image);
  SmallVector<Value> moved =
      map(2,
          {{solution, {0, 1}},
           {rest, {0, 1}},
           {direction, {0, 1}},
           {image, {0, 1}},
           {norm, {0}},
           {curve, {0}}},
          [](OpBuilder &n, Location l, ValueRange in) -> SmallVector<Value> {
            Value back = arith::NegFOp::create(n, l, in[3]);
            return {addShare(n, l, in[0], in[4], in[5], in[2]),
                    addShare(n, l, in[1], in[4], in[5], back)};
          });
  Value fresh = dot(moved[1], moved[1]);
  Value next =
      map(1,
          {{moved[1], {0, 1}}, {direction, {0, 1}}, {norm, {0}}, {fresh, {0}}},
          [](OpBuilder &n, Location l, ValueRange in) -> SmallVector<Value> {
            return {addShare(n, l, in[0], in[3], in[2], in[1])};
          })
          .front();
  return {moved[0], moved[1], next, fresh};
}

Value MesaStep::solve(Value squares, Value query) {
  Value first = arith::ConstantIndexOp::create(builder, loc, 0);
  Value last = arith::ConstantIndexOp::create(builder, loc, options.steps);
  Value step = arith::ConstantIndexOp::create(builder, loc, 1);
  Value zero = buildSplat(builder, loc, features, 0);
  auto loop = scf::ForOp::create(
      builder, loc, first, last, step,
      ValueRange{zero, query, query, dot(query, query)},
      [&](OpBuilder &nested, Location at, Value, ValueRange carried) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPoint(nested.getInsertionBlock(),
                                  nested.getInsertionPoint());
        scf::YieldOp::create(builder, at, iterate(squares, carried));
      });
  return loop.getResult(0);
}

static MesaOptions readOptions(ConfigReader &reader, FlaConfig &config) {
  readFla(reader, config);
  MesaOptions options;
  options.heads = reader.getSize("num_heads", 16);
  options.dim = reader.getSize("head_dim", 128);
  options.convWidth = reader.getSize("conv_size", 4);
  options.gated = reader.getBool("use_output_gate", false);
  options.lowerBound = reader.getFloat("lambda_lower_bound", 0.25);
  options.steps = reader.getInt("max_cg_step_training", 30);
  if (options.steps < 0)
    reader.emitError("max_cg_step_training")
        << "key 'max_cg_step_training' is " << options.steps
        << ", expected no negative number";
  // The layer convolves whatever the first says. What decodes is derived from
  // what reads whole sequences, so it takes the same number of steps.
  reader.ignore({"use_short_conv", "max_cg_step_decoding"});
  return options;
}

static Value buildMixer(ModelBuilder &b, Value x, const std::string &prefix,
                        const FlaConfig &config, const MesaOptions &options) {
  int64_t features = options.heads * options.dim;
  auto project = [&](StringRef name) {
    Value part = flaProject(b, x, prefix, name, features, options.convWidth);
    return l2Norm(b, b.splitHeads(part, options.heads), 1e-6);
  };
  auto gate = [&](StringRef name) {
    return b.linear(x, prefix + name.str(), options.heads, /*bias=*/true);
  };
  Value query = project("q"), key = project("k");
  Value value =
      b.splitHeads(b.linear(x, prefix + "v_proj", features), options.heads);
  Value rate = sigmoid(b, gate("b_proj"));
  Value decay = logSigmoid(b, gate("a_proj"));
  Param lambda = b.reshape(b.param(prefix + "lambda_params", {features}),
                           {options.heads, options.dim});
  Value ridge =
      scaleAndShift(b, softplus(b, b.read(lambda)), 1.0, options.lowerBound);

  b.getContext().loadDialect<scf::SCFDialect>();
  SmallVector<int64_t> heads = {options.heads, options.dim};
  Value zero = buildSplat(b.getBuilder(), b.getLoc(),
                          {options.heads, options.dim, options.dim}, 0);
  Value out =
      buildScan(b, {query, key, value, decay, rate}, {zero, zero}, {heads},
                [&](OpBuilder &at, Location loc, ValueRange now,
                    ValueRange before) -> SmallVector<Value> {
                  MesaToken token{now[0], now[1], now[2], now[3], now[4]};
                  MesaStep step(at, loc, options, ridge);
                  Value squares = step.update(before[0], token, token.key);
                  Value sums = step.update(before[1], token, token.value);
                  Value solved = step.solve(squares, token.query);
                  return {step.read(sums, solved), squares, sums};
                })
          .front();
  FlaOutput output;
  output.norm = prefix + "o_norm";
  output.gate = options.gated ? prefix + "g_proj" : "";
  output.project = prefix + "o_proj";
  output.eps = config.eps;
  return flaFinish(b, out, x, config.hidden, output);
}

static ModelFacts buildMesaNet(ModelBuilder &b, ConfigReader &reader,
                               const FamilyRequest &request) {
  FlaConfig config;
  MesaOptions options = readOptions(reader, config);
  return buildFla(b, reader, request, config,
                  [&](Value x, const FlaLayer &layer) {
                    return buildMixer(b, x, layer.prefix, config, options);
                  });
}

namespace weir {
void registerMesaNetFamily(FamilyTable &table) {
  table.add(
      {"mesa_net", "MesaNetForCausalLM", "MesaNetModel", "", {}, buildMesaNet});
}
} // namespace weir
