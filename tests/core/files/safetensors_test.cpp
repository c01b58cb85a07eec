#include "core/files/safetensors.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "core/files/atomic_file.h"
#include "core/tensor/error.h"
#include "tests/core/helpers.h"
#include "tests/files.h"

using namespace gradus;
using namespace gradus::testing;

namespace {

namespace fs = std::filesystem;

size_t files_in(const Folder& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder.path), {}));
}

std::string with_length(uint64_t length, const std::string& rest) {
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + rest;
}

/// What parse_tensors says of a header followed by so many bytes of data.
std::string refusal(const std::string& header, size_t data_bytes = 0) {
  const std::string bytes = with_length(header.size(), header + std::string(data_bytes, '\0'));
  return error_of([&] { parse_tensors(std::as_bytes(std::span(bytes)), "m"); });
}
std::string refusal_of_bytes(const std::string& bytes) {
  return error_of([&] { parse_tensors(std::as_bytes(std::span(bytes)), "m"); });
}

/// Runs `f` in a process of its own; gives waitpid's status.
template <class F>
int in_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      f();
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

/// Files may grow to `bytes` only, as if the disk were full there: writing on raises SIGXFSZ.
void limit_file_size(rlim_t bytes) {
  const rlimit limit{bytes, bytes}, no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace

TEST_CASE("tensors and metadata come back bit for bit") {
  const Folder folder;
  const std::string path = folder / "model.safetensors";
  const float nan = std::bit_cast<float>(0x7fc12345u);  // a payload survives copying only
  TensorFile file;
  file.tensors["odd"] = tensor(std::vector<float>{nan, -0.0f, 1e-45f}, {3});
  file.tensors["double"] = tensor(std::vector<double>{0.1, -1e300}, {1, 2});
  file.tensors["index"] = tensor(std::vector<int64_t>{INT64_MIN, INT64_MAX}, {2, 1});
  file.tensors["scalar"] = full({}, 7);
  file.tensors["empty"] = zeros({3, 0, 2}, DType::float64);
  file.tensors["词 \"é\"\n"] = ones({1});
  file.tensors[""] = ones({2});
  file.metadata = {{"名", "值"}, {"", ""}};
  save_tensors(path, file);
  const TensorFile back = load_tensors(path);

  CHECK(back.metadata == file.metadata);
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (const auto& entry : file.tensors) {
    const std::string& name = entry.first;
    const Tensor& expected = entry.second;
    CAPTURE(name);
    REQUIRE(back.tensors.contains(name));
    const Tensor& got = back.tensors.at(name);
    CHECK(got.shape() == expected.shape());
    REQUIRE(got.dtype() == expected.dtype());
    dispatch(got.dtype(), [&](auto element) {
      using T = decltype(element);
      if (got.numel() > 0)
        CHECK(std::memcmp(got.data<T>(), expected.data<T>(), got.numel() * sizeof(T)) == 0);
    });
  }
}

TEST_CASE("a file without tensors comes back") {
  const Folder folder;
  save_tensors(folder / "none", {});
  CHECK(load_tensors(folder / "none").tensors.empty());
}

TEST_CASE("views are written in row-major order") {
  const Folder folder;
  const Tensor rows = tensor({{1, 2, 3}, {4, 5, 6}});
  TensorFile file;
  file.tensors["transposed"] = rows.view({3, 2}, {1, 3});
  file.tensors["expanded"] = rows.view({2, 2}, {0, 1}, 4);
  file.tensors["tail"] = rows.view({2}, {1}, 4);
  save_tensors(folder / "f", file);
  const TensorFile back = load_tensors(folder / "f");
  CHECK(back.tensors.at("transposed").to_vector<int64_t>() ==
        std::vector<int64_t>{1, 4, 2, 5, 3, 6});
  CHECK(back.tensors.at("expanded").to_vector<int64_t>() == std::vector<int64_t>{5, 6, 5, 6});
  CHECK(back.tensors.at("tail").to_vector<int64_t>() == std::vector<int64_t>{5, 6});
}

TEST_CASE("every tensor lies aligned to its element size") {
  const Folder folder;
  TensorFile file;
  file.tensors["a"] = ones({3});
  file.tensors["b"] = ones({1}, DType::float64);
  save_tensors(folder / "f", file);
  const std::string bytes = contents(folder / "f");
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof length);
  CHECK(length % 8 == 0);
  CHECK(bytes.find("\"data_offsets\":[0,8],\"dtype\":\"F64\"") != bytes.npos);
  CHECK(bytes.find("\"data_offsets\":[8,20],\"dtype\":\"F32\"") != bytes.npos);
}

TEST_CASE("a file made by Python's safetensors loads, narrow types widened") {
  const TensorFile file =
      load_tensors(std::string(GRADUS_TEST_DATA) + "/core/golden/python.safetensors");
  const auto doubles = [&](const char* name) { return file.tensors.at(name).to_vector<double>(); };
  const auto integers = [&](const char* name) {
    return file.tensors.at(name).to_vector<int64_t>();
  };
  using D = std::vector<double>;
  using I = std::vector<int64_t>;
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(file.tensors.at("F32").shape() == Shape{2, 3});
  CHECK(doubles("F32") == D{1.5, -2.25, 0.1f, inf, -0.0, 3e-45f});
  CHECK(std::signbit(doubles("F32")[4]));
  CHECK(doubles("F64") == D{0.1, -1e300});
  CHECK(integers("I64") == I{INT64_MIN, INT64_MAX});
  CHECK(file.tensors.at("F16").dtype() == DType::float32);
  CHECK(doubles("F16") == D{1.5, -65504, std::ldexp(1, -24), std::ldexp(1, -14), -inf, -0.0});
  CHECK(std::signbit(doubles("F16")[5]));
  CHECK(doubles("BF16") == D{1.5, -std::ldexp(1, 127)});
  CHECK(integers("I32") == I{INT32_MIN});
  CHECK(integers("I16") == I{INT16_MIN});
  CHECK(integers("I8") == I{INT8_MIN});
  CHECK(integers("U8") == I{255});
  CHECK(integers("BOOL") == I{1, 0});
  CHECK(file.tensors.at("scalar").shape() == Shape{});
  CHECK(doubles("scalar") == D{7});
  CHECK(file.tensors.at("empty").shape() == Shape{3, 0, 2});
  CHECK(doubles("词/嵌入 é") == D{1});
  CHECK(file.tensors.size() == 13);
  CHECK(file.metadata == std::map<std::string, std::string>{{"名", "值\n\"quoted\""}});
}

TEST_CASE("a half-precision number that is none stays none") {
  const std::string header = R"({"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})";
  const std::string bytes = with_length(header.size(), header + "\x01\x7c");
  const TensorFile file = parse_tensors(std::as_bytes(std::span(bytes)), "m");
  CHECK(std::isnan(file.tensors.at("h").item()));
}

TEST_CASE("tensors may stand in the header in any order") {
  const std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},)"
                             R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("empty":{"dtype":"F32","shape":[0],"data_offsets":[1,1]}})";
  const std::string bytes = with_length(header.size(), header + "\x01\x02");
  const TensorFile file = parse_tensors(std::as_bytes(std::span(bytes)), "m");
  CHECK(file.tensors.at("a").item() == 1);
  CHECK(file.tensors.at("b").item() == 2);
}

TEST_CASE("a damaged file is refused with what is wrong") {
  CHECK(refusal_of_bytes("") == "m: truncated: it has 0 bytes, a safetensors file at least 10");
  CHECK(refusal_of_bytes("1234567") ==
        "m: truncated: it has 7 bytes, a safetensors file at least 10");
  CHECK(refusal_of_bytes(with_length(10, "{}")) ==
        "m: truncated: the header has 10 bytes, 2 are there");
  CHECK(refusal_of_bytes(with_length(UINT64_MAX, "{}")) ==
        "m: not a safetensors file: a header of 18446744073709551615 bytes, allowed are 100000000");
  CHECK(refusal_of_bytes(with_length(100'000'001, "{}")) ==
        "m: not a safetensors file: a header of 100000001 bytes, allowed are 100000000");

  CHECK(refusal("") == "m: the header is not a JSON object: it must begin with {");
  CHECK(refusal("[]") == "m: the header is not a JSON object: it must begin with {");
  CHECK(refusal("\xef\xbb\xbf{}") == "m: the header is not a JSON object: it must begin with {");
  CHECK(refusal("{\"a\":x}") == "m: the header is not JSON in UTF-8: error at its byte 6");
  CHECK(refusal("{") == "m: the header is not JSON in UTF-8: error at its byte 2");
  CHECK(refusal("{}{}") == "m: the header is not JSON in UTF-8: error at its byte 3");
  CHECK(refusal(std::string("{}\0 ", 4)) ==
        "m: the header is not JSON in UTF-8: error at its byte 3");
  CHECK(refusal("{\"\xff\":1}") == "m: the header is not JSON in UTF-8: error at its byte 3");
  CHECK(refusal("{\"a\":1e999}") == "m: the header holds a number that no float64 holds");
  CHECK(refusal("{\"a\":[[[[1]]]]}") == "m: the header is nested too deeply");
  CHECK(refusal("{\"\":" + std::string(1'000'000, '[')) == "m: the header is nested too deeply");

  CHECK(refusal(R"({"__metadata__":1})") == "m: __metadata__ is not an object of strings");
  CHECK(refusal(R"({"__metadata__":{"epoch":3}})") ==
        "m: __metadata__: \"epoch\" is not a string: 3");
}

TEST_CASE("a name that stands twice is refused") {
  const std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  CHECK(refusal("{" + a + "}", 1) == "no error");
  CHECK(refusal("{" + a + "," + a + "}", 1) == "m: the header names \"a\" twice");
  CHECK(refusal(R"({"__metadata__":{"k":"1","k":"2"}})") == "m: the header names \"k\" twice");
  CHECK(refusal(R"({"a":{"shape":[1],"shape":[2],"dtype":"U8","data_offsets":[0,1]}})", 1) ==
        "m: the header names \"shape\" twice");
}

TEST_CASE("a tensor that breaks a rule is refused by name") {
  const auto refuse = [](const std::string& entry) { return refusal("{\"w\":" + entry + "}", 8); };
  CHECK(refuse("3") == "m: tensor \"w\": its entry in the header is not an object");
  CHECK(refuse("{}") == "m: tensor \"w\": has no \"dtype\" in the header");
  CHECK(refuse(R"({"dtype":"F32","data_offsets":[0,8]})") ==
        "m: tensor \"w\": has no \"shape\" in the header");
  CHECK(refuse(R"({"dtype":"F32","shape":[2]})") ==
        "m: tensor \"w\": has no \"data_offsets\" in the header");
  const std::string known =
      "; expected one of F32, F64, I64, F16, BF16, F8_E4M3, F8_E5M2, F8_E4M3FNUZ, F8_E5M2FNUZ, "
      "F8_E8M0, I32, I16, I8, U64, U32, U16, U8, BOOL; with skip_unreadable the other tensors are "
      "read";
  CHECK(refuse(R"({"dtype":"C64","shape":[1],"data_offsets":[0,8]})") ==
        "m: tensor \"w\": cannot read dtype \"C64\"" + known);
  CHECK(refuse(R"({"dtype":4,"shape":[8],"data_offsets":[0,8]})") ==
        "m: tensor \"w\": cannot read dtype 4" + known);

  const auto with_shape = [&](const std::string& shape) {
    return refuse(R"({"dtype":"F32","data_offsets":[0,8],"shape":)" + shape + "}");
  };
  const std::string not_size = ", which is not an integer from 0 to 2^63 - 1";
  CHECK(with_shape("[2]") == "no error");
  CHECK(with_shape("2") == "m: tensor \"w\": its shape is not a list: 2");
  CHECK(with_shape("[-2]") == "m: tensor \"w\": its shape holds -2" + not_size);
  CHECK(with_shape("[2.0]") == "m: tensor \"w\": its shape holds 2.0" + not_size);
  CHECK(with_shape("[\"2\"]") == "m: tensor \"w\": its shape holds \"2\"" + not_size);
  CHECK(with_shape("[9223372036854775808]") ==
        "m: tensor \"w\": its shape holds 9223372036854775808" + not_size);
  CHECK(with_shape("[4294967296,4294967296]") ==
        "m: tensor \"w\": shape (4294967296, 4294967296) is beyond 2^63 bytes");
  CHECK(with_shape("[0,4294967296,4294967296]") ==
        "m: tensor \"w\": shape (0, 4294967296, 4294967296) is beyond 2^63 bytes");
  CHECK(with_shape("[1,1,1,1,1,1,1,1,2]") == "m: tensor \"w\": shape: a tensor has at most 8 axes");
  CHECK(with_shape("[3]") ==
        "m: tensor \"w\": F32 of shape (3) has 12 bytes, its data_offsets [0, 8] span 8");

  const auto with_offsets = [&](const std::string& offsets) {
    return refuse(R"({"dtype":"F32","shape":[2],"data_offsets":)" + offsets + "}");
  };
  CHECK(with_offsets("[8,0]") == "m: tensor \"w\": its data_offsets [8,0] are not [begin, end]");
  CHECK(with_offsets("[0]") == "m: tensor \"w\": its data_offsets [0] are not [begin, end]");
  CHECK(with_offsets("[0,4,8]") ==
        "m: tensor \"w\": its data_offsets [0,4,8] are not [begin, end]");
  CHECK(with_offsets("[-8,0]") == "m: tensor \"w\": its data_offsets holds -8" + not_size);
  CHECK(with_offsets("[4,12]") ==
        "m: tensor \"w\" begins at byte 4 of the data, where the one before ends at 0: there is a "
        "hole");
}

TEST_CASE("tensors that overlap, leave holes or do not fill the data are refused") {
  const auto two = [](int begin, int end, size_t data) {
    return refusal(fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}},)"
                               R"("b":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}}}})",
                               end - begin, begin, end),
                   data);
  };
  CHECK(two(4, 8, 8) == "no error");
  CHECK(
      two(2, 8, 8) ==
      "m: tensor \"b\" begins at byte 2 of the data, where the one before ends at 4: they overlap");
  CHECK(two(5, 8, 8) ==
        "m: tensor \"b\" begins at byte 5 of the data, where the one before ends at 4: there is a "
        "hole");
  CHECK(two(4, 8, 7) == "m: truncated: the tensors need 8 bytes of data, there are 7");
  CHECK(two(4, 8, 9) ==
        "m: 1 bytes follow after the last tensor, which ends at byte 8 of the data");
}

TEST_CASE("every truncation of a good file is refused") {
  const std::string whole =
      contents(std::string(GRADUS_TEST_DATA) + "/core/golden/python.safetensors");
  CHECK(refusal_of_bytes(whole) == "no error");
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(refusal_of_bytes(whole.substr(0, size)).starts_with("m: truncated: "));
  }
}

TEST_CASE("what cannot be opened as a file is refused") {
  const Folder folder;
  const auto load = [](const std::string& path) { return error_of([&] { load_tensors(path); }); };
  const std::string path = folder / "f";
  CHECK(load(path) == path + ": cannot open it: No such file or directory");
  CHECK(load(folder.path) == folder.path + ": is a directory, not a file");
  CHECK(load("/dev/null") == "/dev/null: is not a regular file");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(load(path) == path + ": is not a regular file");
  write_file(folder / "empty", "");
  CHECK(load(folder / "empty") ==
        (folder / "empty") + ": truncated: it has 0 bytes, a safetensors file at least 10");
}

TEST_CASE("a file or folder without permission is refused") {
  const Folder folder;
  const std::string path = folder / "f";
  write_file(path, "secret");
  ::chmod(path.c_str(), 0);
  ::chmod(folder.path.c_str(), 0555);
  const uid_t user = ::geteuid(), nobody = 65534;
  if (user == 0) REQUIRE(::seteuid(nobody) == 0);  // root may do everything
  const std::string load_error = error_of([&] { load_tensors(path); });
  const std::string save_error = error_of([&] { save_tensors(path, {}); });
  if (user == 0) REQUIRE(::seteuid(user) == 0);
  ::chmod(folder.path.c_str(), 0755);
  CHECK(load_error == path + ": cannot open it: Permission denied");
  CHECK(save_error == "cannot write " + path + ": creating " + path +
                          ".tmp0: Permission denied; the earlier file is unchanged");
}

TEST_CASE("what the format cannot hold is not saved") {
  const Folder folder;
  const std::string path = folder / "f";
  const auto save = [&](const TensorFile& file) {
    return error_of([&] { save_tensors(path, file); });
  };
  CHECK(save({{{"w", Tensor()}}, {}}) ==
        "save " + path + ": tensor \"w\": tensor: used before it has a value");
  CHECK(save({{{"__metadata__", ones({1})}}, {}}) ==
        "save " + path + ": tensor \"__metadata__\": the name is reserved by the format");
  CHECK(save({{{"\xff", ones({1})}}, {}}) ==
        "save " + path + ": a tensor's name or the metadata is not UTF-8");
  CHECK(save({{}, {{"k", "\xff"}}}) ==
        "save " + path + ": a tensor's name or the metadata is not UTF-8");
  CHECK(files_in(folder) == 0);
}

TEST_CASE("parts are written one after the other, over what was there") {
  const Folder folder;
  const std::string path = folder / "f";
  write_file(path, "a long first text");
  const std::string_view parts[] = {"one, ", "", "two"};
  write_file(path, parts);
  CHECK(contents(path) == "one, two");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("writing follows links and keeps permissions") {
  const Folder folder;
  fs::create_directory(folder / "models");
  const std::string target = folder / "models/best", link = folder / "link";
  fs::create_symlink("models/best", link);
  write_file(link, "through a link that led nowhere yet");
  REQUIRE(fs::is_regular_file(target));
  REQUIRE(::chmod(target.c_str(), 0640) == 0);
  write_file(link, "new");
  CHECK(fs::is_symlink(link));
  CHECK(contents(target) == "new");
  struct stat status {};
  ::stat(target.c_str(), &status);
  CHECK((status.st_mode & 07777) == 0640);

  fs::create_symlink("circle", folder / "circle");
  CHECK(error_of([&] { write_file(folder / "circle", "x"); }) ==
        "cannot write " + (folder / "circle") +
            ": following links: Too many levels of symbolic links");
}

TEST_CASE("a failed write says why") {
  const Folder folder;
  const std::string nowhere = folder / "missing/f";
  CHECK(error_of([&] { write_file(nowhere, "x"); }) ==
        "cannot write " + nowhere + ": creating " + nowhere + ".tmp0: No such file or directory");
  CHECK(error_of([&] { write_file(folder.path, "x"); }) ==
        "cannot write " + folder.path + ": opening: Is a directory");
  CHECK(error_of([] { write_file("/dev/full", "x"); }) ==
        "cannot write /dev/full: writing: No space left on device");
}

TEST_CASE("a disk that fills up while saving leaves the earlier file whole and nothing else") {
  const Folder folder;
  const std::string path = folder / "model";
  save_tensors(path, {{{"w", ones({10})}}, {}});
  const std::string earlier = contents(path);
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);  // then writing fails, as on a full disk
    limit_file_size(10'000);
    const std::string error = error_of([&] { save_tensors(path, {{{"w", ones({10'000})}}, {}}); });
    ::_exit(error == "cannot write " + path +
                         ": writing: File too large; the earlier file is unchanged"
                ? 0
                : 1);
  });
  CHECK(status == 0);
  CHECK(contents(path) == earlier);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a save that is killed while writing leaves the earlier file whole") {
  const Folder folder;
  const std::string path = folder / "model";
  save_tensors(path, {{{"w", ones({10})}}, {}});
  const std::string earlier = contents(path);
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_DFL);
    limit_file_size(10'000);
    save_tensors(path, {{{"w", ones({10'000})}}, {}});
  });
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGXFSZ);
  CHECK(contents(path) == earlier);
  CHECK(files_in(folder) == 2);                    // a killed process cannot tidy up
  save_tensors(path, {{{"w", zeros({10})}}, {}});  // nor does what it left stand in the way
  CHECK(load_tensors(path).tensors.at("w").to_vector<float>() == std::vector<float>(10, 0));
}

TEST_CASE("whenever a save is killed, the file holds one whole version") {
  const Folder folder;
  const std::string path = folder / "model";
  constexpr int64_t size = 100'000;
  save_tensors(path, {{{"w", full({size}, 0)}}, {}});
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int version = 1;; ++version) save_tensors(path, {{{"w", full({size}, version)}}, {}});
    }
    ::usleep(1000 + 997 * round);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::vector<float> values = load_tensors(path).tensors.at("w").to_vector<float>();
    REQUIRE(values == std::vector<float>(size, values[0]));
  }
}
