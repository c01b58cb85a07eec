#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "core/tensor/tensor.h"

namespace gradus {

/// The contents of a safetensors file: tensors and free text, each under a name in UTF-8.
///
/// Format, by Hugging Face (https://github.com/huggingface/safetensors): the length of the header
/// in 8 bytes, little-endian; the header, a JSON object that gives for each name
/// {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]} and under "__metadata__" an
/// object of strings; then the data, row-major and little-endian, without holes.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
  /// What was left out on loading, by name: its type and shape, "C64 (2, 3)". Not saved.
  std::map<std::string, std::string> skipped = {};
};

struct LoadOptions {
  /// Leave out tensors that no Tensor can hold (complex numbers, numbers of 4 and 6 bits, types
  /// that are not known, more than 8 axes), instead of refusing the file.
  bool skip_unreadable = false;
};

/// Writes float32 as F32, float64 as F64, int64 as I64; views in row-major order. All or nothing,
/// see write_file(). Throws Error for an undefined tensor, a name that is not UTF-8, and when
/// writing fails.
void save_tensors(const std::string& path, const TensorFile& file);

/// Reads F32, F64 and I64 as they are; F16, BF16 and the types of 8 bits, F8_E4M3, F8_E5M2,
/// F8_E4M3FNUZ, F8_E5M2FNUZ and F8_E8M0, as float32, exactly; I32, I16, I8, U64, U32, U16, U8 and
/// BOOL (0, or 1 for every other byte) as int64. Throws Error with the path, the tensor and the
/// numbers when the file cannot be read, breaks a rule of the format, holds a U64 beyond int64, or
/// was changed meanwhile. Takes time and memory in proportion to the file.
TensorFile load_tensors(const std::string& path, const LoadOptions& options = {});

/// The same from memory; errors begin with `origin`.
TensorFile parse_tensors(std::span<const std::byte> bytes, const std::string& origin,
                         const LoadOptions& options = {});

/// Only the metadata; the tensors' data is not read.
std::map<std::string, std::string> load_metadata(const std::string& path);

}  // namespace gradus
