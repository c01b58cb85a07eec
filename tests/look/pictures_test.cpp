#include "examples/look/pictures.h"

#include <doctest/doctest.h>

#include "core/tensor/error.h"
#include "examples/look/shapes.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::look;
using namespace gradus::testing;

namespace {

std::string error_of(const auto& f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("pictures and questions are read as they were written") {
  const Folder folder;
  const Examples examples = draw_shapes(3, 4);
  write_examples(folder / "shapes", examples);
  const Examples read = read_examples(folder / "shapes");
  CHECK(read.pictures == examples.pictures);
  REQUIRE(read.questions.size() == examples.questions.size());
  for (size_t i = 0; i < read.questions.size(); ++i) {
    CHECK(read.questions[i].picture == examples.questions[i].picture);
    CHECK(read.questions[i].text == examples.questions[i].text);
    CHECK(read.questions[i].answer == examples.questions[i].answer);
  }
  CHECK(error_of([&] { write_examples(folder / "shapes", examples); }) ==
        folder / "shapes" + ": is not empty; expected a new folder");
}

TEST_CASE("a PPM file may have comments; another format, size or depth is refused by its path") {
  const Folder folder;
  const std::string path = folder / "a.ppm", pixels(75 * 75 * 3, '\x40');
  const auto on = [&](const std::string& text) {
    write(path, text);
    const std::string error = error_of([&] { read_picture(path); });
    return error.starts_with(path + ": ") ? error.substr(path.size() + 2) : error;
  };
  CHECK(on("P6\n# drawn by hand\n75 75 # so wide\n255\n" + pixels) == "no error");
  CHECK(read_picture(path).at(74, 74) == Colour{0x40, 0x40, 0x40});
  CHECK(on("P6 80 60 255\n" + pixels) == "expected a picture of 75 × 75 pixels, got 80 × 60");
  CHECK(on("P6 75 75 65535\n" + pixels) == "expected colours up to 255, got 65535");
  CHECK(on("P6 75 75 255\n" + pixels.substr(5)) == "ends after 16870 of 16875 bytes of pixels");
  CHECK(on("P6 75 x 255\n" + pixels) == "its PPM header is damaged");
  CHECK(on("P6") == "its PPM header is damaged");
  CHECK(on("P3\n75 75\n255\n0 0 0") == "not a PPM file, which begins with P6");
  CHECK(on("\x89PNG") == "not a PPM file, which begins with P6");
  CHECK(on("") == "not a PPM file, which begins with P6");
  CHECK(error_of([&] { read_picture(folder / "none.ppm"); }) ==
        folder / "none.ppm" + ": cannot be opened");
  CHECK(error_of([&] { read_picture(folder.path); }) ==
        folder.path + ": is a folder; expected a PPM file");
}

TEST_CASE("questions of pictures are grouped, and keep their order") {
  const Folder folder;
  const Examples examples = draw_shapes(1, 2);
  write_examples(folder / "d", examples);
  write(folder / "d/questions.tsv",
        "00002.ppm\tHow many?\t6\n00001.ppm\tWho?\tme\n00002.ppm\t Why ? \tno\n");
  const Examples read = read_examples(folder / "d");
  REQUIRE(read.questions.size() == 3);
  CHECK(read.pictures[0] == examples.pictures[1]);
  CHECK(read.questions[1].text == "Why ?");
  CHECK(read.questions[2].picture == 1);
}
