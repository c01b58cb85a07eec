#pragma once

#include <string>
#include <vector>

#include "core/core.h"
#include "examples/translate/trained.h"

/// Small things to translate, for tests.
namespace gradus::translate::toy {

/// 40 pairs of English and Chinese.
inline std::vector<Pair> pairs() {
  std::vector<Pair> result;
  for (const Pair& who : {Pair{"I", "我"}, Pair{"We", "我们"}, Pair{"They", "他们"},
                          Pair{"You", "你"}, Pair{"The teachers", "老师"}})
    for (const Pair& when : {Pair{"", ""}, Pair{" today", "今天"}})
      for (const Pair& what : {Pair{" drink tea", "喝茶"}, Pair{" read books", "看书"},
                               Pair{" eat rice", "吃米饭"}, Pair{" buy two cups", "买两个杯子"}})
        result.push_back({who.source + what.source + when.source + ".",
                          who.target + when.target + what.target + "。"});
  return result;
}

/// A model that has learned nothing yet, with the vocabularies of `pairs`.
inline Trained untrained(const std::vector<Pair>& pairs, const ModelOptions& options = {},
                         uint64_t seed = 1) {
  Sentences source, target;
  for (const Pair& pair : pairs) {
    source.push_back(tokens(pair.source, Unit::words));
    target.push_back(tokens(pair.target, Unit::characters));
  }
  Vocabulary source_tokens(source, Unit::words, 1), target_tokens(target, Unit::characters, 1);
  Generator generator(seed);
  Translator model(source_tokens.size(), target_tokens.size(), options, generator);
  return {std::move(source_tokens), std::move(target_tokens), std::move(model)};
}

/// Parameters from U(±1): far from zero, so that predictions are far from uniform.
inline void make_decided(Translator& model, uint64_t seed) {
  Generator generator(seed);
  for_each_parameter(model, [&](const std::string&, Tensor& parameter) {
    parameter.assign(random_uniform(parameter.shape(), -1, 1, generator));
  });
}

/// What `f` throws, or "" when it does not.
inline std::string error_of(auto&& f) {
  try {
    f();
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace gradus::translate::toy
