#include "examples/look/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "core/files/atomic_file.h"
#include "core/tensor/error.h"
#include "examples/terminal/output.h"
#include "examples/training/lines.h"
#include "examples/training/text.h"

namespace gradus::look {

using namespace training;
namespace fs = std::filesystem;

namespace {

constexpr const char* questions_file = "questions.tsv";

/// The next number of a PPM header, behind white space and comments; −1 where there is none.
int64_t number(std::istream& file) {
  while (file >> std::ws && file.peek() == '#')
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  int64_t value = -1;
  return file >> value ? value : -1;
}

}  // namespace

Picture read_picture(const std::string& path) {
  std::error_code none;
  if (fs::is_directory(path, none)) throw Error(path + ": is a folder; expected a PPM file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be opened");
  char magic[2]{};
  file.read(magic, 2);
  const bool is_ppm = file && magic[0] == 'P' && magic[1] == '6';
  if (!is_ppm) throw Error(path + ": not a PPM file, which begins with P6");
  const int64_t width = number(file), height = number(file), most = number(file);
  if (width < 1 || height < 1 || most < 1) throw Error(path + ": its PPM header is damaged");
  if (width != side || height != side)
    throw Error(fmt::format("{}: expected a picture of {} × {} pixels, got {} × {}", path, side,
                            side, width, height));
  if (most != 255) throw Error(fmt::format("{}: expected colours up to 255, got {}", path, most));
  file.get();
  Picture picture;
  file.read(reinterpret_cast<char*>(picture.pixels.data()), side * side * 3);
  if (!file)
    throw Error(fmt::format("{}: ends after {} of {} bytes of pixels", path, file.gcount(),
                            side * side * 3));
  return picture;
}

void write_picture(const std::string& path, const Picture& picture) {
  const std::string head = fmt::format("P6\n{} {}\n255\n", side, side);
  const std::string_view parts[] = {
      head, {reinterpret_cast<const char*>(picture.pixels.data()), picture.pixels.size() * 3}};
  write_file(path, parts);
}

Examples read_examples(const std::string& folder) {
  if (!fs::is_directory(folder)) throw Error(folder + ": is not a folder");
  const std::string path = (fs::path(folder) / questions_file).string();
  if (!fs::exists(path)) throw Error(fmt::format("{}: holds no file '{}'", folder, questions_file));
  Examples examples;
  std::map<std::string, int64_t> pictures;
  const auto take = [&](std::string_view line, int64_t) {
    const Flaw flaw = flaw_of(line);
    if (flaw != usable) return flaw;
    const auto tabs = std::ranges::count(line, '\t');
    if (tabs != 2)
      throw Error(fmt::format(
          "expected three columns, a picture, a question and its answer, got {}", tabs + 1));
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    const std::string name(line.substr(0, first));
    const std::string_view text = line.substr(first + 1, second - first - 1),
                           answer = line.substr(second + 1);
    if (blank(name) || blank(text) || blank(answer))
      throw Error(fmt::format("its {} is empty", blank(name)   ? "picture"
                                                 : blank(text) ? "question"
                                                               : "answer"));
    const auto [place, is_new] = pictures.try_emplace(name, std::ssize(examples.pictures));
    if (is_new) examples.pictures.push_back(read_picture((fs::path(folder) / name).string()));
    examples.questions.push_back({place->second, normalised(text), normalised(answer), "all"});
    return usable;
  };
  for (const std::string& warning : read_lines(
           path, {"question", "expected a UTF-8 text file of pictures, questions and answers"},
           take))
    terminal::message(warning);
  std::ranges::stable_sort(examples.questions, {}, &Question::picture);
  return examples;
}

void write_examples(const std::string& folder, const Examples& examples) {
  fs::create_directories(folder);
  if (!fs::is_empty(folder)) throw Error(folder + ": is not empty; expected a new folder");
  const auto name = [](int64_t picture) { return fmt::format("{:05}.ppm", picture + 1); };
  for (size_t i = 0; i < examples.pictures.size(); ++i)
    write_picture((fs::path(folder) / name(int64_t(i))).string(), examples.pictures[i]);
  std::string lines;
  for (const Question& q : examples.questions)
    lines += fmt::format("{}\t{}\t{}\n", name(q.picture), q.text, q.answer);
  write_file((fs::path(folder) / questions_file).string(), lines);
}

}  // namespace gradus::look
