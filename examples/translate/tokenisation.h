#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::translate {

/// Into which tokens BLEU cuts texts: those of the model's own vocabulary, or those of sacrebleu
/// (Post 2018), by which published figures are compared: `none` splits at white space, `v13a` and
/// `intl` (mteval-v14) part punctuation from words, `zh` also each Chinese character, `characters`
/// all of them.
enum class Tokenisation { own, none, v13a, intl, zh, characters };

/// Names on the command line; sacrebleu's.
inline const std::map<std::string, Tokenisation> tokenisations = {
    {"own", Tokenisation::own},   {"none", Tokenisation::none}, {"13a", Tokenisation::v13a},
    {"intl", Tokenisation::intl}, {"zh", Tokenisation::zh},     {"char", Tokenisation::characters}};

/// The tokens of one line of text as sacrebleu 2 makes them, which for `zh` takes general
/// punctuation and more for Chinese. Throws std::invalid_argument for invalid UTF-8, and for `own`.
std::vector<std::string> tokenised(std::string_view line, Tokenisation tokenisation);

}  // namespace gradus::translate
