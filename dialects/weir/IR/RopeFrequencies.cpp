//===- RopeFrequencies.cpp - Rotary angular frequencies -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/Weir.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// The number of the pair of features that turns `rotations` times over
/// `length` positions; yarn interpolates between two such pairs.
static double getPairOfRotations(double rotations, int64_t dims, double base,
                                 double length) {
  constexpr double Pi = 3.14159265358979323846;
  return dims * std::log(length / (rotations * 2 * Pi)) / (2 * std::log(base));
}

/// Blends each frequency between its stretched and its plain value.
static void applyYarn(SmallVectorImpl<double> &frequencies, double base,
                      int64_t dims, RopeScalingAttr scaling) {
  double factor = scaling.getFactor().getValueAsDouble();
  double length = scaling.getOriginal().getInt();
  double slow = scaling.getLow() ? scaling.getLow().getValueAsDouble() : 1.0;
  double fast = scaling.getHigh() ? scaling.getHigh().getValueAsDouble() : 32.0;
  double first = getPairOfRotations(fast, dims, base, length);
  double last = getPairOfRotations(slow, dims, base, length);
  if (!scaling.getTruncate() || scaling.getTruncate().getValue()) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, static_cast<double>(dims - 1));
  if (first == last)
    last += 0.001; // The ramp's width divides.
  for (auto [i, frequency] : llvm::enumerate(frequencies)) {
    double stretched = std::clamp((i - first) / (last - first), 0.0, 1.0);
    frequency = frequency / factor * stretched + frequency * (1 - stretched);
  }
}

/// Stretches the low frequencies, keeps the high ones and blends between.
static void applyLlama3(SmallVectorImpl<double> &frequencies,
                        RopeScalingAttr scaling) {
  constexpr double Pi = 3.14159265358979323846;
  double factor = scaling.getFactor().getValueAsDouble();
  double length = scaling.getOriginal().getInt();
  double low = scaling.getLow().getValueAsDouble();
  double high = scaling.getHigh().getValueAsDouble();
  for (double &frequency : frequencies) {
    double wavelength = 2 * Pi / frequency;
    if (wavelength < length / high)
      continue;
    if (wavelength > length / low) {
      frequency /= factor;
      continue;
    }
    double smooth = (length / wavelength - low) / (high - low);
    frequency = (1 - smooth) * frequency / factor + smooth * frequency;
  }
}

/// The parameter that `scaling` lacks, or an empty string.
static StringRef findMissingParameter(RopeScalingAttr scaling) {
  RopeScalingKind kind = scaling.getKind();
  if (kind != RopeScalingKind::LongRope && !scaling.getFactor())
    return "factor";
  bool needsOriginal =
      kind != RopeScalingKind::Linear && kind != RopeScalingKind::LongRope;
  if (needsOriginal && !scaling.getOriginal())
    return "original";
  if (kind == RopeScalingKind::Dynamic && !scaling.getLength())
    return "length";
  if (kind == RopeScalingKind::Llama3 &&
      (!scaling.getLow() || !scaling.getHigh()))
    return "low and high";
  if (kind == RopeScalingKind::LongRope && !scaling.getDivisors())
    return "divisors";
  return "";
}

std::optional<SmallVector<double>>
weir::computeRopeFrequencies(double base, int64_t dims, RopeScalingAttr scaling,
                             std::string &error) {
  StringRef missing = scaling ? findMissingParameter(scaling) : "";
  if (!missing.empty()) {
    error = ("lacks the scaling parameter " + missing + " that " +
             stringifyRopeScalingKind(scaling.getKind()) + " scaling needs")
                .str();
    return std::nullopt;
  }
  if (scaling && scaling.getKind() == RopeScalingKind::Dynamic) {
    double factor = scaling.getFactor().getValueAsDouble();
    double original = scaling.getOriginal().getInt();
    double length = std::max<double>(scaling.getLength().getInt(), original);
    base *= std::pow(factor * length / original - (factor - 1),
                     dims / (dims - 2.0));
  }

  SmallVector<double> frequencies;
  for (int64_t i = 0; i < dims / 2; ++i)
    frequencies.push_back(std::pow(base, -2.0 * i / dims));
  if (!scaling)
    return frequencies;

  switch (scaling.getKind()) {
  case RopeScalingKind::Linear:
    for (double &frequency : frequencies)
      frequency /= scaling.getFactor().getValueAsDouble();
    break;
  case RopeScalingKind::Dynamic:
    break;
  case RopeScalingKind::Llama3:
    applyLlama3(frequencies, scaling);
    break;
  case RopeScalingKind::Yarn:
    applyYarn(frequencies, base, dims, scaling);
    break;
  case RopeScalingKind::LongRope:
    if (scaling.getDivisors().size() != dims / 2) {
      error = ("has " + llvm::Twine(scaling.getDivisors().size()) +
               " divisors for " + llvm::Twine(dims / 2) + " frequencies")
                  .str();
      return std::nullopt;
    }
    for (auto [frequency, divisor] :
         llvm::zip(frequencies, scaling.getDivisors().asArrayRef()))
      frequency /= divisor;
    break;
  }
  return frequencies;
}

double weir::computeRopeAttentionFactor(RopeScalingAttr scaling) {
  if (!scaling)
    return 1.0;
  double factor =
      scaling.getFactor() ? scaling.getFactor().getValueAsDouble() : 1.0;
  if (scaling.getKind() == RopeScalingKind::Yarn)
    return factor <= 1 ? 1.0 : 0.1 * std::log(factor) + 1;
  if (scaling.getKind() == RopeScalingKind::LongRope && scaling.getOriginal())
    return factor <= 1
               ? 1.0
               : std::sqrt(1 + std::log(factor) /
                                   std::log(static_cast<double>(
                                       scaling.getOriginal().getInt())));
  return 1.0;
}
