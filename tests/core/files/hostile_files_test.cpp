// The kind: reading a hostile file takes more time, memory or stack than its size, or ends the
// program.

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "core/files/json_check.h"
#include "core/files/safetensors.h"
#include "tests/core/helpers.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

TensorFile parsed(const std::string& bytes, const LoadOptions& options = {}) {
  return parse_tensors(std::as_bytes(std::span(bytes)), "m", options);
}

/// One tensor "w" of this type and shape, with this data.
std::string one(const char* dtype, const char* shape, const std::string& data) {
  return file_of(fmt::format(R"({{"w":{{"dtype":"{}","shape":{},"data_offsets":[0,{}]}}}})", dtype,
                             shape, data.size()),
                 data);
}

std::vector<double> numbers(const char* dtype, const std::string& data, size_t width = 1) {
  return values(
      parsed(one(dtype, fmt::format("[{}]", data.size() / width).c_str(), data)).tensors.at("w"));
}

}  // namespace

TEST_CASE("a header of 40,000 tensors is read in a fraction of a second") {
  TensorFile file;
  for (int i = 0; i < 40'000; ++i) file.tensors[std::to_string(i)] = zeros({0});
  const Folder folder;
  save_tensors(folder / "many", file);
  const std::clock_t start = std::clock();
  CHECK(load_tensors(folder / "many").tensors.size() == 40'000);
  CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < 3);  // once it took 17 s
}

TEST_CASE("lists within lists are refused before anything recurses into them") {
  const std::string deep(100'000, '[');
  CHECK(error_of([&] { check_json("it", deep + std::string(100'000, ']'), 3); }) ==
        "it is nested too deeply");
  CHECK(error_of([&] { check_json("it", deep, 200'000); }) ==
        "it is not JSON in UTF-8: error at its byte 100001");
  CHECK(error_of([&] { check_json("it", "[[[1]]]", 3); }) == "no error");
  CHECK(error_of([&] { check_json("it", "[[[[1]]]]", 3); }) == "it is nested too deeply");
  CHECK(error_of([&] { check_json("it", R"({"a": {"b": 1}, "b": 2, "a": 3})", 3); }) ==
        "it names \"a\" twice");
}

TEST_CASE("a file that is cut off or rewritten while it is read is an error, not the end") {
  const Folder folder;
  const std::string path = folder / "model";
  const Tensor large = ones({1 << 22});
  save_tensors(path, {{{"w", large}}, {}});
  std::filesystem::resize_file(path, 0);  // the thread may start late
  std::atomic<bool> is_done = false;
  std::thread rewriter([&] {
    for (int64_t size = 0; !is_done; size = (size + 4099) % (1 << 24))
      std::filesystem::resize_file(path, static_cast<uintmax_t>(size));
  });
  int refused = 0;
  for (int i = 0; i < 300; ++i) refused += error_of([&] { load_tensors(path); }) != "no error";
  is_done = true;
  rewriter.join();
  CHECK(refused == 300);
}

TEST_CASE("a file that is rewritten while it is read, in its own size, is an error") {
  const Folder folder;
  const std::string path = folder / "model";
  save_tensors(path, {{{"w", ones({1 << 22})}}, {}});
  std::atomic<bool> is_done = false;
  std::thread rewriter([&] {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    while (!is_done) file.seekp(-4, std::ios::end).write("\0\0\x80\x3f", 4).flush();
  });
  std::string error = "no error";  // the clock of files has ticks: one of many loads is enough
  for (int i = 0; i < 1000 && error == "no error"; ++i)
    error = error_of([&] { load_tensors(path); });
  is_done = true;
  rewriter.join();
  CHECK(error.find("was changed by another program while it was read") != error.npos);
}

TEST_CASE("all types of the format that a tensor can hold are read, exactly") {
  using D = std::vector<double>;
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(numbers("BOOL", {"\x00\x01\x02\xff", 4}) == D{0, 1, 1, 1});
  CHECK(numbers("U16", {"\xff\xff", 2}, 2) == D{65535});
  CHECK(numbers("U32", {"\xff\xff\xff\xff", 4}, 4) == D{4294967295.0});
  CHECK(parsed(one("U64", "[1]", {"\xff\xff\xff\xff\xff\xff\xff\x7f", 8}))
            .tensors.at("w")
            .to_vector<int64_t>()[0] == INT64_MAX);
  CHECK(error_of([] {
          parsed(one("U64", "[1]", {"\0\0\0\0\0\0\0\x80", 8}));
        }) == "m: tensor \"w\": holds 9223372036854775808, which is beyond int64");

  // The largest, the smallest normal and the smallest subnormal number, one, and minus one.
  CHECK(numbers("F8_E4M3", "\x7e\x08\x01\x38\xb8") ==
        D{448, std::ldexp(1, -6), std::ldexp(1, -9), 1, -1});
  CHECK(numbers("F8_E5M2", "\x7b\x04\x01\x3c\xbc\x7c\xfc") ==
        D{57344, std::ldexp(1, -14), std::ldexp(1, -16), 1, -1, inf, -inf});
  CHECK(numbers("F8_E4M3FNUZ", "\x7f\x08\x01\x40\xc0") ==
        D{240, std::ldexp(1, -7), std::ldexp(1, -10), 1, -1});
  CHECK(numbers("F8_E5M2FNUZ", "\x7f\x04\x01\x40\xc0") ==
        D{57344, std::ldexp(1, -15), std::ldexp(1, -17), 1, -1});
  CHECK(numbers("F8_E8M0", {"\x7f\x00\xfe", 3}) == D{1, std::ldexp(1, -127), std::ldexp(1, 127)});
  for (const auto& [dtype, byte] : {std::pair("F8_E4M3", "\x7f"), std::pair("F8_E4M3", "\xff"),
                                    std::pair("F8_E5M2", "\x7d"), std::pair("F8_E4M3FNUZ", "\x80"),
                                    std::pair("F8_E5M2FNUZ", "\x80"), std::pair("F8_E8M0", "\xff")})
    CHECK(std::isnan(numbers(dtype, byte)[0]));
}

TEST_CASE(
    "a type that no tensor can hold refuses the file, or is left out when that is asked for") {
  const std::string header =
      R"({"c":{"dtype":"C64","shape":[1],"data_offsets":[0,8]},)"
      R"("f":{"dtype":"F4","shape":[2,2],"data_offsets":[8,10]},)"
      R"("n":{"dtype":"F3_NEW","shape":[7],"data_offsets":[10,12]},)"
      R"("r":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[12,13]},)"
      R"("w":{"dtype":"F32","shape":[1],"data_offsets":[13,17]}})";
  const std::string bytes = file_of(header, std::string(13, 'x') + std::string("\0\0\x80?", 4));
  CHECK(contains(error_of([&] { parsed(bytes); }), "tensor \"c\": cannot read dtype \"C64\""));
  CHECK(contains(error_of([&] { parsed(bytes); }), "with skip_unreadable the other tensors"));
  const TensorFile file = parsed(bytes, {.skip_unreadable = true});
  CHECK(file.skipped ==
        std::map<std::string, std::string>{{"c", "C64 (1)"},
                                           {"f", "F4 (2, 2)"},
                                           {"n", "F3_NEW (7)"},
                                           {"r", "U8 (1, 1, 1, 1, 1, 1, 1, 1, 1)"}});
  CHECK(file.tensors.size() == 1);
  CHECK(file.tensors.at("w").item() == 1);
  CHECK(error_of([&] { parsed(one("F4", "[3]", "xx"), {.skip_unreadable = true}); }) ==
        "m: tensor \"w\": F4 of shape (3) ends within a byte");
  CHECK(error_of([&] { parsed(one("C64", "[2]", "12345678"), {.skip_unreadable = true}); }) ==
        "m: tensor \"w\": C64 of shape (2) has 16 bytes, its data_offsets [0, 8] span 8");
  CHECK(error_of([&] { parsed(one("U8", "[1,1,1,1,1,1,1,1,1]", "x")); }) ==
        "m: tensor \"w\": shape: a tensor has at most 8 axes");
}

TEST_CASE("metadata of null are none, and can be read alone") {
  CHECK(parsed(file_of(R"({"__metadata__":null})")).metadata.empty());
  const Folder folder;
  save_tensors(folder / "f", {{{"w", ones({3})}}, {{"format", "x"}}});
  CHECK(load_metadata(folder / "f") == std::map<std::string, std::string>{{"format", "x"}});
}
