//===- WeirAttrs.td - Attributes of the weir dialect -------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRATTRS_TD
#define WEIR_IR_WEIRATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "weir/IR/WeirDialect.td"
include "weir/IR/WeirInterfaces.td"

class Weir_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Weir_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Where weights come from
//===----------------------------------------------------------------------===//

def Weir_CheckpointAttr : Weir_Attr<"Checkpoint", "checkpoint"> {
  let summary = "a tensor of the checkpoint, or a stack of them";
  let description = [{
    Names a checkpoint tensor by its key. With `layers`, `*` in the key is
    replaced by each number in turn and the tensors are stacked along a new
    leading axis. With `experts` besides, a second `*` is replaced by the
    numbers below it, and these tensors are stacked along the axis behind that
    of the layers:

    ```mlir
    #weir.checkpoint<"lm_head.weight">
    #weir.checkpoint<"model.layers.*.mlp.up_proj.weight", [0, 1, 2]>
    #weir.checkpoint<"model.layers.*.mlp.experts.*.w1.weight", [0, 1], experts = 8>
    ```
  }];
  let parameters = (ins "::mlir::StringAttr":$key,
    OptionalParameter<"::mlir::DenseI64ArrayAttr">:$layers,
    DefaultValuedParameter<"int64_t", "0">:$experts);
  let builders = [AttrBuilder<(ins "::mlir::StringAttr":$key,
                                   "::mlir::DenseI64ArrayAttr":$layers), [{
    return $_get($_ctxt, key, layers, 0);
  }]>];
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// The keys named, the experts of one layer side by side, or the key
    /// itself.
    ::llvm::SmallVector<::std::string> getKeys() const;
  }];
}

def Weir_ConcatAttr : Weir_Attr<"Concat", "concat"> {
  let summary = "parameters joined along one axis";
  let parameters = (ins "int64_t":$axis, "::mlir::ArrayAttr":$parts);
  let assemblyFormat = "`<` $parts `,` `axis` `=` $axis `>`";
}

def Weir_TransposeAttr : Weir_Attr<"Transpose", "transpose"> {
  let summary = "a parameter with its axes permuted";
  let description = [{
    Axis i of the result is axis `permutation[i]` of the source.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$source,
                        "::mlir::DenseI64ArrayAttr":$permutation);
  let assemblyFormat = "`<` $source `,` $permutation `>`";
}

def Weir_SliceAttr : Weir_Attr<"Slice", "slice"> {
  let summary = "a part of a parameter along one axis";
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$source, "int64_t":$axis,
                        "int64_t":$offset, "int64_t":$size);
  let assemblyFormat = "`<` $source `,` `axis` `=` $axis `,` `offset` `=` "
                       "$offset `,` `size` `=` $size `>`";
}

def Weir_ReshapeAttr : Weir_Attr<"Reshape", "reshape"> {
  let summary = "a parameter seen with another shape, in row-major order";
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$source);
  let assemblyFormat = "`<` $source `>`";
}

def Weir_PackPart : I32EnumAttr<"PackPart", "one tensor of a packed weight", [
    I32EnumAttrCase<"Values", 0, "values">,
    I32EnumAttrCase<"Quants", 1, "quants">,
    I32EnumAttrCase<"Scales", 2, "scales">,
    I32EnumAttrCase<"Mins", 3, "mins">,
    I32EnumAttrCase<"Pairs", 4, "pairs">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_PackCode : I32EnumAttr<"PackCode", "what the bits of quants mean", [
    I32EnumAttrCase<"Affine", 0, "affine">,
    I32EnumAttrCase<"E2M1", 1, "e2m1">,
    I32EnumAttrCase<"E4M3", 2, "e4m3">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_PackCodeParameter : EnumParameter<Weir_PackCode> {
  let defaultValue = "::weir::PackCode::Affine";
}

def Weir_PackAttr : Weir_Attr<"Pack", "pack"> {
  let summary = "one tensor of a matrix packed for a micro-kernel";
  let description = [{
    The source is `[..., N, K]`, output features by input features. `panel`
    output features are laid side by side so that one vector load reads the
    same input feature of consecutive outputs. Parts:

    - `values`: `[..., N/panel, K, panel]`, the source's numbers.
    - `pairs`: `[..., N/panel, K/2, panel, 2]` of bf16, two neighbours along K
      together as dot products of bf16 want them; K is even.
    - `quants`, 8 bits: `[..., N/panel, K/4, panel, 4]`, unsigned bytes, four
      neighbours along K together as dot-product instructions want them.
    - `quants`, 4 bits: `[..., N/panel, K/8, panel, 4]` bytes; byte j of a
      group of 8 along K has element j in its low and element j+4 in its high
      half, unsigned.
    - `scales`, `mins`: `[..., N/panel, K/group, panel]` of f32 or f16. With
      mins an element is `quant * scale + min`; without, the zero point is in
      the middle: `(quant - 2^(bits-1)) * scale`.

    With the code `e2m1`, quants of 4 bits are floats of OCP Microscaling's
    MXFP4 (arXiv:2310.10537): a sign, two bits of exponent and one of fraction,
    `0, 0.5, 1, 1.5, 2, 3, 4, 6` and the same with the sign. An element is that
    number times its scale, and there are no mins. Scales are of i8: exponents
    e8m0, each for `2^(scale - 127)` as an unsigned byte.

    With the code `e4m3`, quants of 8 bits are floats of OCP's 8-bit formats
    (arXiv:2209.05433): a sign, four bits of exponent with a bias of 7 and three
    of fraction; subnormals are numbers, there are no infinities, and the one
    NaN per sign does not occur. An element is that number times its scale,
    which is of f32, and there are no mins.

    Quants are unsigned because the dot-product instructions of x86 multiply
    unsigned by signed bytes, and activations are the signed ones.

    N is padded with zeros to a multiple of `panel`.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$source,
    EnumParameter<Weir_PackPart>:$part, "int64_t":$panel, "int64_t":$bits,
    "int64_t":$group, Weir_PackCodeParameter:$code);
  let assemblyFormat = "`<` $source `,` $part `,` `panel` `=` $panel `,` "
    "`bits` `=` $bits `,` `group` `=` $group (`,` `code` `=` $code^)? `>`";
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

class Weir_MaskLeaf<string name, string attrMnemonic>
    : Weir_Attr<name, attrMnemonic, [
        DeclareAttrInterfaceMethods<Weir_MaskAttrInterface>]>;

def Weir_FullMaskAttr : Weir_MaskLeaf<"FullMask", "full_mask"> {
  let summary = "every key is visible";
}

def Weir_CausalMaskAttr : Weir_MaskLeaf<"CausalMask", "causal_mask"> {
  let summary = "keys at or before the query: k <= q";
}

def Weir_WindowMaskAttr : Weir_MaskLeaf<"WindowMask", "window_mask"> {
  let summary = "keys near the query: q - left <= k <= q + right";
  let description = [{
    `window<n>` alone means the n keys ending at the query's own position on
    the left and no bound on the right, so that `causal and window<n>` is the
    usual sliding window of n keys. `window<l, r>` bounds both sides: l keys
    before the query and r behind it.
  }];
  let parameters = (ins "int64_t":$left, OptionalParameter<
    "::std::optional<int64_t>">:$right);
  let assemblyFormat = "`<` $left (`,` $right^)? `>`";
}

def Weir_FirstMaskAttr : Weir_MaskLeaf<"FirstMask", "first_mask"> {
  let summary = "the first keys of the sequence: k < count";
  let description = [{
    Attention sinks and global tokens. `causal and (window<256> or first<4>)` is
    the mask of StreamingLLM (arXiv:2309.17453).
  }];
  let parameters = (ins "int64_t":$count);
  let assemblyFormat = "`<` $count `>`";
}

def Weir_DilatedMaskAttr : Weir_MaskLeaf<"DilatedMask", "dilated_mask"> {
  let summary = "every key a multiple of step away: (q - k) mod step = 0";
  let description = [{
    With a window, the dilated one of Longformer (arXiv:2004.05150); beside one,
    the strided pattern of sparse transformers (arXiv:1904.10509).
  }];
  let parameters = (ins "int64_t":$step);
  let assemblyFormat = "`<` $step `>`";
}

def Weir_ChunkMaskAttr : Weir_MaskLeaf<"ChunkMask", "chunk_mask"> {
  let summary = "keys in the query's chunk: q / length = k / length";
  let description = [{
    Block-diagonal attention; with `causal`, the chunked layers of Llama 4.
  }];
  let parameters = (ins "int64_t":$length);
  let assemblyFormat = "`<` $length `>`";
}

def Weir_AndMaskAttr : Weir_MaskLeaf<"AndMask", "and_mask"> {
  let summary = "pairs visible in both masks";
  let parameters = (ins "::weir::MaskAttrInterface":$lhs,
                        "::weir::MaskAttrInterface":$rhs);
  let assemblyFormat = "`<` $lhs `,` $rhs `>`";
}

def Weir_OrMaskAttr : Weir_MaskLeaf<"OrMask", "or_mask"> {
  let summary = "pairs visible in either mask";
  let parameters = (ins "::weir::MaskAttrInterface":$lhs,
                        "::weir::MaskAttrInterface":$rhs);
  let assemblyFormat = "`<` $lhs `,` $rhs `>`";
}

def Weir_NotMaskAttr : Weir_MaskLeaf<"NotMask", "not_mask"> {
  let summary = "pairs hidden by the mask";
  let parameters = (ins "::weir::MaskAttrInterface":$mask);
  let assemblyFormat = "`<` $mask `>`";
}

def Weir_MaskAttr : Weir_Attr<"Mask", "mask"> {
  let summary = "a mask in the algebra of leaves, `and`, `or` and `not`";
  let description = [{
    ```mlir
    #weir.mask<causal>
    #weir.mask<causal and window<256>>
    #weir.mask<not (causal or window<4, 4>)>
    #weir.mask<causal and (window<256> or first<4>)>
    ```
    `and` binds tighter than `or`, and `not` tightest.
  }];
  let parameters = (ins "::weir::MaskAttrInterface":$expression);
  let hasCustomAssemblyFormat = 1;
}

//===----------------------------------------------------------------------===//
// Positions, state, schedules
//===----------------------------------------------------------------------===//

def Weir_RotaryLayout : I32EnumAttr<"RotaryLayout",
    "which features a rotation pairs", [
    I32EnumAttrCase<"Half", 0, "half">,
    I32EnumAttrCase<"Interleaved", 1, "interleaved">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_SlotKind : I32EnumAttr<"SlotKind", "how a state slot remembers", [
    I32EnumAttrCase<"Position", 0, "position">,
    I32EnumAttrCase<"History", 1, "history">,
    I32EnumAttrCase<"Carry", 2, "carry">,
    I32EnumAttrCase<"Memory", 3, "memory">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_RopeScalingKind : I32EnumAttr<"RopeScalingKind",
    "how rotary frequencies are stretched beyond the trained length", [
    I32EnumAttrCase<"Linear", 0, "linear">,
    I32EnumAttrCase<"Dynamic", 1, "dynamic">,
    I32EnumAttrCase<"Llama3", 2, "llama3">,
    I32EnumAttrCase<"Yarn", 3, "yarn">,
    I32EnumAttrCase<"LongRope", 4, "longrope">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_RopeScalingAttr : Weir_Attr<"RopeScaling", "rope_scaling"> {
  let summary = "rotary frequency scaling";
  let description = [{
    `factor` stretches positions. `original` is the trained length and `length`
    the longest sequence compiled for (dynamic scaling depends on it). llama3
    uses `low` and `high` as frequency factors, yarn as beta slow and beta fast
    (and `truncate` rounds its correction range outwards). longrope divides
    each frequency by the entry of `divisors`, already chosen for the length.
  }];
  let parameters = (ins EnumParameter<Weir_RopeScalingKind>:$kind,
    OptionalParameter<"::mlir::FloatAttr">:$factor,
    OptionalParameter<"::mlir::IntegerAttr">:$original,
    OptionalParameter<"::mlir::IntegerAttr">:$length,
    OptionalParameter<"::mlir::FloatAttr">:$low,
    OptionalParameter<"::mlir::FloatAttr">:$high,
    OptionalParameter<"::mlir::BoolAttr">:$truncate,
    OptionalParameter<"::mlir::DenseF64ArrayAttr">:$divisors);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Weir_ScheduleAttr : Weir_Attr<"Schedule", "schedule"> {
  let summary = "how an op is cut into tiles and spread over threads";
  let description = [{
    Written by `weir-select-schedule` (or by hand) and only read by the passes
    behind it.

    - `form`: the algorithm, e.g. `flash`, `split`, `panel`, `rows`.
    - `tiles`: tile extents, in the op's own order.
    - `parallel`: whether the op spreads over threads itself; otherwise it runs
      inside a parallel region of its surroundings, or on one thread.
  }];
  let parameters = (ins "::mlir::StringAttr":$form,
    "::mlir::DenseI64ArrayAttr":$tiles,
    DefaultValuedParameter<"bool", "false">:$parallel);
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif // WEIR_IR_WEIRATTRS_TD
