//===- CudaReplay.h - Launches that repeat themselves -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step of decoding launches the same kernels with the same arguments each
// time: what changes from token to token lies in memory. The launches of a call
// that came twice alike are made one CUDA graph, which the driver starts by one
// call from then on.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_CUDAREPLAY_H
#define LIB_RUNTIME_CUDAREPLAY_H

#include "CudaDriver.h"
#include "Device.h"

#include <vector>

namespace weir::rt::cuda {

/// A kernel of a loaded module.
struct Kernel {
  Function function = nullptr;
  const char *name = "";
  unsigned sharedBytes = 0;
  /// Of each argument; known where the driver tells them (CUDA 12.4).
  std::vector<size_t> argumentBytes;

  /// Asks the driver for the bytes of the arguments; false where it tells none.
  /// A kernel writes somewhere, so that it has some.
  bool readArguments(const Driver &driver);
  Result launch(const Driver &driver, unsigned blocks, unsigned threads,
                Stream stream, void **arguments) const;
};

/// The launches of one function's calls, one call after the other.
class Replay : public LaunchHistory {
public:
  Replay(const Driver &driver, Context context, Stream stream)
      : driver(driver), context(context), stream(stream) {}
  ~Replay() override;

  /// Whether `driver` has what graphs take.
  static bool isOffered(const Driver &driver);

  /// Launches `kernel` now, or puts it off as long as the call goes as the one
  /// before. The arguments are copied. `failed` names what an error belongs to.
  Result launch(const Kernel &kernel, unsigned blocks, unsigned threads,
                void **arguments, const char *&failed);

  /// Ends the call: launches what was put off, at once where it is the whole
  /// call again.
  Result finish(const char *&failed);
  /// Ends a call that failed.
  void drop();

private:
  struct Launch {
    const Kernel *kernel;
    unsigned blocks, threads;
    size_t at; ///< where its arguments begin
  };
  struct Call {
    std::vector<Launch> launches;
    std::vector<char> bytes; ///< of all arguments, end to end
  };

  void note(const Kernel &kernel, unsigned blocks, unsigned threads,
            void **arguments);
  /// Whether the last launch of this call is the same as that of the call
  /// before at its place.
  bool isRepeated() const;
  /// Launches `launched` and what is behind it to `to`.
  Result launchRest(Stream to, const char *&failed);
  /// Makes a graph of this call; null where the driver refuses.
  GraphExec capture();
  void forget();

  const Driver &driver;
  Context context;
  Stream stream;
  Call before, now;
  size_t launched = 0;  ///< launches of this call that are not put off
  bool repeats = true;  ///< so far
  bool refused = false; ///< no graph can be made
  GraphExec graph = nullptr;
};

} // namespace weir::rt::cuda

#endif // LIB_RUNTIME_CUDAREPLAY_H
