//===- weir-rt/WeightsFile.h - Layout of the packed weights file --*- C -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared by the compiler, which writes the file, and the runtime, which maps
// it. All numbers are little endian. The bytes between the header and the
// payload are zero.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_RT_WEIGHTSFILE_H
#define WEIR_RT_WEIGHTSFILE_H

/// The first bytes of the file, without the terminating zero.
#define WEIR_WEIGHTS_MAGIC "WEIRWTS1"

/// Byte offsets of the header's fields, packed without padding.
enum weir_weights_offset {
  WEIR_WEIGHTS_VERSION_AT = 8, ///< u32: WEIR_ABI_VERSION
  WEIR_WEIGHTS_ID_AT = 12,     ///< u64: weir_model_desc::weights_id
  WEIR_WEIGHTS_BYTES_AT = 20,  ///< u64: bytes of the payload
  /// u32: 1 if a token may do without some of the payload, such as experts that
  /// are not chosen for it; else 0
  WEIR_WEIGHTS_PARTIAL_AT = 28,
  WEIR_WEIGHTS_PAYLOAD_AT = 4096
};

#endif // WEIR_RT_WEIGHTSFILE_H
