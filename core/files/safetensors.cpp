#include "core/files/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "core/files/atomic_file.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the data is copied as it is");

constexpr uint64_t longest_header = 100'000'000;  // the limit of the reference implementation
constexpr const char* metadata_key = "__metadata__";

/// `name` in quotes, with what cannot be printed escaped.
std::string quoted(const std::string& name) {
  return json(name).dump(-1, ' ', false, json::error_handler_t::replace);
}

// --- how numbers are stored ---------------------------------------------------------------------

/// IEEE 754 binary16: 1 bit sign, 5 bits exponent, 10 bits fraction.
struct Float16 {
  uint16_t bits;
  explicit operator float() const {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float magnitude = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
    if (exponent == 0) magnitude = std::ldexp(static_cast<float>(fraction), -24);
    if (exponent == 31)
      magnitude = fraction ? std::numeric_limits<float>::quiet_NaN()
                           : std::numeric_limits<float>::infinity();
    return bits >> 15 ? -magnitude : magnitude;
  }
};

/// The upper half of a float32.
struct BFloat16 {
  uint16_t bits;
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

struct Encoding {
  const char* name;
  int64_t bytes;
  DType dtype;
  void (*read)(const std::byte* from, Tensor& to);
};

template <class Stored, class T>
constexpr Encoding encoding(const char* name) {
  return {name, sizeof(Stored), dtype_of<T>(), [](const std::byte* from, Tensor& to) {
            for (T& value : to.mutable_span<T>()) {
              Stored stored;
              std::memcpy(&stored, from, sizeof stored);
              from += sizeof stored;
              value = static_cast<T>(stored);
            }
          }};
}

/// The first row of a dtype is how it is written.
constexpr std::array encodings{
    encoding<float, float>("F32"),      encoding<double, double>("F64"),
    encoding<int64_t, int64_t>("I64"),  encoding<Float16, float>("F16"),
    encoding<BFloat16, float>("BF16"),  encoding<int32_t, int64_t>("I32"),
    encoding<int16_t, int64_t>("I16"),  encoding<int8_t, int64_t>("I8"),
    encoding<uint32_t, int64_t>("U32"), encoding<uint16_t, int64_t>("U16"),
    encoding<uint8_t, int64_t>("U8"),   encoding<uint8_t, int64_t>("BOOL"),
};

// --- reading ------------------------------------------------------------------------------------

/// A tensor as the header tells of it.
struct Entry {
  std::string name;
  const Encoding* encoding;
  Shape shape;
  uint64_t begin, end;
};

/// Parses the header, and refuses what JSON leaves open: names that stand twice.
json parse_header(std::string_view text) {
  if (!text.starts_with('{')) throw Error("the header is not a JSON object: it must begin with {");
  const auto syntax_error = [](size_t byte) {
    return Error(fmt::format("the header is not JSON in UTF-8: error at its byte {}", byte));
  };
  // The parser would take a zero byte for the end of its input.
  if (const size_t zero = text.find('\0'); zero != text.npos) throw syntax_error(zero + 1);
  constexpr int deepest = 3;  // header, entry, list
  std::array<std::set<std::string>, deepest + 1> names;
  try {
    return json::parse(text, [&](int depth, json::parse_event_t event, json& parsed) {
      if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
        if (depth >= deepest) throw Error("the header is nested too deeply");
        names[depth + 1].clear();
      } else if (event == json::parse_event_t::key) {
        const auto& name = parsed.get_ref<const std::string&>();
        if (!names[depth].insert(name).second)
          throw Error(fmt::format("the header names {} twice", quoted(name)));
      }
      return true;
    });
  } catch (const json::parse_error& error) {
    throw syntax_error(error.byte);
  } catch (const json::out_of_range&) {
    throw Error("the header holds a number that no float64 holds");
  }
}

const json& field(const json& entry, const char* name) {
  const auto found = entry.find(name);
  if (found == entry.end()) throw Error(fmt::format("has no \"{}\" in the header", name));
  return *found;
}

/// A list of integers that are not negative.
std::vector<int64_t> integers(const json& entry, const char* name) {
  const json& list = field(entry, name);
  std::vector<int64_t> result;
  if (!list.is_array()) throw Error(fmt::format("its {} is not a list: {}", name, list.dump()));
  for (const json& item : list) {
    if (!item.is_number_unsigned() ||
        item.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})
      throw Error(fmt::format("its {} holds {}, which is not an integer from 0 to 2^63 - 1", name,
                              item.dump()));
    result.push_back(item.get<int64_t>());
  }
  return result;
}

Entry parse_entry(const std::string& name, const json& entry) {
  if (!entry.is_object()) throw Error("its entry in the header is not an object");
  const json& dtype = field(entry, "dtype");
  const auto encoding = std::find_if(encodings.begin(), encodings.end(),
                                     [&](const Encoding& row) { return dtype == row.name; });
  if (encoding == encodings.end())
    throw Error(
        fmt::format("cannot read dtype {}; known are F64, F32, F16, BF16, I64, I32, I16, "
                    "I8, U32, U16, U8, BOOL",
                    dtype.dump()));
  const Shape shape(integers(entry, "shape"));
  int64_t bytes = encoding->bytes;
  for (int64_t size : shape)  // sizes of 0 are left out, since strides multiply the others
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      throw Error(fmt::format("shape {} is beyond 2^63 bytes", shape.text()));
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) bytes = 0;

  const std::vector<int64_t> offsets = integers(entry, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    throw Error(fmt::format("its data_offsets {} are not [begin, end]",
                            field(entry, "data_offsets").dump()));
  if (offsets[1] - offsets[0] != bytes)
    throw Error(fmt::format("{} of shape {} has {} bytes, its data_offsets [{}, {}] span {}",
                            encoding->name, shape.text(), bytes, offsets[0], offsets[1],
                            offsets[1] - offsets[0]));
  return {name, &*encoding, shape, static_cast<uint64_t>(offsets[0]),
          static_cast<uint64_t>(offsets[1])};
}

/// Entries must follow each other without overlap or hole and fill the data.
void check_layout(std::vector<Entry>& entries, uint64_t size) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end)
      throw Error(
          fmt::format("tensor {} begins at byte {} of the data, where the one before ends "
                      "at {}: {}",
                      quoted(entry.name), entry.begin, end,
                      entry.begin < end ? "they overlap" : "there is a hole"));
    end = entry.end;
  }
  if (end > size)
    throw Error(
        fmt::format("truncated: the tensors need {} bytes of data, there are {}", end, size));
  if (end < size)
    throw Error(
        fmt::format("{} bytes follow after the last tensor, which ends at byte {} of the "
                    "data",
                    size - end, end));
}

std::map<std::string, std::string> parse_metadata(const json& object) {
  if (!object.is_object()) throw Error("__metadata__ is not an object of strings");
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string())
      throw Error(fmt::format("__metadata__: {} is not a string: {}", quoted(name), value.dump()));
    result[name] = value;
  }
  return result;
}

TensorFile parse(std::span<const std::byte> bytes) {
  uint64_t length;
  if (bytes.size() < sizeof length)
    throw Error(
        fmt::format("truncated: it has {} bytes, a safetensors file at least 10", bytes.size()));
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes = bytes.subspan(sizeof length);
  if (length > longest_header)
    throw Error(fmt::format("not a safetensors file: a header of {} bytes, allowed are {}", length,
                            longest_header));
  if (length > bytes.size())
    throw Error(
        fmt::format("truncated: the header has {} bytes, {} are there", length, bytes.size()));
  const json header =
      parse_header({reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(length)});
  const std::span<const std::byte> data = bytes.subspan(length);

  TensorFile file;
  std::vector<Entry> entries;
  for (const auto& item : header.items()) {
    if (item.key() == metadata_key) {
      file.metadata = parse_metadata(item.value());
    } else {
      entries.push_back(errors_at("tensor " + quoted(item.key()),
                                  [&] { return parse_entry(item.key(), item.value()); }));
    }
  }
  check_layout(entries, data.size());
  for (const Entry& entry : entries) {
    Tensor tensor = Tensor::uninitialised(entry.shape, entry.encoding->dtype);
    entry.encoding->read(data.data() + entry.begin, tensor);
    file.tensors[entry.name] = tensor;
  }
  return file;
}

/// The bytes of a file, mapped into memory: only what is looked at is read.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) fail("cannot open it");
    struct stat status {};
    int error = ::fstat(file, &status) == 0 ? 0 : errno;
    const bool regular = S_ISREG(status.st_mode);
    void* address = nullptr;
    if (!error && regular && status.st_size > 0) {
      address = ::mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
      if (address == MAP_FAILED) error = errno;
    }
    ::close(file);
    errno = error;
    if (error) fail("cannot read it");
    if (!regular)
      throw Error(S_ISDIR(status.st_mode) ? "is a directory, not a file" : "is not a regular file");
    bytes_ = {static_cast<const std::byte*>(address), static_cast<size_t>(status.st_size)};
  }
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  [[noreturn]] static void fail(const char* step) {
    throw Error(fmt::format("{}: {}", step, std::generic_category().message(errno)));
  }

  std::span<const std::byte> bytes_;
};

// --- writing ------------------------------------------------------------------------------------

/// `tensor` itself where it is contiguous, otherwise a copy that is.
Tensor row_major(const Tensor& tensor) {
  if (tensor.is_contiguous()) return tensor;
  Tensor copy = Tensor::uninitialised(tensor.shape(), tensor.dtype());
  copy.assign(tensor);
  return copy;
}

std::string_view data_of(const Tensor& tensor) {
  return dispatch(tensor.dtype(), [&](auto element) -> std::string_view {
    const auto bytes = std::as_bytes(tensor.span<decltype(element)>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  });
}

}  // namespace

TensorFile parse_tensors(std::span<const std::byte> bytes, const std::string& origin) {
  return errors_at(origin, [&] { return parse(bytes); });
}

TensorFile load_tensors(const std::string& path) {
  return errors_at(path, [&] { return parse(MappedFile(path).bytes()); });
}

void save_tensors(const std::string& path, const TensorFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) header[metadata_key] = file.metadata;
  std::vector<Tensor> tensors;
  std::vector<std::string_view> parts(2);  // the header comes first, once it is known
  size_t end = 0;
  for (size_t width : {8, 4})  // the widest first, so that all lie aligned
    for (const auto& [name, tensor] : file.tensors)
      errors_at(fmt::format("save {}: tensor {}", path, quoted(name)),
                [&, &name = name, &tensor = tensor] {
                  if (size_of(tensor.dtype()) != width) return;
                  if (name == metadata_key) throw Error("the name is reserved by the format");
                  tensors.push_back(row_major(tensor));
                  parts.push_back(data_of(tensors.back()));
                  const size_t begin = std::exchange(end, end + parts.back().size());
                  const auto written = std::find_if(
                      encodings.begin(), encodings.end(),
                      [&](const Encoding& row) { return row.dtype == tensor.dtype(); });
                  header[name] = {
                      {"dtype", written->name},
                      {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())},
                      {"data_offsets", {begin, end}}};
                });

  std::string text;
  try {
    text = header.dump();
  } catch (const json::type_error&) {
    throw Error(fmt::format("save {}: a tensor's name or the metadata is not UTF-8", path));
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begins at a multiple of 8
  if (text.size() > longest_header)
    throw Error(fmt::format("save {}: a header of {} bytes, allowed are {}", path, text.size(),
                            longest_header));
  const uint64_t length = text.size();
  parts[0] = {reinterpret_cast<const char*>(&length), sizeof length};
  parts[1] = text;
  write_file(path, parts);
}

}  // namespace gradus
