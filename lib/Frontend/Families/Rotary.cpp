//===- Rotary.cpp - Reading of rotary embeddings' parameters -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three spellings: `rope_theta` and `rope_scaling` (with `type` or
// `rope_type`), the newer `rope_parameters` that holds both, and GGUF's keys
// and tensors. Formulas of factors that multiply cosine and sine are those of
// the papers: yarn arXiv:2309.00071, longrope arXiv:2402.13753.
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/Family.h"
#include "weir/Frontend/ModelBuilder.h"
#include "weir/Frontend/WeightSource.h"
#include <cmath>

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

namespace {

/// Reads one object of rotary parameters.
class RotaryReader {
public:
  RotaryReader(ConfigReader &config, ModelBuilder &builder,
               const RotaryOptions &options)
      : config(config), builder(builder), options(options) {}

  RotarySpec readHuggingFace();
  RotarySpec readGGUF();

private:
  /// Finds the object of parameters.
  void readObject();
  /// Takes the kind of layers' own object out of that of `all`.
  void readLayerObject(const json::Object &all);
  /// The number under `key`, if there is one.
  std::optional<double> getNumber(StringRef key);
  /// The same, but a missing one is an error.
  double require(StringRef key);
  bool getTruncate();
  std::vector<double> getNumbers(StringRef key);
  void readScaling(StringRef type, RotarySpec &spec);
  void readLongRope(RotarySpec &spec);
  /// The `count` numbers under `key`, which frequencies are divided by.
  RopeScalingAttr getDivisors(StringRef key, int64_t count);
  /// Frequencies divided by `divisors`, one each.
  RopeScalingAttr getDivided(ArrayRef<double> divisors);
  void readYarn(RotarySpec &spec);
  /// Angles of whole heads, of which only the first part turns.
  void readProportional(double part, RotarySpec &spec);
  /// The length the model was trained with before its stretching.
  int64_t getOriginalLength();
  std::vector<double> readFactors(StringRef tensor, int64_t count);
  void checkKeys();

  RopeScalingAttr getScaling(RopeScalingKind kind, std::optional<double> factor,
                             std::optional<int64_t> original,
                             std::optional<double> low = std::nullopt,
                             std::optional<double> high = std::nullopt,
                             std::optional<bool> truncate = std::nullopt,
                             ArrayRef<double> divisors = {});

  ConfigReader &config;
  ModelBuilder &builder;
  RotaryOptions options;
  /// The object read, and the key it stands under.
  json::Object object;
  std::string objectKey;
};

} // namespace

RopeScalingAttr RotaryReader::getScaling(RopeScalingKind kind,
                                         std::optional<double> factor,
                                         std::optional<int64_t> original,
                                         std::optional<double> low,
                                         std::optional<double> high,
                                         std::optional<bool> truncate,
                                         ArrayRef<double> divisors) {
  OpBuilder &b = builder.getBuilder();
  auto number = [&](std::optional<double> value) {
    return value ? b.getF64FloatAttr(*value) : FloatAttr();
  };
  IntegerAttr length = kind == RopeScalingKind::Dynamic
                           ? b.getI64IntegerAttr(options.maxLength)
                           : IntegerAttr();
  return RopeScalingAttr::get(
      &builder.getContext(), kind, number(factor),
      original ? b.getI64IntegerAttr(*original) : IntegerAttr(), length,
      number(low), number(high),
      truncate ? b.getBoolAttr(*truncate) : BoolAttr(),
      divisors.empty() ? DenseF64ArrayAttr()
                       : b.getDenseF64ArrayAttr(divisors));
}

//===----------------------------------------------------------------------===//
// Hugging Face
//===----------------------------------------------------------------------===//

std::optional<double> RotaryReader::getNumber(StringRef key) {
  const json::Value *value = object.get(key);
  if (!value || value->kind() == json::Value::Null)
    return std::nullopt;
  if (auto number = value->getAsNumber())
    return *number;
  config.emitError(key) << "key '" << key << "' of '" << objectKey
                        << "' is no number";
  return std::nullopt;
}

double RotaryReader::require(StringRef key) {
  if (auto number = getNumber(key))
    return *number;
  config.emitError(objectKey)
      << "'" << objectKey << "' lacks '" << key << "', expected a number";
  return 1.0;
}

bool RotaryReader::getTruncate() {
  // transformers looks for it beside the objects of kinds of layers only.
  if (!options.layerType.empty() || options.given)
    return true;
  const json::Value *value = object.get("truncate");
  if (!value || value->kind() == json::Value::Null)
    return true;
  return value->getAsBoolean().value_or(true);
}

std::vector<double> RotaryReader::getNumbers(StringRef key) {
  std::vector<double> numbers;
  const json::Array *array = object.getArray(key);
  for (size_t i = 0; array && i < array->size(); ++i)
    if (auto number = (*array)[i].getAsNumber())
      numbers.push_back(*number);
  return numbers;
}

int64_t RotaryReader::getOriginalLength() {
  // A value beside the object goes first, as models that have one mean it.
  int64_t fallback = getNumber("original_max_position_embeddings")
                         .value_or(static_cast<double>(options.trainedLength));
  return config.getInt("original_max_position_embeddings", fallback);
}

/// Has sequences of more than `original` tokens take `longer`, and shorter ones
/// what `spec` has so far.
static void setLonger(RotarySpec &spec, int64_t original,
                      RopeScalingAttr longer) {
  spec.shortLength = original;
  spec.shortScaling = spec.scaling;
  spec.shortScale = spec.scale;
  spec.scaling = longer;
}

/// The factor yarn multiplies attention's scores by the square of.
static double getYarnScale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

void RotaryReader::readYarn(RotarySpec &spec) {
  int64_t original = getOriginalLength();
  double factor = getNumber("factor").value_or(
      static_cast<double>(options.trainedLength) / original);
  double mscale = getNumber("mscale").value_or(0);
  double mscaleAll = getNumber("mscale_all_dim").value_or(0);
  double scale =
      mscale != 0 && mscaleAll != 0
          ? getYarnScale(factor, mscale) / getYarnScale(factor, mscaleAll)
          : getYarnScale(factor, 1);
  spec.scale = getNumber("attention_factor").value_or(scale);
  // Zero means the default here, as in transformers.
  double fast = getNumber("beta_fast").value_or(0);
  double slow = getNumber("beta_slow").value_or(0);
  spec.scaling =
      getScaling(RopeScalingKind::Yarn, factor, original, slow == 0 ? 1 : slow,
                 fast == 0 ? 32 : fast, getTruncate());
}

void RotaryReader::readLongRope(RotarySpec &spec) {
  int64_t original = getOriginalLength();
  double factor = getNumber("factor").value_or(
      static_cast<double>(options.trainedLength) / original);
  double scale =
      factor <= 1
          ? 1.0
          : std::sqrt(1 + std::log(factor) / std::log(double(original)));
  spec.scale = getNumber("attention_factor").value_or(scale);
  spec.scaling = getDivisors("short_factor", spec.dims / 2);
  if (options.maxLength > original)
    setLonger(spec, original, getDivisors("long_factor", spec.dims / 2));
}

RopeScalingAttr RotaryReader::getDivided(ArrayRef<double> divisors) {
  return getScaling(RopeScalingKind::LongRope, std::nullopt, std::nullopt,
                    std::nullopt, std::nullopt, std::nullopt, divisors);
}

RopeScalingAttr RotaryReader::getDivisors(StringRef key, int64_t count) {
  std::vector<double> divisors = getNumbers(key);
  if (static_cast<int64_t>(divisors.size()) != count) {
    config.emitError(key) << "'" << key << "' of '" << objectKey << "' has "
                          << divisors.size() << " numbers, expected " << count;
    return {};
  }
  return getDivided(divisors);
}

void RotaryReader::readProportional(double part, RotarySpec &spec) {
  double factor = getNumber("factor").value_or(1);
  spec.dims = options.headDim;
  auto turning = static_cast<int64_t>(part * options.headDim / 2);
  // What does not turn has an angle that is zero in any precision.
  std::vector<double> divisors(spec.dims / 2, 1e300);
  std::fill_n(divisors.begin(), std::min(turning, spec.dims / 2), factor);
  spec.scaling = getDivided(divisors);
}

void RotaryReader::readScaling(StringRef type, RotarySpec &spec) {
  if (type == "default")
    return;
  if (type == "linear") {
    spec.scaling =
        getScaling(RopeScalingKind::Linear, require("factor"), std::nullopt);
  } else if (type == "dynamic") {
    spec.scaling = getScaling(RopeScalingKind::Dynamic, require("factor"),
                              options.trainedLength);
  } else if (type == "llama3") {
    double factor = require("factor"), low = require("low_freq_factor"),
           high = require("high_freq_factor");
    spec.scaling = getScaling(RopeScalingKind::Llama3, factor,
                              getOriginalLength(), low, high);
  } else if (type == "yarn") {
    readYarn(spec);
  } else if (type == "longrope") {
    readLongRope(spec);
  } else {
    config.emitError(objectKey)
        << "'" << objectKey << "' has the type '" << type
        << "', expected default, linear, dynamic, llama3, yarn, longrope or "
           "proportional";
  }
}

void RotaryReader::checkKeys() {
  static constexpr StringLiteral known[] = {"attention_factor",
                                            "beta_fast",
                                            "beta_slow",
                                            "factor",
                                            "finetuned",
                                            "high_freq_factor",
                                            "long_factor",
                                            "low_freq_factor",
                                            "mscale",
                                            "mscale_all_dim",
                                            "original_max_position_embeddings",
                                            "partial_rotary_factor",
                                            "rope_theta",
                                            "rope_type",
                                            "short_factor",
                                            "truncate",
                                            "type"};
  std::vector<StringRef> left;
  for (const auto &entry : object)
    if (!llvm::is_contained(known, StringRef(entry.first)) &&
        !(options.hasSections &&
          StringRef(entry.first).starts_with("mrope_")) &&
        !(options.readsAlpha && StringRef(entry.first) == "alpha") &&
        !(options.hasLengthScales &&
          StringRef(entry.first).ends_with("_mscale")) &&
        !(options.readsGrowth &&
          (StringRef(entry.first) == "llama_4_scaling_beta" ||
           StringRef(entry.first) == "max_position_embeddings")) &&
        entry.second.kind() != json::Value::Null)
      left.push_back(entry.first);
  llvm::sort(left);
  for (StringRef key : left)
    config.emitError(key) << "key '" << key << "' of '" << objectKey
                          << "' is not understood and may change the model's "
                             "results";
}

void RotaryReader::readObject() {
  if (options.given) {
    object = *options.given;
    objectKey = "rope_parameters";
    return;
  }
  for (StringRef key : {"rope_parameters", "rope_scaling"}) {
    const json::Value *value = config.get(key);
    if (!value)
      continue;
    const json::Object *found = value->getAsObject();
    if (!found) {
      config.emitError(key) << "key '" << key << "' is no object";
      continue;
    }
    if (found->empty())
      continue;
    if (options.layerType.empty()) {
      // `rope_scaling` goes first unless it is empty.
      object = *found;
      objectKey = key.str();
    } else if (key == "rope_parameters") {
      readLayerObject(*found);
    } else if (options.readsScaling) {
      // It is laid over what the kind of layers has.
      for (const auto &entry : *found)
        object[entry.first] = entry.second;
      objectKey = key.str();
    }
  }
  if (objectKey.empty() && options.defaults) {
    object = *options.defaults;
    objectKey = "rope_parameters";
  }
}

void RotaryReader::readLayerObject(const json::Object &all) {
  objectKey = ("rope_parameters." + options.layerType).str();
  for (const auto &entry : all)
    if (!llvm::is_contained(options.layerTypes, StringRef(entry.first)))
      config.emitError("rope_parameters")
          << "key 'rope_parameters' has an entry '" << StringRef(entry.first)
          << "', expected " << options.layerTypes[0] << " and "
          << options.layerTypes[1];
  const json::Value *own = all.get(options.layerType);
  if (!own || own->kind() == json::Value::Null)
    return;
  if (const json::Object *found = own->getAsObject())
    object = *found;
  else
    config.emitError("rope_parameters") << "'" << objectKey << "' is no object";
}

RotarySpec RotaryReader::readHuggingFace() {
  readObject();
  checkKeys();
  // Only some kinds of scaling read it.
  config.ignore({"original_max_position_embeddings"});

  RotarySpec spec;
  double base = config.getFloat(options.baseKey, options.defaultBase);
  spec.base = getNumber("rope_theta").value_or(base);
  double outerPart = config.getFloat(options.partKey, options.defaultPart);
  double part = getNumber("partial_rotary_factor").value_or(outerPart);
  StringRef type = object.getString("rope_type")
                       .value_or(object.getString("type").value_or("default"));
  if (type == "proportional") {
    readProportional(part, spec);
    part = 1;
    type = "default";
  }
  if (!options.allowsPartial && part != 1) {
    if (type != "default")
      config.emitError("partial_rotary_factor")
          << "key 'partial_rotary_factor' has the value " << part
          << " with rotary type '" << type
          << "', expected 1: this family rotates whole heads";
    part = 1;
  }
  spec.dims = static_cast<int64_t>(options.headDim * part);
  // Of an odd part one feature more turns, at the angles of the part.
  if (options.allowsPartial && spec.dims % 2 && spec.dims < options.headDim &&
      (type == "default" || type == "linear" || type == "llama3")) {
    double dims = static_cast<double>(spec.dims++);
    spec.base = std::pow(spec.base, static_cast<double>(spec.dims) / dims);
  }
  if (options.hasOldLongRope && (type == "su" || type == "yarn"))
    type = "longrope";
  double alpha = options.readsAlpha ? getNumber("alpha").value_or(0) : 0;
  if (type == "dynamic" && alpha != 0) {
    double dim = options.headDim;
    spec.base *= std::pow(alpha, dim / (dim - 2));
    type = "default";
  }
  if (!options.hasLengthScales || type == "default") {
    readScaling(type, spec);
  } else {
    // Frequencies are those of short sequences whatever the length.
    int64_t original = getOriginalLength();
    bool mayBeLong = options.maxLength > original;
    options.maxLength = 1;
    readScaling(type, spec);
    spec.scale = require("short_mscale");
    if (mayBeLong) {
      setLonger(spec, original, spec.scaling);
      spec.scale = require("long_mscale");
    }
    if (mayBeLong && spec.scale != spec.shortScale &&
        spec.dims != options.headDim)
      config.emitError("partial_rotary_factor")
          << "key 'partial_rotary_factor' has the value " << part
          << " with other scales for long sequences, expected 1";
  }
  if (options.readsGrowth) {
    spec.growth = require("llama_4_scaling_beta");
    spec.growthLength = std::max<int64_t>(getOriginalLength(), 1);
  }
  return spec;
}

//===----------------------------------------------------------------------===//
// GGUF
//===----------------------------------------------------------------------===//

std::vector<double> RotaryReader::readFactors(StringRef tensor, int64_t count) {
  auto source = WeightSource::leaf(builder.getCheckpoint(), tensor);
  if (!source) {
    builder.emitError(tensor) << llvm::toString(source.takeError());
    return std::vector<double>(count, 1.0);
  }
  if ((*source)->getNumElements() != count) {
    builder.emitError(tensor)
        << "tensor '" << tensor << "' has " << (*source)->getNumElements()
        << " numbers, expected " << count;
    return std::vector<double>(count, 1.0);
  }
  auto values = (*source)->evaluate();
  if (!values) {
    builder.emitError(tensor) << llvm::toString(values.takeError());
    return std::vector<double>(count, 1.0);
  }
  return std::vector<double>(values->begin(), values->end());
}

RotarySpec RotaryReader::readGGUF() {
  RotarySpec spec;
  spec.base = config.getFloat("rope_theta", options.defaultBase);
  spec.dims = config.getInt("rope_dims", options.headDim);
  config.ignore({"rope_finetuned"});
  std::string type = config.getString("rope_type", "");
  double factor = config.getFloat("rope_factor", 0);
  // The key of older files, which knew linear scaling alone.
  double oldFactor = config.getFloat("rope_scale_linear", 0);
  if (factor == 0)
    factor = oldFactor == 0 ? 1 : oldFactor;
  if (type.empty())
    type = factor == 1 ? "none" : "linear";
  int64_t original =
      config.getInt("rope_original_length", options.trainedLength);
  double attention = config.getFloat("rope_attention_factor", 1);
  double slow = config.getFloat("rope_beta_slow", 1);
  double fast = config.getFloat("rope_beta_fast", 32);
  config.expect("rope_extrapolation", 1.0,
                "stretched frequencies are mixed with all of the others");

  std::vector<double> divisors;
  if (builder.hasTensor("rope_freqs.weight"))
    divisors = readFactors("rope_freqs.weight", spec.dims / 2);
  bool isGiven = !divisors.empty();
  std::vector<double> longer;
  for (auto [tensor, into] : {std::pair("rope_factors_short.weight", &divisors),
                              std::pair("rope_factors_long.weight", &longer)}) {
    builder.getCheckpoint().markUsed(tensor);
    if (builder.hasTensor(tensor) && !isGiven)
      *into = readFactors(tensor, spec.dims / 2);
  }

  if (type == "yarn" && divisors.empty()) {
    spec.scaling = getScaling(RopeScalingKind::Yarn, factor, original, slow,
                              fast, options.truncates);
    spec.scale = attention *
                 config.getFloat("rope_yarn_factor", getYarnScale(factor, 1));
    return spec;
  }
  if (type != "none" && type != "linear" && type != "longrope") {
    config.emitError("rope_type")
        << "key '" << config.getSpelling("rope_type") << "' has the value '"
        << type << "'" << (divisors.empty() ? "" : " beside rope factors")
        << ", expected none, linear, longrope, or yarn without rope factors";
    return spec;
  }
  spec.scale = attention;
  if (type != "linear")
    factor = 1;
  if (divisors.empty() && factor == 1)
    return spec;
  if (divisors.empty())
    divisors.assign(spec.dims / 2, 1.0);
  auto getStretched = [&](std::vector<double> numbers) {
    for (double &divisor : numbers)
      divisor *= factor;
    return getDivided(numbers);
  };
  spec.scaling = getStretched(divisors);
  if (!longer.empty() && options.maxLength > original)
    setLonger(spec, original, getStretched(longer));
  return spec;
}

RotarySpec weir::readRotary(ConfigReader &config, ModelBuilder &builder,
                            const RotaryOptions &options) {
  RotaryReader reader(config, builder, options);
  RotarySpec spec =
      config.isGGUF() ? reader.readGGUF() : reader.readHuggingFace();
  if (spec.dims <= 0 || spec.dims % 2 || spec.dims > options.headDim) {
    config.emitError(config.isGGUF() ? "rope_dims" : "head_dim")
        << "rotary embedding of " << spec.dims << " features in heads of "
        << options.headDim << ", expected an even number within the head";
    spec.dims = 2;
    spec.scaling = nullptr;
  }
  if (!(spec.base > 0))
    config.emitError("rope_theta")
        << "key '" << config.getSpelling("rope_theta") << "' is " << spec.base
        << ", expected a positive number";
  std::string problem;
  if (!config.hasFailed() &&
      !computeRopeFrequencies(spec.base, spec.dims, spec.scaling, problem))
    config.emitError("rope_scaling") << "rotary scaling " << problem;
  return spec;
}
