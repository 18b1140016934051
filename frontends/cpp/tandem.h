// The C++ front end: everything a program that builds, trains and runs models needs.
//
//   #include "tandem/frontends/cpp/tandem.h"
//
//   using namespace tandem;
//   HybridSequential net;
//   net.Add(nn::Dense(256, {.activation = "relu"}), nn::Dense(10));
//   net.Initialize(init::Xavier());
//   net.Hybridize();
//   Tensor y = net(Ones({16, 784}));
//   std::cout << y << "\n";
//
// A program links //frontends/cpp:tandem and, for its devices, //backends:register_all.
#ifndef TANDEM_FRONTENDS_CPP_TANDEM_H_
#define TANDEM_FRONTENDS_CPP_TANDEM_H_

// IWYU pragma: begin_exports
#include "tandem/core/autograd/autograd.h"
#include "tandem/core/dispatch/mode.h"
#include "tandem/core/tensor/tensor.h"
#include "tandem/frontends/cpp/array.h"
#include "tandem/frontends/cpp/block.h"
#include "tandem/frontends/cpp/context.h"
#include "tandem/frontends/cpp/control_flow.h"
#include "tandem/frontends/cpp/data/data_loader.h"
#include "tandem/frontends/cpp/data/dataset.h"
#include "tandem/frontends/cpp/error.h"
#include "tandem/frontends/cpp/gradient.h"
#include "tandem/frontends/cpp/hybrid_block.h"
#include "tandem/frontends/cpp/initializer.h"
#include "tandem/frontends/cpp/loss/loss.h"
#include "tandem/frontends/cpp/metrics/metrics.h"
#include "tandem/frontends/cpp/name_scope.h"
#include "tandem/frontends/cpp/nn/activation.h"
#include "tandem/frontends/cpp/nn/attention.h"
#include "tandem/frontends/cpp/nn/basic.h"
#include "tandem/frontends/cpp/nn/conv2d.h"
#include "tandem/frontends/cpp/nn/dense.h"
#include "tandem/frontends/cpp/nn/embedding.h"
#include "tandem/frontends/cpp/nn/norm.h"
#include "tandem/frontends/cpp/nn/pool2d.h"
#include "tandem/frontends/cpp/operators.h"
#include "tandem/frontends/cpp/ops.h"
#include "tandem/frontends/cpp/optim/optimizer.h"
#include "tandem/frontends/cpp/optim/trainer.h"
#include "tandem/frontends/cpp/parameter.h"
#include "tandem/frontends/cpp/sequential.h"
#include "tandem/frontends/cpp/symbol_block.h"
#include "tandem/frontends/cpp/util/benchmark.h"
#include "tandem/frontends/cpp/util/progress_bar.h"
// IWYU pragma: end_exports

#endif  // TANDEM_FRONTENDS_CPP_TANDEM_H_
