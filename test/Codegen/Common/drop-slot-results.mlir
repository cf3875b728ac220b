// RUN: weir-opt %s --weir-drop-slot-results | FileCheck %s

weir.slot @kv history : tensor<?x?x4xf32>

// CHECK-LABEL: func.func @updated_in_place
// CHECK-SAME: (%{{.*}}: memref<?x?x4xf32> {weir.slot = @kv}, %[[Y:.*]]: memref<?x8xf32>) -> (memref<?x8xf32> {weir.name = "y"})
// CHECK-NEXT: return %[[Y]] : memref<?x8xf32>
func.func @updated_in_place(%s: memref<?x?x4xf32> {weir.slot = @kv},
                            %y: memref<?x8xf32>)
    -> (memref<?x?x4xf32> {weir.slot = @kv},
        memref<?x8xf32> {weir.name = "y"}) {
  return %s, %y : memref<?x?x4xf32>, memref<?x8xf32>
}

// CHECK-LABEL: func.func @behind_a_cast
// CHECK-NOT: ->
// CHECK: return{{$}}
func.func @behind_a_cast(%s: memref<?x3x4xf32> {weir.slot = @kv})
    -> (memref<?x?x4xf32> {weir.slot = @kv}) {
  %c = memref.cast %s : memref<?x3x4xf32> to memref<?x?x4xf32>
  return %c : memref<?x?x4xf32>
}

// What an encoder gives is no slot that it updates.
weir.slot @cross memory : tensor<?x?x4xf32>

// CHECK-LABEL: func.func @given
// CHECK-SAME: -> (memref<?x?x4xf32> {weir.slot = @cross})
func.func @given(%x: memref<?x?x4xf32>)
    -> (memref<?x?x4xf32> {weir.slot = @cross}) {
  return %x : memref<?x?x4xf32>
}
