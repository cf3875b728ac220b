//===- Session.h - A sequence being extended --------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SESSION_H
#define LIB_RUNTIME_SESSION_H

#include "CallFrame.h"
#include "Program.h"
#include "Safetensors.h"
#include "State.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::rt {

/// How a session is opened; 0 means "choose".
struct SessionOptions {
  int64_t batch = 1;
  int64_t maxLength = 0;     ///< 0: the model's, or 4096 where it sets none
  int64_t maxBlock = 0;      ///< 0: the model's
  int64_t rollbackDepth = 0; ///< positions rings and snapshots cover
  int64_t snapshotEvery = 0; ///< tokens between carry snapshots; 0: none
  int threads = 0;           ///< 0: one per physical core
};

/// Which outputs of an extend the caller wants.
enum class Outputs { None, Last, All };

/// Outputs of consecutive tokens of one row: `count` steps of `stepBytes`,
/// dense, valid during the callback only.
struct OutputBlock {
  const weir_value_desc *result;
  int64_t row;
  int64_t first; ///< index of the first token within this extend
  int64_t count;
  const int64_t *stepShape; ///< extents of one step
  int32_t stepRank;
  size_t stepBytes;
  const void *data;
};
using OutputFn = std::function<void(const OutputBlock &)>;

/// One batch of sequences and what the model remembers of them. Not safe for
/// use by two threads at once; two sessions of one program are independent.
class Session {
public:
  /// Allocates the state, the arena and all that a step needs.
  static std::unique_ptr<Session> open(std::shared_ptr<const Program> program,
                                       const SessionOptions &options,
                                       std::string &error);

  /// Appends `counts[row]` tokens to each row (0 leaves a row as it is).
  /// Outputs go to `output` as they are computed: for `Last` once per row that
  /// got tokens, for `All` possibly in several blocks. On an error found before
  /// anything ran, the state is unchanged; an error of the compiled function
  /// itself leaves the session fit only for reset or closing.
  bool extend(const int32_t *const *tokens, const int64_t *counts,
              Outputs wanted, const OutputFn &output, std::string &error);

  /// The same for models of other or several inputs: `inputs[i][row]` points to
  /// `counts[row]` dense steps of input `i`, in its own element type.
  bool extendInputs(const std::vector<const void *const *> &inputs,
                    const int64_t *counts, Outputs wanted,
                    const OutputFn &output, std::string &error);

  /// The inputs of extendInputs, in its order.
  const std::vector<const weir_value_desc *> &inputs() const {
    return inputList;
  }

  /// Gives the arguments of extending functions that have no time axis (an
  /// image, say); kept by fork, not by save. `data` is dense, in the
  /// argument's type.
  bool setConstant(const std::string &name, const void *data,
                   const std::vector<int64_t> &shape, std::string &error);

  /// Computes what steps read of an encoder's `inputs`, which are named as
  /// those of a whole-sequence run (Forward.h) and have a row for each of the
  /// batch. All rows begin anew at position 0. On an error the session is as it
  /// was.
  bool encode(const std::vector<TensorView> &inputs, std::string &error);

  /// Whether steps have what they read of an encoder, or need none.
  bool isEncoded() const { return encoded || !owner->encoder(); }

  /// Whether some result of extending can be had for all tokens.
  bool hasAllOutputs() const;

  const Program &program() const { return *owner; }
  const SessionOptions &options() const { return opts; }
  int64_t batch() const { return opts.batch; }
  int64_t position(int64_t row) const { return state.position(row); }
  /// Positions a row may reach.
  int64_t maxLength() const { return opts.maxLength; }
  /// Bytes of the state and of the scratch memory.
  size_t stateBytes() const { return state.bytes(); }
  size_t arenaBytes() const { return arena.size(); }
  const State &memory() const { return state; }

  /// Puts every row back to position 0; what was encoded stays.
  void reset();

  /// Puts one row back to an earlier position. Histories are cut. A model with
  /// carries goes back to its last snapshot, or to the start, and takes the
  /// kept tokens in again.
  bool rollback(int64_t row, int64_t position, std::string &error);

  /// Row b continues what row `from[b]` was.
  bool reorder(const std::vector<int64_t> &from, std::string &error);

  /// A copy that goes on by itself.
  std::unique_ptr<Session> fork(std::string &error) const;

  /// Writes the state to a file, which replaces `path` when complete.
  bool save(const std::string &path, std::string &error) const;

  /// Replaces the state by a saved one, which must be of the same model and
  /// batch; maximum lengths may differ. An error leaves the session unchanged.
  bool load(const std::string &path, std::string &error);

  /// Tokens that belong to a row but were not fed yet: kept through save and
  /// load so that generation continues exactly; never fed by the session
  /// itself. Any change of the state clears them.
  const std::vector<int32_t> &pending(int64_t row) const {
    return pendingTokens[row];
  }
  void setPending(int64_t row, std::vector<int32_t> tokens) {
    pendingTokens[row] = std::move(tokens);
  }

private:
  struct Function {
    Function(const weir_function_desc &desc, std::shared_ptr<Device> device)
        : frame(desc, std::move(device)), desc(&desc) {}
    CallFrame frame;
    const weir_function_desc *desc;
    int32_t lengthsArg = -1, arenaArg = -1;
    std::vector<int32_t> inputArgs; ///< argument of each session input
  };
  struct Snapshot {
    int64_t position;
    std::vector<uint8_t> carry;
  };
  struct Constant {
    const weir_value_desc *desc;
    std::vector<int64_t> shape;
    std::shared_ptr<Buffer> data; ///< shared by forks; never written again
  };
  /// What is kept of one row besides the slots, for models with carries.
  struct RowLog {
    std::vector<std::vector<uint8_t>> inputs; ///< steps of each input
    std::vector<Snapshot> snapshots;          ///< by ascending position
  };
  /// The function for the next block and the steps to feed it.
  struct Choice {
    Function *function = nullptr;
    int64_t time = 0;  ///< block length the function sees
    int64_t steps = 0; ///< most steps taken from a row
  };

  bool prepare(std::string &error);
  bool chooseLimits(std::string &error);
  bool collectFunctions(std::string &error);
  bool addFunction(const weir_function_desc &desc, std::string &error);
  bool sizeArena(std::string &error);
  void describe(Function &function, int64_t time);
  bool choose(const int64_t *remaining, Outputs wanted, Choice &choice) const;
  bool feed(const std::vector<const void *const *> &rows, const int64_t *counts,
            Outputs wanted, const OutputFn &output, bool replay,
            std::string &error);
  void stage(const Choice &choice,
             const std::vector<const void *const *> &rows);
  void emit(const Choice &choice, const int64_t *counts, Outputs wanted,
            const OutputFn &output);
  void remember(const std::vector<const void *const *> &rows);
  void snapshot(int64_t row);
  bool checkRow(int64_t row, std::string &error) const;

  std::shared_ptr<const Program> owner;
  SessionOptions opts;
  State state;
  Buffer arena;
  std::vector<Function> functions;
  std::vector<const weir_value_desc *> inputList;
  std::vector<size_t> stepBytes; ///< of each input
  std::vector<Buffer> staging;   ///< [batch, block, ...] of each input
  std::vector<Constant> constants;
  std::vector<int32_t> lengths;        ///< of the current block
  std::vector<int64_t> taken, inBlock; ///< steps done, steps in the block
  std::vector<uint8_t> scratch;        ///< densified outputs
  std::vector<int64_t> shapeScratch;   ///< a shape being put together
  bool encoded = false;
  bool keepLog = false;
  std::vector<RowLog> logs;
  std::vector<std::vector<int32_t>> pendingTokens;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SESSION_H
