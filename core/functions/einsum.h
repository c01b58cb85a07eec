#pragma once

#include <string>
#include <vector>

#include "core/tensor/tensor.h"

namespace gradus {

/// Sums of products by Einstein's notation: einsum("bij,bjk->bik", {a, b}) is a batch of matrix
/// products. Each operand has one letter per axis; axes with the same letter have the same size and
/// run together, a letter twice in one operand takes its diagonal, and letters missing from the
/// output are summed over. Without "->" the output has the letters that appear once, in
/// alphabetical order. "..." stands for further axes, which broadcast and come first in an output
/// without "->". Spaces are ignored.
/// Operands are multiplied from left to right, each time by one matmul over the letters that
/// neither the output nor a later operand has. Throws Error, naming the letter, where sizes differ
/// or a letter of the output is in no operand.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands);

}  // namespace gradus
