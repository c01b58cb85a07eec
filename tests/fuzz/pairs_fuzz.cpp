#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "examples/training/vocabulary.h"
#include "examples/translate/pairs.h"

using namespace gradus::translate;

/// Of any bytes as a file of sentence pairs, the usable pairs have tokens, which make vocabularies
/// and read as text again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream file(std::string(data, data + size));
  try {
    ReadPairs read = read_pairs(file, "fuzz");
    for (const Unit unit : {Unit::words, Unit::characters}) {
      std::vector<std::vector<std::string>> sentences;
      for (const Pair& pair : read.pairs)
        for (const std::string& text : {pair.source, pair.target}) {
          sentences.push_back(tokens(text, unit));
          if (sentences.back().empty()) std::abort();
          if (join(sentences.back(), unit).empty()) std::abort();
          for (const std::string& token : sentences.back())
            if (token.empty() || !valid_utf8(token)) std::abort();
        }
      const Vocabulary vocabulary(sentences, unit, 1);
      Vocabulary::from_json(vocabulary.to_json());
    }
    remove_long(read.pairs, Unit::words, Unit::characters, 3, 3);
  } catch (const std::runtime_error&) {
  } catch (const std::invalid_argument&) {  // no token but those that every vocabulary has
  }
  return 0;
}
