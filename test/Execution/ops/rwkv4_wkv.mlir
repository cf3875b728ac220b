// RWKV-4 (arXiv:2305.13048): a quotient of sums of exponentials, which three
// states hold by their largest exponent; the token itself has a bonus.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

#d = affine_map<(d) -> (d)>

func.func @rwkv4_wkv(
    %time_decay: tensor<40xf32> {weir.name = "time_decay"},
    %time_first: tensor<40xf32> {weir.name = "time_first"},
    %k: tensor<?x?x40xf32> {weir.name = "k"},
    %v: tensor<?x?x40xf32> {weir.name = "v"})
    -> (tensor<?x?x40xf32> {weir.name = "o"},
        tensor<?x3x40xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %k, %c0 : tensor<?x?x40xf32>
  %zeros = arith.constant dense<0.0> : tensor<40xf32>
  %lowest = arith.constant dense<-1.0e+38> : tensor<40xf32>
  %o, %sum_last, %weight_last, %most_last = weir.scan (%k, %v)
      states(%zeros, %zeros, %lowest)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>),
          (tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
      -> (tensor<?x?x40xf32>),
          (tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x40xf32>) {
  ^bb0(%key: tensor<40xf32>, %value: tensor<40xf32>, %sum: tensor<40xf32>,
      %weight: tensor<40xf32>, %most: tensor<40xf32>):
    %e1 = tensor.empty() : tensor<40xf32>
    %e2 = tensor.empty() : tensor<40xf32>
    %e3 = tensor.empty() : tensor<40xf32>
    %e4 = tensor.empty() : tensor<40xf32>
    %out, %sum_after, %weight_after, %most_after = linalg.generic {
        indexing_maps = [#d, #d, #d, #d, #d, #d, #d, #d, #d, #d, #d],
        iterator_types = ["parallel"]}
        ins(%key, %value, %time_decay, %time_first, %sum, %weight, %most
            : tensor<40xf32>, tensor<40xf32>, tensor<40xf32>, tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
        outs(%e1, %e2, %e3, %e4 : tensor<40xf32>, tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>) {
    ^bb0(%kt: f32, %vt: f32, %td: f32, %bonus: f32, %s: f32, %n: f32, %m: f32,
        %out0: f32, %out1: f32, %out2: f32, %out3: f32):
      %own = arith.addf %bonus, %kt : f32
      %m0 = arith.maximumf %m, %own : f32
      %x0 = arith.subf %m, %m0 : f32
      %f0 = math.exp %x0 : f32
      %x1 = arith.subf %own, %m0 : f32
      %f1 = math.exp %x1 : f32
      %s0 = arith.mulf %f0, %s : f32
      %s1 = arith.mulf %f1, %vt : f32
      %s2 = arith.addf %s0, %s1 : f32
      %n0 = arith.mulf %f0, %n : f32
      %n1 = arith.addf %n0, %f1 : f32
      %wkv = arith.divf %s2, %n1 : f32
      %rate = math.exp %td : f32
      %kept = arith.subf %m, %rate : f32
      %m1 = arith.maximumf %kept, %kt : f32
      %x2 = arith.subf %kept, %m1 : f32
      %f2 = math.exp %x2 : f32
      %x3 = arith.subf %kt, %m1 : f32
      %f3 = math.exp %x3 : f32
      %s3 = arith.mulf %f2, %s : f32
      %s4 = arith.mulf %f3, %vt : f32
      %s5 = arith.addf %s3, %s4 : f32
      %n2 = arith.mulf %f2, %n : f32
      %n3 = arith.addf %n2, %f3 : f32
      linalg.yield %wkv, %s5, %n3, %m1 : f32, f32, f32, f32
    } -> (tensor<40xf32>, tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
    weir.yield %out, %sum_after, %weight_after, %most_after
        : tensor<40xf32>, tensor<40xf32>, tensor<40xf32>, tensor<40xf32>
  }
  %e5 = tensor.empty(%b) : tensor<?x3x40xf32>
  %with_sum = tensor.insert_slice %sum_last
      into %e5[0, 0, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x40xf32> into tensor<?x3x40xf32>
  %with_weight = tensor.insert_slice %weight_last
      into %with_sum[0, 1, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x40xf32> into tensor<?x3x40xf32>
  %state = tensor.insert_slice %most_last
      into %with_weight[0, 2, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x40xf32> into tensor<?x3x40xf32>
  return %o, %state : tensor<?x?x40xf32>, tensor<?x3x40xf32>
}

func.func @rwkv4_wkv_init(
    %time_decay: tensor<40xf32> {weir.name = "time_decay"},
    %time_first: tensor<40xf32> {weir.name = "time_first"},
    %k: tensor<?x?x40xf32> {weir.name = "k"},
    %v: tensor<?x?x40xf32> {weir.name = "v"},
    %initial: tensor<?x3x40xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x40xf32> {weir.name = "o"},
        tensor<?x3x40xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %k, %c0 : tensor<?x?x40xf32>
  %sum_init = tensor.extract_slice %initial[0, 0, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x3x40xf32> to tensor<?x40xf32>
  %weight_init = tensor.extract_slice %initial[0, 1, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x3x40xf32> to tensor<?x40xf32>
  %most_init = tensor.extract_slice %initial[0, 2, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x3x40xf32> to tensor<?x40xf32>
  %o, %sum_last, %weight_last, %most_last = weir.scan (%k, %v)
      states(%sum_init, %weight_init, %most_init)
      : (tensor<?x?x40xf32>, tensor<?x?x40xf32>),
          (tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x40xf32>)
      -> (tensor<?x?x40xf32>),
          (tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x40xf32>) {
  ^bb0(%key: tensor<40xf32>, %value: tensor<40xf32>, %sum: tensor<40xf32>,
      %weight: tensor<40xf32>, %most: tensor<40xf32>):
    %e1 = tensor.empty() : tensor<40xf32>
    %e2 = tensor.empty() : tensor<40xf32>
    %e3 = tensor.empty() : tensor<40xf32>
    %e4 = tensor.empty() : tensor<40xf32>
    %out, %sum_after, %weight_after, %most_after = linalg.generic {
        indexing_maps = [#d, #d, #d, #d, #d, #d, #d, #d, #d, #d, #d],
        iterator_types = ["parallel"]}
        ins(%key, %value, %time_decay, %time_first, %sum, %weight, %most
            : tensor<40xf32>, tensor<40xf32>, tensor<40xf32>, tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
        outs(%e1, %e2, %e3, %e4 : tensor<40xf32>, tensor<40xf32>,
            tensor<40xf32>, tensor<40xf32>) {
    ^bb0(%kt: f32, %vt: f32, %td: f32, %bonus: f32, %s: f32, %n: f32, %m: f32,
        %out0: f32, %out1: f32, %out2: f32, %out3: f32):
      %own = arith.addf %bonus, %kt : f32
      %m0 = arith.maximumf %m, %own : f32
      %x0 = arith.subf %m, %m0 : f32
      %f0 = math.exp %x0 : f32
      %x1 = arith.subf %own, %m0 : f32
      %f1 = math.exp %x1 : f32
      %s0 = arith.mulf %f0, %s : f32
      %s1 = arith.mulf %f1, %vt : f32
      %s2 = arith.addf %s0, %s1 : f32
      %n0 = arith.mulf %f0, %n : f32
      %n1 = arith.addf %n0, %f1 : f32
      %wkv = arith.divf %s2, %n1 : f32
      %rate = math.exp %td : f32
      %kept = arith.subf %m, %rate : f32
      %m1 = arith.maximumf %kept, %kt : f32
      %x2 = arith.subf %kept, %m1 : f32
      %f2 = math.exp %x2 : f32
      %x3 = arith.subf %kt, %m1 : f32
      %f3 = math.exp %x3 : f32
      %s3 = arith.mulf %f2, %s : f32
      %s4 = arith.mulf %f3, %vt : f32
      %s5 = arith.addf %s3, %s4 : f32
      %n2 = arith.mulf %f2, %n : f32
      %n3 = arith.addf %n2, %f3 : f32
      linalg.yield %wkv, %s5, %n3, %m1 : f32, f32, f32, f32
    } -> (tensor<40xf32>, tensor<40xf32>, tensor<40xf32>, tensor<40xf32>)
    weir.yield %out, %sum_after, %weight_after, %most_after
        : tensor<40xf32>, tensor<40xf32>, tensor<40xf32>, tensor<40xf32>
  }
  %e5 = tensor.empty(%b) : tensor<?x3x40xf32>
  %with_sum = tensor.insert_slice %sum_last
      into %e5[0, 0, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x40xf32> into tensor<?x3x40xf32>
  %with_weight = tensor.insert_slice %weight_last
      into %with_sum[0, 1, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x40xf32> into tensor<?x3x40xf32>
  %state = tensor.insert_slice %most_last
      into %with_weight[0, 2, 0] [%b, 1, 40] [1, 1, 1]
      : tensor<?x40xf32> into tensor<?x3x40xf32>
  return %o, %state : tensor<?x?x40xf32>, tensor<?x3x40xf32>
}
