//===- SimtBarriers.h - Barriers in memory and bulk copies ------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SIMTBARRIERS_H
#define LIB_RUNTIME_SIMTBARRIERS_H

#include "SimtMemory.h"
#include "TensorMap.h"

#include <map>
#include <random>
#include <string>
#include <vector>

namespace weir::rt {

/// The barriers in shared memory of the block at hand, and the copies that
/// complete on them, as the PTX manual defines `mbarrier` and
/// `cp.async.bulk.tensor`. Functions that give false tell what is wrong.
class SimtBarriers {
public:
  SimtBarriers(SimtMemory &memory, std::string &fault)
      : memory(memory), fault(fault) {}

  void beginBlock();

  bool init(int32_t thread, void *address, int32_t count);
  bool invalidate(int32_t thread, void *address);
  bool arrive(int32_t thread, void *address, int32_t count, int32_t bytes);
  /// Whether there is a barrier that `thread` may wait at.
  bool mayWait(int32_t thread, void *address);
  /// Whether the phase of this parity of a barrier is complete.
  bool isComplete(const void *address, int32_t parity) const;
  /// `thread` has seen that, and knows of what came before.
  void acquire(int32_t thread, const void *address);
  /// What the phase at hand of a barrier lacks.
  std::string describe(const void *address) const;
  /// `thread` makes barriers that it began visible to copies.
  void fenceInit(int32_t thread);

  /// Begins a copy of a box; it is complete at once if `now`.
  bool copyBox(int32_t thread, void *to, const void *map,
               const int32_t *coordinates, int32_t rank, void *barrier,
               bool now);
  /// Completes one of the copies that count for barriers of `awaited`; false
  /// if there is none.
  bool completeOne(const std::vector<const void *> &awaited,
                   std::mt19937 &random);
  /// Whether copies are under way.
  bool copiesOpen() const { return !copies.empty(); }

private:
  /// Sixteen bytes of a box; from nowhere where outside of the tensor.
  struct Piece {
    void *to;
    const void *from;
    int32_t taken;
  };
  struct Copy {
    const void *barrier;
    int64_t bytes;
    std::vector<Piece> pieces;
  };
  struct Barrier {
    int32_t expected, pending;
    int64_t bytes = 0; ///< expected and not there yet
    uint32_t phase = 0;
    int32_t maker;
    uint64_t madeIn; ///< the barriers of the block there had been
    uint32_t madeAt; ///< by the maker's clock
    bool fenced = false;
    /// What those know who arrived, and who arrived in the last phase.
    SimtClocks::Clock arrived, completed;
    /// Pieces that came in this phase.
    std::vector<Piece> landed;
  };

  /// The barrier at `address`, which `thread` may use; null if not.
  Barrier *find(int32_t thread, const void *address);
  void complete(Copy &copy);
  /// Begins another phase if this one lacks nothing.
  void finishPhase(Barrier &barrier);

  SimtMemory &memory;
  std::string &fault;
  std::map<const void *, Barrier> barriers;
  std::vector<Copy> copies;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_SIMTBARRIERS_H
