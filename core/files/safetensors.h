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
};

/// Writes float32 as F32, float64 as F64, int64 as I64; views in row-major order. All or nothing,
/// see write_file(). Throws Error for an undefined tensor, a name that is not UTF-8, and when
/// writing fails.
void save_tensors(const std::string& path, const TensorFile& file);

/// Reads F32, F64 and I64 as they are, F16 and BF16 as float32, and I32, I16, I8, U32, U16, U8 and
/// BOOL as int64. Throws Error with the path, the tensor and the numbers when the file cannot be
/// read or breaks a rule of the format; memory is only taken for tensors that the file holds.
TensorFile load_tensors(const std::string& path);

/// The same from memory; errors begin with `origin`.
TensorFile parse_tensors(std::span<const std::byte> bytes, const std::string& origin);

}  // namespace gradus
