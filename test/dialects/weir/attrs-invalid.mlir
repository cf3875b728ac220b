// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func private @schedule_without_form() attributes {
  // expected-error @below {{struct is missing required parameter: form}}
  s = #weir.schedule<tiles = [1, 2]>
}

// -----

func.func private @schedule_without_tiles() attributes {
  // expected-error @below {{struct is missing required parameter: tiles}}
  s = #weir.schedule<form = "flash">
}

// -----

func.func private @schedule_unknown_part() attributes {
  // expected-error @below {{duplicate or unknown struct parameter name: threads}}
  s = #weir.schedule<form = "flash", tiles = [1, 2], threads = 2>
}

// -----

func.func private @pack_unknown_part() attributes {
  // expected-error @below {{failed to parse Weir_PackAttr parameter 'part'}}
  // expected-error @below {{expected ::weir::PackPart to be one of: values, quants, scales, mins}}
  s = #weir.pack<@a, zeros, panel = 32, bits = 4, group = 64>
}

// -----

func.func private @checkpoint_layer_name() attributes {
  // expected-error @below {{expected integer value}}
  s = #weir.checkpoint<"a.*", ["first"]>
}
