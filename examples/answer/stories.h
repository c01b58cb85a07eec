#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/functions/mask.h"
#include "core/tensor/random.h"
#include "examples/answer/sentences.h"
#include "examples/training/vocabulary.h"

namespace gradus::answer {

/// A question about the sentences [begin, end) of its Stories.
struct Question {
  int64_t begin, end;
  std::string text, answer, kind;
};
struct Stories {
  std::vector<std::string> sentences;
  std::vector<Question> questions;

  void add(const Stories& more);
};

/// Reads a file in the format of bAbI (Weston et al. 2015), and adds what it holds: numbered lines,
/// of which one with tabs is a question, its answer and, if it likes, the supporting facts. Number
/// 1 begins a new story.
///
///     1 Mary moved to the bathroom.
///     2 Where is Mary?<tab>bathroom<tab>1
///
/// Tells of skipped lines on standard error. Throws Error with file and line for a line without its
/// number, with another number than the next, with more columns, for an empty question or answer,
/// for a question before any sentence, and for a story without a question.
Stories read_stories(const std::string& path, const std::string& kind);

/// A task in a folder: qa1_single-supporting-fact_train.txt, …_test.txt.
struct BabiTask {
  std::string name;         ///< "qa1 single-supporting-fact"
  std::string train, test;  ///< paths; empty where there is no such file
};
/// By number. Throws Error when there is no such folder, or no such file in it.
std::map<int, BabiTask> tasks_in(const std::string& folder);

/// The words of a sentence or question, without punctuation: those of a Chinese one are its
/// characters. Throws std::invalid_argument if it is not valid UTF-8.
std::vector<std::string> words_of(const std::string& sentence);
/// The one token that an answer is, however many words it has.
std::string answer_token(const std::string& answer);

training::Vocabulary vocabulary_of(const Stories& stories);

/// Stories as ids.
struct Encoded {
  Encoded(const Stories& stories, const training::Vocabulary& vocabulary);

  int64_t vocabulary;
  std::vector<std::vector<int64_t>> sentences, questions;
  std::vector<int64_t> begin, end, answers;  ///< of each question
};

struct Batch {
  Bags story, question;
  Mask mask;       ///< (batch, sentences)
  Tensor answers;  ///< int64 (batch)
};
/// These questions with their stories, the newest sentence first. With a generator an empty
/// sentence comes before each one with probability `noise`, so that the times of a memory network
/// are learned for shifted stories, too (section 4.1, "random noise").
Batch batch_of(const Encoded& data, const std::vector<int64_t>& questions, double noise = 0,
               Generator* generator = nullptr);

}  // namespace gradus::answer
