// RUN: weir-opt %s --weir-drop-slot-results -split-input-file \
// RUN:   -verify-diagnostics

weir.slot @carry carry : tensor<?x4xf32>

// expected-error @below {{returns the state slot @carry in a new buffer, expected it updated in place}}
func.func @new_buffer(%s: memref<?x4xf32> {weir.slot = @carry}, %n: index)
    -> (memref<?x4xf32> {weir.slot = @carry}) {
  %new = memref.alloc(%n) : memref<?x4xf32>
  return %new : memref<?x4xf32>
}

// -----

weir.slot @one carry : tensor<?x4xf32>
weir.slot @other carry : tensor<?x4xf32>

// expected-error @below {{returns the state slot @one in a new buffer, expected it updated in place}}
func.func @buffer_of_another_slot(%a: memref<?x4xf32> {weir.slot = @one},
                                  %b: memref<?x4xf32> {weir.slot = @other})
    -> (memref<?x4xf32> {weir.slot = @one},
        memref<?x4xf32> {weir.slot = @other}) {
  return %b, %a : memref<?x4xf32>, memref<?x4xf32>
}
