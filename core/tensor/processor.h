#pragma once

#include <string>

/// What computes on this processor, and what that promises.
namespace gradus {

/// The instruction set of the kernels in use: "avx512", "avx2", or "baseline", which is the one
/// that the library was compiled for. It is the best that the processor has, unless the environment
/// variable GRADUS_KERNELS names another; a name that this processor has no kernels for is an error
/// of the first op.
std::string kernels();

/// Whether results are the same bits on all processors where this is true, for any number of
/// threads: with AVX2 or AVX-512 and own products, which sum each element in one order by fused
/// multiply-adds. Elsewhere results are as accurate, but their last bits may differ.
bool reproducible();

/// Lets OpenBLAS compute matrix products instead, as the environment variable GRADUS_PRODUCTS
/// (openblas or own) does from the start on; it is the default of the baseline. For comparison.
/// OpenBLAS is loaded when it is first used. Throws Error if it is not installed.
void use_openblas(bool use);

}  // namespace gradus
