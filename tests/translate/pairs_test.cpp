#include "examples/translate/pairs.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "examples/training/vocabulary.h"
#include "tests/files.h"

using namespace gradus::testing;
using namespace gradus::translate;

namespace {

struct File {
  Folder folder;
  std::string path = folder / "pairs.tsv";
  explicit File(const std::string& text) { write(path, text); }
};

std::string error_of(const std::string& path) {
  try {
    read_pairs(path);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("pairs are the first two columns of a tab-separated file") {
  const File file("Ahoy!\t你好啊!\nSo it is.\t是这样。\tCC-BY\t17\n\tnothing\t\nBye\t再见");
  const auto read = read_pairs(file.path);
  REQUIRE(read.pairs.size() == 3);
  CHECK(read.pairs[0].source == "Ahoy!");
  CHECK(read.pairs[0].target == "你好啊!");
  CHECK(read.pairs[1].target == "是这样。");
  CHECK(read.pairs[2].source == "Bye");
  CHECK(read.pairs[2].target == "再见");
}

TEST_CASE("a byte-order mark and CRLF line ends leave no trace") {
  const File file("\xEF\xBB\xBFone\t一\r\ntwo\t二\tmore\r\n");
  const auto read = read_pairs(file.path);
  REQUIRE(read.pairs.size() == 2);
  CHECK(read.pairs[0].source == "one");
  CHECK(read.pairs[0].target == "一");
  CHECK(read.pairs[1].target == "二");
  CHECK(read.warnings.empty());
}

TEST_CASE("unusable lines are skipped and counted by kind with the first line number") {
  using namespace std::string_literals;
  const File file(
      "good\t好\n\nalone\nb\xFF"
      "d\t坏\n\t空\nnul\0\t零\n  \nempty\t \nbad\t\xE5\n\xFF\n"s);
  const auto read = read_pairs(file.path);
  CHECK(read.pairs.size() == 1);
  CHECK(read.warnings ==
        std::vector<std::string>{
            file.path + ": skipped 2 lines of white space only, the first at line 2",
            file.path + ": skipped 1 line without a tab, the first at line 3",
            file.path + ": skipped 3 lines of invalid UTF-8, the first at line 4",
            file.path + ": skipped 2 lines with an empty source or target, the first at line 5",
            file.path + ": skipped 1 line with a NUL byte, the first at line 6"});
}

TEST_CASE("a column that is not read may hold anything") {
  const File file("a\tb\t\xFF\n");
  CHECK(read_pairs(file.path).pairs.size() == 1);
}

TEST_CASE("a file without a usable pair is an error that says what was expected") {
  const std::string expected =
      "expected a UTF-8 text file with a source sentence, a tab and its translation on each line";
  CHECK(error_of("/no/such/file.tsv") ==
        "/no/such/file.tsv: cannot be opened (No such file or "
        "directory); " +
            expected + "; check the path");
  const Folder folder;
  CHECK(error_of(folder.path) == folder.path + ": is a folder; " + expected);
  {
    const File file("");
    CHECK(error_of(file.path) == file.path + ": is empty; " + expected);
  }
  const File file("one column\n\n");
  CHECK(error_of(file.path) ==
        file.path + ": no usable pair in 2 lines; " + expected + "\n" + file.path +
            ": skipped 1 line without a tab, the first at line 1\n" + file.path +
            ": skipped 1 line of white space only, the first at line 2");
}

TEST_CASE("UTF-16 is refused as what it is not") {
  using namespace std::string_literals;
  const File file(
      "\xFF\xFE"
      "a\0\t\0b\0\n\0"s);
  CHECK(contains(error_of(file.path), "invalid UTF-8"));
}

TEST_CASE("a line of 10,000 tokens is read whole and removed by the length limits only") {
  std::string line;
  for (int i = 0; i < 10000; ++i) line += "word ";
  const File file(line + "\t长\nshort\t短\n");
  auto pairs = read_pairs(file.path).pairs;
  REQUIRE(pairs.size() == 2);
  CHECK(tokens(pairs[0].source, Unit::words).size() == 10000);
  CHECK(remove_long(pairs, Unit::words, Unit::characters, 10000, 1) == 0);
  CHECK(remove_long(pairs, Unit::words, Unit::characters, 9999, 1) == 1);
  CHECK(pairs[0].source == "short");
}

TEST_CASE("length limits count tokens on both sides") {
  std::vector<Pair> pairs = {{"a b c", "一二"}, {"a b", "一二三"}, {"a b", "一 二"}};
  CHECK(remove_long(pairs, Unit::words, Unit::characters, 2, 2) == 2);
  REQUIRE(pairs.size() == 1);
  CHECK(pairs[0].target == "一 二");
}

TEST_CASE("the Tatoeba pairs give the counts that Python's re finds in their normal form") {
  const char* folder = std::getenv("GRADUS_DATA");
  const std::string path =
      (folder ? folder : std::string(GRADUS_TEST_DATA) + "/../../shared/data/cmn-eng") +
      "/train.tsv";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no ", path, "; set GRADUS_DATA to the folder that holds train.tsv");
    return;
  }
  auto read = read_pairs(path);
  CHECK(read.warnings.empty());
  CHECK(read.pairs.size() == 25955);
  CHECK(remove_long(read.pairs, Unit::words, Unit::characters, 12, 16) == 25955 - 24559);
  std::vector<std::vector<std::string>> sources, targets;
  std::vector<std::string> source_texts, target_texts;
  for (const auto& [source, target] : read.pairs) {
    sources.push_back(tokens(source, Unit::words));
    targets.push_back(tokens(target, Unit::characters));
    source_texts.push_back(source);
    target_texts.push_back(target);
  }
  CHECK(unit_of(source_texts) == Unit::words);
  CHECK(unit_of(target_texts) == Unit::characters);
  CHECK(Vocabulary(sources, Unit::words).size() == 4011);
  CHECK(Vocabulary(targets, Unit::characters).size() == 2276);
}
