#include "core/files/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "core/files/atomic_file.h"
#include "core/files/json_check.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the data is copied as it is");

constexpr uint64_t longest_header = 100'000'000;  // the limit of the reference implementation
constexpr const char* metadata_key = "__metadata__";

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

/// Eight bits: a sign, so many of the exponent, the fraction. What stands for NaN and infinity
/// differs: `ieee` the largest exponent; `fn` only the largest exponent and fraction, NaN;
/// `fnuz` only -0, NaN (https://github.com/jax-ml/ml_dtypes).
enum class Specials { ieee, fn, fnuz };
template <int exponent_bits, int bias, Specials specials>
struct Float8 {
  uint8_t bits;
  explicit operator float() const {
    constexpr int fraction_bits = 7 - exponent_bits, most = (1 << exponent_bits) - 1;
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const int exponent = bits >> fraction_bits & most, fraction = bits & ((1 << fraction_bits) - 1);
    if (specials == Specials::fnuz && bits == 0x80) return nan;
    if (specials == Specials::fn && (bits & 0x7f) == 0x7f) return nan;
    if (specials == Specials::ieee && exponent == most)
      return fraction ? nan : bits >> 7 ? -HUGE_VALF : HUGE_VALF;
    const int whole = exponent > 0 ? fraction + (1 << fraction_bits) : fraction;
    const float magnitude =
        std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - bias - fraction_bits);
    return bits >> 7 ? -magnitude : magnitude;
  }
};

/// A power of two: the scale of a block of smaller numbers.
struct Exponent8 {
  uint8_t bits;
  explicit operator float() const {
    return bits == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, bits - 127);
  }
};

struct Unsigned64 {
  uint64_t bits;
  explicit operator int64_t() const {
    if (bits > uint64_t{std::numeric_limits<int64_t>::max()})
      throw Error(fmt::format("holds {}, which is beyond int64", bits));
    return static_cast<int64_t>(bits);
  }
};

struct Boolean {
  uint8_t bits;
  explicit operator int64_t() const { return bits != 0; }
};

struct Encoding {
  const char* name;
  int64_t bits;  // of an element
  DType dtype;
  /// Fills the elements from `at` on; none where no dtype holds these.
  void (*convert)(std::span<const std::byte> from, Tensor& to, int64_t at);
};

template <class Stored, class T>
constexpr Encoding encoding(const char* name) {
  return {name, 8 * sizeof(Stored), dtype_of<T>(),
          [](std::span<const std::byte> from, Tensor& to, int64_t at) {
            T* values = to.mutable_data<T>() + at;
            for (size_t i = 0; i < from.size() / sizeof(Stored); ++i) {
              Stored stored;
              std::memcpy(&stored, from.data() + i * sizeof stored, sizeof stored);
              values[i] = static_cast<T>(stored);
            }
          }};
}

/// The first row of a dtype is how it is written.
constexpr std::array encodings{
    encoding<float, float>("F32"),
    encoding<double, double>("F64"),
    encoding<int64_t, int64_t>("I64"),
    encoding<Float16, float>("F16"),
    encoding<BFloat16, float>("BF16"),
    encoding<Float8<4, 7, Specials::fn>, float>("F8_E4M3"),
    encoding<Float8<5, 15, Specials::ieee>, float>("F8_E5M2"),
    encoding<Float8<4, 8, Specials::fnuz>, float>("F8_E4M3FNUZ"),
    encoding<Float8<5, 16, Specials::fnuz>, float>("F8_E5M2FNUZ"),
    encoding<Exponent8, float>("F8_E8M0"),
    encoding<int32_t, int64_t>("I32"),
    encoding<int16_t, int64_t>("I16"),
    encoding<int8_t, int64_t>("I8"),
    encoding<Unsigned64, int64_t>("U64"),
    encoding<uint32_t, int64_t>("U32"),
    encoding<uint16_t, int64_t>("U16"),
    encoding<uint8_t, int64_t>("U8"),
    encoding<Boolean, int64_t>("BOOL"),
    Encoding{"C64", 64, DType::float32, nullptr},
    Encoding{"F4", 4, DType::float32, nullptr},
    Encoding{"F6_E2M3", 6, DType::float32, nullptr},
    Encoding{"F6_E3M2", 6, DType::float32, nullptr},
};

// --- reading ------------------------------------------------------------------------------------

/// A tensor as the header tells of it.
struct Entry {
  std::string name;
  const Encoding* encoding;  // none where the type is not known
  std::string skipped;       // "C64 (2, 3)" where it is left out
  Shape shape;
  uint64_t begin, end;
};

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

Entry parse_entry(const std::string& name, const json& entry, const LoadOptions& options) {
  if (!entry.is_object()) throw Error("its entry in the header is not an object");
  const json& dtype = field(entry, "dtype");
  const auto encoding = std::find_if(encodings.begin(), encodings.end(),
                                     [&](const Encoding& row) { return dtype == row.name; });
  const bool is_known = encoding != encodings.end();
  const bool is_readable = is_known && encoding->convert;
  if (!is_readable && (!options.skip_unreadable || !dtype.is_string())) {
    std::string readable;
    for (const Encoding& row : encodings)
      if (row.convert) readable += fmt::format("{}{}", readable.empty() ? "" : ", ", row.name);
    throw Error(
        fmt::format("cannot read dtype {}; expected one of {}; with skip_unreadable the "
                    "other tensors are read",
                    dtype.dump(), readable));
  }
  const std::vector<int64_t> sizes = integers(entry, "shape");
  const std::string text = fmt::format("({})", fmt::join(sizes, ", "));
  const bool fits = sizes.size() <= static_cast<size_t>(Shape::max_rank);
  const int64_t width = is_known ? encoding->bits : 8;
  int64_t bytes = std::max<int64_t>(width / 8, 1);
  for (int64_t size : sizes)  // sizes of 0 are left out, since strides multiply the others
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      throw Error(fmt::format("shape {} is beyond 2^63 bytes", text));
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) bytes = 0;
  if (width < 8) {
    if (bytes % 8 * width % 8 != 0)
      throw Error(fmt::format("{} of shape {} ends within a byte", encoding->name, text));
    bytes = bytes / 8 * width + bytes % 8 * width / 8;
  }

  const std::vector<int64_t> offsets = integers(entry, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    throw Error(fmt::format("its data_offsets {} are not [begin, end]",
                            field(entry, "data_offsets").dump()));
  if (is_known && offsets[1] - offsets[0] != bytes)
    throw Error(fmt::format("{} of shape {} has {} bytes, its data_offsets [{}, {}] span {}",
                            encoding->name, text, bytes, offsets[0], offsets[1],
                            offsets[1] - offsets[0]));
  Entry result{name, is_known ? &*encoding : nullptr,   "",
               {},   static_cast<uint64_t>(offsets[0]), static_cast<uint64_t>(offsets[1])};
  if (!is_readable || (!fits && options.skip_unreadable))
    result.skipped = fmt::format("{} {}", dtype.get<std::string>(), text);
  else
    result.shape = Shape(sizes);
  return result;
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
                      in_quotes(entry.name), entry.begin, end,
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
  if (object.is_null()) return {};
  if (!object.is_object()) throw Error("__metadata__ is not an object of strings");
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string())
      throw Error(
          fmt::format("__metadata__: {} is not a string: {}", in_quotes(name), value.dump()));
    result[name] = value;
  }
  return result;
}

/// Where a file's bytes are; `read` fills all of `to` with those from `begin` on.
struct Source {
  uint64_t size;
  std::function<void(uint64_t begin, std::span<std::byte> to)> read;
};

/// What stands before the tensors' data.
struct Header {
  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries;  // in the order of their data, which they fill
  uint64_t data_begin;
};

Header parse_header(const Source& source, const LoadOptions& options) {
  uint64_t length;
  if (source.size < sizeof length)
    throw Error(
        fmt::format("truncated: it has {} bytes, a safetensors file at least 10", source.size));
  source.read(0, std::as_writable_bytes(std::span(&length, 1)));
  const uint64_t rest = source.size - sizeof length;
  if (length > longest_header)
    throw Error(fmt::format("not a safetensors file: a header of {} bytes, allowed are {}", length,
                            longest_header));
  if (length > rest)
    throw Error(fmt::format("truncated: the header has {} bytes, {} are there", length, rest));
  std::string text(length, '\0');
  source.read(sizeof length, std::as_writable_bytes(std::span(text)));
  if (!text.starts_with('{')) throw Error("the header is not a JSON object: it must begin with {");
  constexpr int deepest = 3;  // header, entry, list
  check_json("the header", text, deepest);
  const json parsed = json::parse(text);

  Header header{{}, {}, sizeof length + length};
  for (const auto& item : parsed.items()) {
    if (item.key() == metadata_key) {
      header.metadata = parse_metadata(item.value());
    } else {
      header.entries.push_back(errors_at("tensor " + in_quotes(item.key()), [&] {
        return parse_entry(item.key(), item.value(), options);
      }));
    }
  }
  check_layout(header.entries, rest - length);
  return header;
}

Tensor read_tensor(const Source& source, uint64_t begin, const Entry& entry) {
  Tensor tensor = Tensor::uninitialised(entry.shape, entry.encoding->dtype);
  const auto width = static_cast<uint64_t>(entry.encoding->bits / 8);
  constexpr uint64_t largest_part = 1 << 20;
  std::vector<std::byte> part(std::min(largest_part, entry.end - entry.begin));
  for (uint64_t at = entry.begin; at < entry.end; at += part.size()) {
    part.resize(std::min(largest_part, entry.end - at));
    source.read(begin + at, part);
    entry.encoding->convert(part, tensor, static_cast<int64_t>((at - entry.begin) / width));
  }
  return tensor;
}

TensorFile parse(const Source& source, const LoadOptions& options) {
  Header header = parse_header(source, options);
  TensorFile file;
  file.metadata = std::move(header.metadata);
  for (const Entry& entry : header.entries) {
    if (!entry.skipped.empty())
      file.skipped[entry.name] = entry.skipped;
    else
      file.tensors[entry.name] = errors_at("tensor " + in_quotes(entry.name), [&] {
        return read_tensor(source, header.data_begin, entry);
      });
  }
  return file;
}

/// A regular file that is open for reading. It is read and not mapped: a mapped file that another
/// program cuts off kills its reader.
class OpenedFile {
 public:
  explicit OpenedFile(const std::string& path) {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file_ < 0) fail("cannot open it");
    try {
      status_ = status();
      if (!S_ISREG(status_.st_mode))
        throw Error(S_ISDIR(status_.st_mode) ? "is a directory, not a file"
                                             : "is not a regular file");
    } catch (...) {
      ::close(file_);
      throw;
    }
  }
  ~OpenedFile() { ::close(file_); }
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;

  Source source() const {
    return {static_cast<uint64_t>(status_.st_size),
            [this](uint64_t begin, std::span<std::byte> to) { read(begin, to); }};
  }
  /// Throws Error when somebody has written to it since it was opened.
  void check_unchanged() const {
    const struct stat now = status();
    if (now.st_size != status_.st_size || now.st_mtim.tv_sec != status_.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != status_.st_mtim.tv_nsec)
      throw Error(changed);
  }

 private:
  static constexpr const char* changed =
      "was changed by another program while it was read; load it again when that has finished";

  [[noreturn]] static void fail(const char* step) {
    throw Error(fmt::format("{}: {}", step, std::generic_category().message(errno)));
  }
  struct stat status() const {
    struct stat result {};
    if (::fstat(file_, &result) != 0) fail("cannot read it");
    return result;
  }
  void read(uint64_t begin, std::span<std::byte> to) const {
    while (!to.empty()) {
      const ssize_t count = ::pread(file_, to.data(), to.size(), static_cast<off_t>(begin));
      if (count == 0) throw Error(changed);
      if (count < 0 && errno != EINTR) fail("cannot read it");
      if (count <= 0) continue;
      to = to.subspan(static_cast<size_t>(count));
      begin += static_cast<uint64_t>(count);
    }
  }

  int file_;
  struct stat status_ {};
};

/// What `parse` makes of the file, which nobody has changed meanwhile: what it found wrong may be
/// half of one version and half of another.
template <class F>
auto parse_file(const std::string& path, F parse) {
  return errors_at(path, [&] {
    const OpenedFile file(path);
    try {
      auto result = parse(file.source());
      file.check_unchanged();
      return result;
    } catch (const Error&) {
      file.check_unchanged();
      throw;
    }
  });
}

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

TensorFile parse_tensors(std::span<const std::byte> bytes, const std::string& origin,
                         const LoadOptions& options) {
  const Source source{bytes.size(), [&](uint64_t begin, std::span<std::byte> to) {
                        if (!to.empty()) std::memcpy(to.data(), bytes.data() + begin, to.size());
                      }};
  return errors_at(origin, [&] { return parse(source, options); });
}

TensorFile load_tensors(const std::string& path, const LoadOptions& options) {
  return parse_file(path, [&](const Source& source) { return parse(source, options); });
}

std::map<std::string, std::string> load_metadata(const std::string& path) {
  return parse_file(path, [](const Source& source) {
    return parse_header(source, {.skip_unreadable = true}).metadata;
  });
}

void save_tensors(const std::string& path, const TensorFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) header[metadata_key] = file.metadata;
  std::vector<Tensor> tensors;
  std::vector<std::string_view> parts(2);  // the header comes first, once it is known
  size_t end = 0;
  for (size_t width : {8, 4})  // the widest first, so that all lie aligned
    for (const auto& [name, tensor] : file.tensors)
      errors_at(fmt::format("save {}: tensor {}", path, in_quotes(name)),
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
