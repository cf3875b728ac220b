//===- StateSpaceMixers.h - The mixers of Mamba ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The mixers of Mamba and Mamba-2 with all that models which embed them have
// changed about them. They read normalised hidden states, and give what is
// added to the residual.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_STATESPACEMIXERS_H
#define WEIR_LIB_FRONTEND_FAMILIES_STATESPACEMIXERS_H

#include "weir/Frontend/Family.h"
#include "weir/Frontend/ModelBuilder.h"
#include <limits>

namespace weir {

//===----------------------------------------------------------------------===//
// Mamba
//===----------------------------------------------------------------------===//

/// A mixer of Mamba (arXiv:2312.00752): a convolution, a scan whose step sizes,
/// inputs and outputs are projections of its input, and a gate.
struct MambaSpec {
  /// Keys without ".weight", which the rate and the skip do not have.
  std::string input, conv, selection, step, rate, skip, output;
  /// Norms of step, input and output, of which all or none have keys.
  std::string stepNorm, inputNorm, outputNorm;
  int64_t hidden = 1, inner = 1, state = 16, rank = 1, width = 4;
  bool bias = false, convBias = true;
  std::string activation = "silu";
  /// The epsilon of these norms, or none for a mixer without them.
  std::optional<double> innerEps;
  /// Whether rates are stored as they are, not as logarithms, and kernels of
  /// convolutions without an axis between their others, as in GGUF files.
  bool plainRates = false;
};

/// Names the weights as Mamba's checkpoints of Hugging Face do; `prefix` ends
/// with a dot.
void setMambaMixerKeys(MambaSpec &spec, const std::string &prefix);
/// The same for the blocks of GGUF files.
void setMambaMixerKeysOfGGUF(MambaSpec &spec);

/// The step's rank under `key`, which is a sixteenth of the hidden size when it
/// is "auto".
int64_t readStepRank(ConfigReader &reader, llvm::StringRef key, int64_t hidden);

/// Reads the options that hybrids have of it, `mamba_d_state` and their like.
void readHybridMamba(ConfigReader &reader, MambaSpec &spec, int64_t hidden);

mlir::Value mambaMixer(ModelBuilder &builder, const MambaSpec &spec,
                       mlir::Value input);

//===----------------------------------------------------------------------===//
// Mamba-2
//===----------------------------------------------------------------------===//

/// How Mamba-2 joins what it read with its gate.
enum class GatedNorm : uint8_t {
  /// norm(y * silu(gate)).
  After,
  /// norm(y) * silu(gate).
  Before,
  /// y * silu(gate).
  None,
};

/// A mixer of Mamba-2 (arXiv:2405.21060): linear attention whose heads decay by
/// a factor each, keys and queries shared by groups of heads, all of them out
/// of one convolution.
struct Mamba2Spec {
  /// Keys without ".weight", which the step's bias, the rate and the skip do
  /// not have.
  std::string input, conv, stepBias, rate, skip, norm, output;
  int64_t hidden = 1, inner = 1, state = 128, heads = 1, groups = 1, width = 4;
  bool bias = false, outputBias = false, convBias = true;
  std::string activation = "silu";
  /// The norm, group by group.
  GatedNorm gatedNorm = GatedNorm::After;
  double eps = 1e-5;
  /// Steps are held within these.
  double stepMin = 0, stepMax = std::numeric_limits<double>::infinity();
  /// Factors of the input and of the projections: gate, value, key, query and
  /// step.
  double inputScale = 1;
  std::array<double, 5> scales = {1, 1, 1, 1, 1};
  /// Whether tensors are laid out as in GGUF files.
  bool isGGUF = false;
  /// Whether each feature of a head has its own factor of the skip.
  bool skipByFeature = false;
  /// Levels of states, as log-linear attention has them, or 0 for one state:
  /// the key of what scales their logits by head, and the tokens' positions.
  int64_t levels = 0;
  std::string levelScale;
  mlir::Value positions;

  int64_t getConvFeatures() const { return inner + 2 * groups * state; }
};

/// Names the weights as Mamba-2's checkpoints of Hugging Face do; `prefix` ends
/// with a dot.
void setMamba2MixerKeys(Mamba2Spec &spec, const std::string &prefix);
/// The same for the blocks of GGUF files.
void setMamba2MixerKeysOfGGUF(Mamba2Spec &spec);

/// Reads `key`, the least and the largest step.
void readStepLimits(ConfigReader &reader, Mamba2Spec &spec,
                    llvm::StringRef key = "time_step_limit");
/// Complains, at `headsKey` or `groupsKey`, unless `spec.heads` heads of
/// `headDim` features are the inner ones, and groups have one size.
void checkMamba2Heads(ConfigReader &reader, const Mamba2Spec &spec,
                      int64_t headDim, llvm::StringRef headsKey,
                      llvm::StringRef groupsKey);
/// Reads the options that hybrids have of it, `mamba_n_heads` and their like;
/// the numbers in `spec` are the defaults, and the inner size is at hand. Keys
/// of weights begin with `prefix`.
void readHybridMamba2(ConfigReader &reader, Mamba2Spec &spec,
                      const std::string &prefix);

mlir::Value mamba2Mixer(ModelBuilder &builder, const Mamba2Spec &spec,
                        mlir::Value input);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_STATESPACEMIXERS_H
