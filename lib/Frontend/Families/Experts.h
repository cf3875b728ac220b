//===- Experts.h - Feed-forward parts made of experts ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A router and the gated perceptrons that it chooses among, in whichever way a
// checkpoint stores them. Families say what is routed how and what keys are.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_EXPERTS_H
#define WEIR_LIB_FRONTEND_FAMILIES_EXPERTS_H

#include "weir/Frontend/Family.h"
#include "weir/Frontend/ModelBuilder.h"
#include <functional>

namespace weir {

/// A choice of experts.
struct Routing {
  mlir::Value indices, weights;
};

/// What chosen experts weigh in place of the weights in `routing`; `logits` are
/// those of all experts.
using ReweighFn = std::function<mlir::Value(
    ModelBuilder &builder, mlir::Value logits, const Routing &routing)>;

/// How a token's experts are chosen and weighed; see `weir.route`.
struct RouterSpec {
  /// The matrix `[experts, features]`, and the bias that chooses without
  /// weighing, with or without an axis of one in front, or nothing; `*` is the
  /// layer.
  std::string key, bias;
  /// Whether the matrix has a bias beside it, which weighs as well.
  bool logitBias = false;
  int64_t experts = 0, perToken = 0;
  /// How many tokens of a row an expert takes, the first ones; those of others
  /// give zeros. 0: all of them. A token goes to one expert then.
  int64_t capacity = 0;
  RouteScore score = RouteScore::Softmax;
  RouteWeighting weighting = RouteWeighting::Normalized;
  /// Groups the choice is limited to; null for none.
  RouteGroupsAttr groups;
  double eps = 0, scale = 1;
  /// A bound `c` of logits, as `c * tanh(x / c)`; 0 for none.
  double logitCap = 0;
  /// Weighs in a way that `weir.route` does not, or nothing.
  ReweighFn reweigh;
};

/// Keys of experts' matrices.
struct ExpertKeys {
  /// What is in front of them all, with its dot; `*` is the layer.
  std::string prefix;
  /// Of each expert by itself, behind its number.
  std::string gate = "gate_proj", up = "up_proj", down = "down_proj";
  /// Of all experts in one tensor: `[experts, 2 * inner, features]`, gates
  /// first, and `[experts, features, inner]`.
  std::string gateUp = "gate_up_proj", downAll = "down_proj";
  /// Whether those of all experts are stored input features first, with gates
  /// and ups in turn, and have biases under `gateUp` and `downAll` with
  /// "_bias".
  bool inputFirst = false, alternating = false, biased = false;
  /// Whether the three kinds of matrices, of the names of one expert, are each
  /// those of all experts one below the other, `[experts * inner, features]`.
  bool joinsRows = false;
  /// Whether they are each one tensor `[experts, rows, columns]`, or gates and
  /// ups together are, under `gateUp`; biases are beside them (GGUF).
  bool isStacked = false;
};

/// A gate that multiplies with `x * sigmoid(alpha * x)`, bounded from above,
/// and an up that counts from -1, bounded from both sides (gpt-oss).
struct BoundedGate {
  double alpha, limit;
  /// In place of the former, with an up that counts from 0; or nothing.
  std::string activation = "";
};

/// A mixture of perceptrons.
struct ExpertsSpec {
  RouterSpec router;
  ExpertKeys keys;
  int64_t inner = 0;
  std::string activation = "silu";
  /// In place of the activation.
  std::optional<BoundedGate> boundedGate;
  /// Whether each expert has a gate. Without, the matrices of all of them are
  /// called by the names that those of one are.
  bool gated = true;
  /// Whether a token is multiplied by the expert's weight in front of it.
  bool weighInput = false;
  /// How many of the router's experts, the last ones, give back what they get
  /// (arXiv:2410.07348). Checkpoints have gates and ups of these, too.
  int64_t identities = 0;

  /// An expert for all tokens, whose inner features are `sharedInner`, or 0 for
  /// none, and the key of the matrix `[1, features]` whose sigmoid it is
  /// multiplied with, or nothing.
  int64_t sharedInner = 0;
  MLPKeys shared;
  std::string sharedGate;
  /// The key of its gate and up matrices, one behind the other, where they are
  /// stored so, or nothing.
  std::string sharedGateUp;
  bool sharedBias = false;
  /// Whether it has the bounded gate as well.
  bool boundsShared = false;
  /// What the sum with that expert is multiplied by.
  double sharedScale = 1;
};

/// The experts of each token of `input`.
Routing buildRouting(ModelBuilder &builder, mlir::Value input,
                     const RouterSpec &spec);

/// The same by the logits of all experts.
Routing buildRoutingOf(ModelBuilder &builder, mlir::Value logits,
                       const RouterSpec &spec);

/// `input` through the experts that `routing` chose, added up.
mlir::Value buildExperts(ModelBuilder &builder, mlir::Value input,
                         const Routing &routing, const ExpertsSpec &spec);

/// A whole mixture: router, experts and the shared expert.
mlir::Value buildMixture(ModelBuilder &builder, mlir::Value input,
                         const ExpertsSpec &spec);

/// The same with experts that something else has chosen.
mlir::Value buildMixtureOf(ModelBuilder &builder, mlir::Value input,
                           const Routing &routing, const ExpertsSpec &spec);

/// A perceptron with a bounded gate, whose gate and up matrices stand one
/// behind the other under `gateUp` unless that is empty.
mlir::Value boundedMLP(ModelBuilder &builder, mlir::Value input,
                       const MLPKeys &keys, const std::string &gateUp,
                       int64_t inner, const BoundedGate &gate,
                       bool bias = false);

/// Reads how many experts there are, under `num_experts` or
/// `num_local_experts`, and how many a token goes to; complains when a token
/// goes to more than there are.
void readExpertCounts(ConfigReader &reader, RouterSpec &router, int64_t experts,
                      int64_t perToken);

/// The same under the first of the keys `expertsKeys`, and of `perTokenKeys`,
/// that the configuration has.
void readExpertCounts(ConfigReader &reader, RouterSpec &router,
                      llvm::ArrayRef<llvm::StringLiteral> expertsKeys,
                      int64_t experts,
                      llvm::ArrayRef<llvm::StringLiteral> perTokenKeys,
                      int64_t perToken);

/// What options of a mixture are where a configuration does not say.
struct ExpertDefaults {
  int64_t experts, perToken, inner;
  /// Whether the chosen experts' weights are renormalised.
  bool normalized = false;
};

/// Reads the options that Qwen's mixtures and many after them have, whose keys
/// of weights begin with `block`: softmax over all experts, renormalised with
/// `norm_topk_prob`, and `moe_intermediate_size`.
ExpertsSpec readQwenExperts(ConfigReader &reader, const std::string &block,
                            const ExpertDefaults &defaults);

/// The same with the expert for all tokens, of `shared` inner features unless
/// `shared_expert_intermediate_size` says otherwise, and its gate.
ExpertsSpec readQwenSharedExperts(ConfigReader &reader,
                                  const std::string &block,
                                  const ExpertDefaults &defaults,
                                  int64_t shared);

/// The options of DeepSeek-V3's mixtures (arXiv:2412.19437) where a
/// configuration does not say.
struct DeepseekDefaults {
  int64_t experts, perToken, inner;
  /// How many experts see all tokens.
  int64_t shared = 1;
  /// Groups of experts, and how many of them a token's may be in.
  int64_t groups = 1, chosen = 1;
  double scale = 1;
  /// Whether the chosen experts' weights are renormalised.
  bool normalized = true;
};

/// Reads the options that DeepSeek-V3's mixtures and many after them have, in
/// the spellings in use, whose keys of weights begin with `block`: sigmoid, a
/// bias that chooses and does not weigh, groups if `isGrouped`, and experts for
/// all tokens.
ExpertsSpec readDeepseekExperts(ConfigReader &reader, ModelBuilder &builder,
                                const std::string &block,
                                const DeepseekDefaults &defaults,
                                bool isGrouped = true);

/// Limits the choice to `chosen` of `groups` groups, read under `groupsKey` and
/// `topk_group`; complains of numbers that do not fit.
void setRouteGroups(ConfigReader &reader, ModelBuilder &builder,
                    RouterSpec &router, llvm::StringRef groupsKey,
                    int64_t groups, int64_t chosen, RouteGroupScore score);

/// Marks what a configuration may say of DeepSeek's mixtures where no layer has
/// one, or that transformers does not look at, and of heads that predict more
/// than the next token.
void ignoreDeepseekExperts(ConfigReader &reader);

/// Reads the options of Granite's mixtures, the chosen experts weighed by a
/// softmax among them; keys of a layer begin with `layer`.
ExpertsSpec readGraniteExperts(ConfigReader &reader, const std::string &layer,
                               int64_t inner, const std::string &activation);

/// A gated perceptron whose gate and up matrices stand one behind the other.
mlir::Value fusedMLP(ModelBuilder &builder, mlir::Value input,
                     const std::string &gateUp, const std::string &down,
                     int64_t inner, llvm::StringRef activation,
                     bool bias = false);

/// Whether any layer has the tensor `key`, where `*` is the layer.
bool hasLayerTensor(const Checkpoint &checkpoint, llvm::StringRef key);

/// Fills in keys as Mixtral has them, in the spelling that the checkpoint has;
/// those of a layer begin with `layer`.
void readMixtralKeys(const Checkpoint &checkpoint, const std::string &layer,
                     ExpertsSpec &spec);

/// Reads which layers have experts: each `decoder_sparse_step`th but those in
/// `mlp_only_layers`.
std::vector<bool> readSparseLayers(ConfigReader &reader, int64_t layers);

/// Marks options of mixtures that matter in training alone.
void ignoreTrainingOfExperts(ConfigReader &reader);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_EXPERTS_H
