#include "examples/training/model_file.h"

#include <doctest/doctest.h>

#include "tests/files.h"

using namespace gradus;
using namespace gradus::testing;
using namespace gradus::training;

namespace {

std::string error_of(auto&& f) {
  try {
    f();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a model file of another program is refused by both names") {
  const Folder folder;
  const std::string path = folder / "model";
  save_tensors(path, {{{"w", ones({2})}}, description("summariser", {{"hidden", 2}})});
  CHECK(is_model(path, "summariser"));
  CHECK_FALSE(is_model(path, "translator"));
  CHECK(open_model(path, "summariser").tensors.at("w").numel() == 2);
  CHECK(error_of([&] { open_model(path, "translator"); }) ==
        path +
            ": not a model of this translator, but of a summariser of Gradus (its metadata does "
            "not say \"format\": \"gradus translator 1\")");
  CHECK(error_of([&] {
          read_model(path, "summariser",
                     [](const TensorFile&) -> int { throw Error("it is odd"); });
        }) == path + ": it is odd");
  save_tensors(path, {{{"w", ones({2})}}, {{"format", "pt"}}});
  CHECK(contains(error_of([&] { open_model(path, "translator"); }),
                 "not a model of this translator (its metadata"));
  CHECK(kind_of({}) == "");
  CHECK(kind_of(description("language model", {})) == "language model");
}

TEST_CASE("stored options are checked one by one") {
  const StoredOptions options(
      description("toy", {{"size", 5}, {"rate", 0.5}, {"deep", true}, {"score", "dot"}}),
      {{"added later", 3}, {"size", 9}});
  CHECK(options.integer("size", 5) == 5);
  CHECK(options.integer("added later", 5) == 3);
  CHECK(options.share("rate") == 0.5);
  CHECK(options.boolean("deep"));
  CHECK(options.named<int>("score", {{"dot", 7}}) == 7);
  CHECK(error_of([&] { options.integer("size", 4); }) ==
        "its options give size 5; expected an integer from 1 to 4");
  CHECK(error_of([&] { options.share("size"); }) ==
        "its options give size 5; expected a number in [0, 1)");
  CHECK(error_of([&] { options.boolean("rate"); }) ==
        "its options give rate 0.5; expected true or false");
  CHECK(error_of([&] { options.named<int>("score", {{"sum", 7}}); }) == "unknown score 'dot'");
  CHECK(error_of([&] { options.integer("width", 4); }) == "its options do not give \"width\"");
  Description broken;
  CHECK(contains(error_of([&] { StoredOptions{broken}; }), "\"options\""));
  broken.emplace("options", "{");
  CHECK(contains(error_of([&] { StoredOptions{broken}; }), "\"options\""));
}

TEST_CASE("a checksum tells of each change, and of a file as of what was saved") {
  const Folder folder;
  const std::map<std::string, Tensor> tensors{{"a", tensor({1, 2})}, {"b", arange(3)}};
  const Description about = description("toy", {});
  const uint64_t sum = checksum(about, tensors);
  CHECK(checksum(description("toy", {{"more", 1}}), tensors) != sum);
  CHECK(checksum(about, {{"a", tensor({1, 3})}, {"b", arange(3)}}) != sum);
  CHECK(checksum(about, {{"c", tensor({1, 2})}, {"b", arange(3)}}) != sum);
  save_tensors(folder / "m", {tensors, about});
  CHECK(checksum_of_file(folder / "m") == sum);
  CHECK(checksum_of_file(folder / "none") == 0);
  write(folder / "text", "no model");
  CHECK(checksum_of_file(folder / "text") == 0);
}
