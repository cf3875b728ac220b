# The sources of the tokenizer runtime, relative to this folder. They need
# ICU::i18n, ICU::uc and ICU::data, and nothing else of the runtime.
set(WEIR_TOKENIZER_SOURCES
  Tokenizer.cpp
  TokenizerAdded.cpp
  TokenizerModel.cpp
  TokenizerNormalize.cpp
  TokenizerPreTokenize.cpp
  TokenizerText.cpp
)
