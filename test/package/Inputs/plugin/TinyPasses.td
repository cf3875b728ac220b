#ifndef TINY_PASSES_TD
#define TINY_PASSES_TD

include "mlir/Pass/PassBase.td"

def FoldDoubles : Pass<"tiny-fold-doubles"> {
  let summary = "weir.rms_norm of a doubled input needs no doubling";
  let description = [{
    A root-mean-square normalisation without eps does not see a factor of its
    input. Precondition: none. Effect: `weir.rms_norm` of `tiny.double` with
    eps 0 takes the input of the doubling instead.
  }];
}

#endif // TINY_PASSES_TD
