// RUN: weir-opt %s --weir-verify-bufferized -split-input-file \
// RUN:   -verify-diagnostics

weir.param @w : tensor<4xf32> = #weir.checkpoint<"w"> {offset = 0 : i64}

func.func @in_the_arena(%x: memref<4xf32>,
                        %file: memref<?xi8> {weir.role = "weights"},
                        %arena: memref<?xi8> {weir.role = "arena"}) {
  %c0 = arith.constant 0 : index
  %y = memref.view %arena[%c0][] : memref<?xi8> to memref<4xf32>
  linalg.copy ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  %stack = memref.alloca() : memref<4xf32>
  return
}

func.func @in_the_arena__arena(%x: memref<4xf32>) -> i64 {
  %bytes = arith.constant 64 : i64
  return %bytes : i64
}

func.func private @helper(%x: memref<4xf32>) {
  return
}

// -----

func.func @no_arena(%x: memref<4xf32>) {
  // expected-error @above {{'func.func' op does not end its arguments with the weights file and the arena, expected those of weir-bind-weights and weir-plan-memory}}
  return
}

// -----

func.func private @allocation() {
  // expected-error @below {{'memref.alloc' op allocates or frees memory behind the stage bufferized, expected a view of the arena}}
  %x = memref.alloc() : memref<4xf32>
  return
}

// -----

// expected-error @below {{'func.func' op has an argument of type 'tensor<4xf32>' behind the stage bufferized, expected a memref}}
func.func private @tensor_argument(%x: tensor<4xf32>) {
  return
}

// -----

func.func private @tensor_result() {
  // expected-error @below {{'arith.constant' op gives a 'tensor<2xf32>' behind the stage bufferized, expected a memref}}
  %x = arith.constant dense<0.0> : tensor<2xf32>
  return
}

// -----

func.func private @tensor_operand() -> index {
  // expected-error @below {{'ub.poison' op gives a 'tensor<2xf32>'}}
  %x = ub.poison : tensor<2xf32>
  // expected-error @below {{'linalg.add' op takes a 'tensor<2xf32>' behind the stage bufferized, expected a memref; an op that does not implement BufferizableOpInterface keeps its tensors}}
  %y = linalg.add ins(%x, %x : tensor<2xf32>, tensor<2xf32>)
                  outs(%x : tensor<2xf32>) -> tensor<2xf32>
  %n = arith.constant 0 : index
  return %n : index
}

// -----

weir.param @w : tensor<4xf32> = #weir.checkpoint<"w">

func.func private @weight() {
  // expected-error @below {{'weir.weight' op may not remain behind the stage bufferized, expected ops on memrefs; one-shot bufferisation}}
  %w = weir.weight @w : tensor<4xf32>
  return
}
