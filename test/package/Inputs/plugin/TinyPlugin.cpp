//===- TinyPlugin.cpp - What weir-opt calls -*- C++ -*-===//

#include "Tiny.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;

extern "C" LLVM_ATTRIBUTE_WEAK DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Tiny", "1", [](DialectRegistry *registry) {
            registry->insert<tiny::TinyDialect>();
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Tiny", "1",
          [] { tiny::registerTinyPasses(); }};
}
