//===- FamilyTable.cpp - The families known -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/Family.h"

using namespace mlir;
using namespace weir;

const Family *FamilyTable::lookupArchitecture(StringRef name,
                                              bool &hasHead) const {
  if (name.empty())
    return nullptr;
  for (const Family &family : families) {
    hasHead = name == family.headArchitecture ||
              llvm::is_contained(family.moreArchitectures, name);
    if (hasHead || name == family.baseArchitecture ||
        name == family.encoderArchitecture)
      return &family;
  }
  return nullptr;
}

const Family *FamilyTable::lookupModelType(StringRef name) const {
  for (const Family &family : families)
    if (name == family.modelType)
      return &family;
  return nullptr;
}

const Family *FamilyTable::lookupGGUF(StringRef name) const {
  for (const Family &family : families)
    if (!family.ggufArchitecture.empty() && name == family.ggufArchitecture)
      return &family;
  return nullptr;
}

void weir::registerAllFamilies(FamilyTable &table) {
  registerABCFamily(table);
  registerAfmoeFamily(table);
  registerApertusFamily(table);
  registerArceeFamily(table);
  registerBailingHybridFamily(table);
  registerBambaFamily(table);
  registerBioGptFamily(table);
  registerBitNetFamily(table);
  registerAlbertFamily(table);
  registerBartFamilies(table);
  registerBertFamilies(table);
  registerBigBirdFamily(table);
  registerBloomFamily(table);
  registerCodeGenFamily(table);
  registerCohere2Family(table);
  registerCohere2MoeFamily(table);
  registerCohereFamily(table);
  registerCombaFamily(table);
  registerDbrxFamily(table);
  registerCwmFamily(table);
  registerDeepseekV2Family(table);
  registerDeepseekV3Family(table);
  registerDeepseekV32Family(table);
  registerDeltaNetFamily(table);
  registerDiffLlamaFamily(table);
  registerDogeFamily(table);
  registerDistilBertFamily(table);
  registerElectraFamily(table);
  registerDots1Family(table);
  registerErnie45Family(table);
  registerErnie45MoeFamily(table);
  registerExaone4Family(table);
  registerExaoneMoeFamily(table);
  registerFalconFamily(table);
  registerFalconH1Family(table);
  registerFalconMambaFamily(table);
  registerFlaAttentionFamilies(table);
  registerFlexOlmoFamily(table);
  registerGemma2Family(table);
  registerGemma3Family(table);
  registerGemmaFamily(table);
  registerGLAFamily(table);
  registerGlm4Family(table);
  registerGlm4MoeLiteFamily(table);
  registerGlmFamily(table);
  registerGPT2Family(table);
  registerGPTBigCodeFamily(table);
  registerGPTJFamily(table);
  registerGPTNeoFamily(table);
  registerGPTNeoXFamily(table);
  registerGPTNeoXJapaneseFamily(table);
  registerGptOssFamily(table);
  registerGraniteFamily(table);
  registerGraniteMoeSwaFamily(table);
  registerGraniteSwaFamily(table);
  registerGSAFamily(table);
  registerGatedDeltaNetFamily(table);
  registerGatedDeltaProductFamily(table);
  registerGlm4MoeFamily(table);
  registerGlmMoeDsaFamily(table);
  registerGraniteMoeFamily(table);
  registerGraniteMoeHybridFamily(table);
  registerGraniteMoeSharedFamily(table);
  registerHeliumFamily(table);
  registerHGRN2Family(table);
  registerHGRNFamily(table);
  registerHrmTextFamily(table);
  registerHunYuanDenseFamily(table);
  registerHunYuanMoeFamily(table);
  registerJais2Family(table);
  registerJambaFamily(table);
  registerJetMoeFamily(table);
  registerKDAFamily(table);
  registerKimiLinearFamily(table);
  registerLagunaFamily(table);
  registerLfm2Family(table);
  registerLfm2MoeFamily(table);
  registerLightNetFamily(table);
  registerLinearAttentionFamily(table);
  registerLladaFamily(table);
  registerLlama4Family(table);
  registerLlama4WrapperFamily(table);
  registerLlamaFamily(table);
  registerLongcatFlashFamily(table);
  registerLedFamily(table);
  registerLongformerFamily(table);
  registerMamba2Family(table);
  registerMambaFamily(table);
  registerMesaNetFamily(table);
  registerMiMoV2FlashFamily(table);
  registerMiniCPM3Family(table);
  registerMiniMaxFamily(table);
  registerMiniMaxM2Family(table);
  registerMinistral3Family(table);
  registerMinistralFamily(table);
  registerMistralFamily(table);
  registerMixtralFamily(table);
  registerModernBertDecoderFamily(table);
  registerModernBertFamily(table);
  registerMPNetFamily(table);
  registerMptFamily(table);
  registerNanoChatFamily(table);
  registerNemotronFamily(table);
  registerNemotronHFamily(table);
  registerOlmo2Family(table);
  registerOlmo3Family(table);
  registerOlmoFamily(table);
  registerOlmoHybridFamily(table);
  registerOlmoeFamily(table);
  registerOpenAIGPTFamily(table);
  registerOptFamily(table);
  registerPersimmonFamily(table);
  registerPhi3Family(table);
  registerPhiFamily(table);
  registerPhiMoeFamily(table);
  registerQwen2Family(table);
  registerQwen2MoeFamily(table);
  registerQwen35Family(table);
  registerQwen35MoeFamily(table);
  registerQwen35MoeWrapperFamily(table);
  registerQwen35WrapperFamily(table);
  registerQwen3Family(table);
  registerQwen3MoeFamily(table);
  registerQwen3NextFamily(table);
  registerRWKV6Family(table);
  registerRWKV7Family(table);
  registerRecurrentGemmaFamily(table);
  registerRetNetFamily(table);
  registerRobertaFamilies(table);
  registerRwkvFamily(table);
  registerSeedOssFamily(table);
  registerSmolLM3Family(table);
  registerSolarOpenFamily(table);
  registerStableLmFamily(table);
  registerStarcoder2Family(table);
  registerVaultGemmaFamily(table);
  registerXglmFamily(table);
  registerSwitchTransformersFamily(table);
  registerT5Families(table);
  registerXlstmFamily(table);
  registerZamba2Family(table);
  registerZambaFamily(table);
  registerZayaFamily(table);
}
