//===- MaskSimplification.cpp - Shorter masks of the same pairs -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `full`, `causal` and the windows are bands: they show a key as long as it is
// not too far behind the query and not too far ahead. All bands contain the
// query's own position, so that `and` and `or` of bands are bands again, and
// every band has one canonical text:
//
//   behind   ahead    text
//   any      any      full
//   any      0        causal
//   any      r        causal or window<0, r>
//   l        any      window<l + 1>
//   l        0        causal and window<l + 1>
//   l        r        window<l, r>
//
// What is no band, a `not` of one or another leaf, stays an operand of its
// connective, behind the band that all bands beside it were merged into.
//
//===----------------------------------------------------------------------===//

#include "weir/IR/TileClasses.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

std::optional<MaskReach> weir::getBand(MaskAttrInterface mask) {
  if (isa<FullMaskAttr, CausalMaskAttr, WindowMaskAttr>(mask))
    return mask.getReach();
  if (auto both = dyn_cast<AndMaskAttr>(mask))
    if (getBand(both.getLhs()) && getBand(both.getRhs()))
      return mask.getReach();
  if (auto either = dyn_cast<OrMaskAttr>(mask))
    if (getBand(either.getLhs()) && getBand(either.getRhs()))
      return mask.getReach();
  return std::nullopt;
}

/// The canonical text of a band.
static MaskAttrInterface makeBand(MLIRContext *context, MaskReach band) {
  MaskAttrInterface causal = CausalMaskAttr::get(context);
  if (!band.behind && !band.ahead)
    return FullMaskAttr::get(context);
  if (!band.behind)
    return *band.ahead == 0 ? causal
                            : MaskAttrInterface(OrMaskAttr::get(
                                  context, causal,
                                  WindowMaskAttr::get(context, 0, band.ahead)));
  MaskAttrInterface window =
      WindowMaskAttr::get(context, *band.behind + 1, std::nullopt);
  if (!band.ahead)
    return window;
  if (*band.ahead == 0)
    return AndMaskAttr::get(context, causal, window);
  return WindowMaskAttr::get(context, *band.behind, band.ahead);
}

/// Bounds that no pair of the tensors exceeds are none.
static MaskReach widen(MaskReach band, const MaskReach &extent) {
  if (extent.behind && band.behind && *band.behind >= *extent.behind)
    band.behind.reset();
  if (extent.ahead && band.ahead && *band.ahead >= *extent.ahead)
    band.ahead.reset();
  return band;
}

static MaskAttrInterface getNot(MaskAttrInterface mask) {
  if (auto inner = dyn_cast<NotMaskAttr>(mask))
    return inner.getMask();
  return NotMaskAttr::get(mask.getContext(), mask);
}

/// Collects what chains of `ConnectiveAttr` join, simplified.
template <typename ConnectiveAttr>
static void collectOperands(MaskAttrInterface mask, const MaskReach &extent,
                            SmallVectorImpl<MaskAttrInterface> &operands) {
  if (auto connective = dyn_cast<ConnectiveAttr>(mask)) {
    collectOperands<ConnectiveAttr>(connective.getLhs(), extent, operands);
    collectOperands<ConnectiveAttr>(connective.getRhs(), extent, operands);
    return;
  }
  MaskAttrInterface simple = simplifyMask(mask, extent);
  // What was no such connective may have become one.
  if (isa<ConnectiveAttr>(simple) && simple != mask && !getBand(simple))
    collectOperands<ConnectiveAttr>(simple, extent, operands);
  else if (!llvm::is_contained(operands, simple))
    operands.push_back(simple);
}

/// Simplifies a chain of `and`s (`isAnd`) or `or`s.
template <typename ConnectiveAttr>
static MaskAttrInterface simplifyChain(MaskAttrInterface mask,
                                       const MaskReach &extent) {
  constexpr bool isAnd = std::is_same_v<ConnectiveAttr, AndMaskAttr>;
  MLIRContext *context = mask.getContext();
  SmallVector<MaskAttrInterface> operands, others;
  collectOperands<ConnectiveAttr>(mask, extent, operands);
  MaskAttrInterface full = FullMaskAttr::get(context);
  MaskAttrInterface none = NotMaskAttr::get(context, full);
  // What changes nothing in the chain, and what decides it.
  MaskAttrInterface idle = isAnd ? full : none;
  MaskAttrInterface decisive = isAnd ? none : full;
  std::optional<MaskReach> merged;
  for (MaskAttrInterface operand : operands) {
    std::optional<MaskReach> band = getBand(operand);
    if (!band)
      others.push_back(operand);
    else if (!merged)
      merged = band;
    else
      merged = isAnd ? getReachOfBoth(*merged, *band)
                     : getReachOfEither(*merged, *band);
  }
  SmallVector<MaskAttrInterface> kept;
  if (merged)
    kept.push_back(makeBand(context, widen(*merged, extent)));
  llvm::append_range(kept, others);
  for (MaskAttrInterface operand : kept)
    if (operand == decisive || llvm::is_contained(kept, getNot(operand)))
      return decisive;
  llvm::erase(kept, idle);
  if (kept.empty())
    return idle;
  MaskAttrInterface result = kept.front();
  for (MaskAttrInterface operand : ArrayRef(kept).drop_front())
    result = ConnectiveAttr::get(context, result, operand);
  return result;
}

MaskAttrInterface weir::simplifyMask(MaskAttrInterface mask,
                                     const MaskReach &extent) {
  if (std::optional<MaskReach> band = getBand(mask))
    return makeBand(mask.getContext(), widen(*band, extent));
  if (auto inner = dyn_cast<NotMaskAttr>(mask))
    return getNot(simplifyMask(inner.getMask(), extent));
  if (isa<AndMaskAttr>(mask))
    return simplifyChain<AndMaskAttr>(mask, extent);
  if (isa<OrMaskAttr>(mask))
    return simplifyChain<OrMaskAttr>(mask, extent);
  return mask;
}
