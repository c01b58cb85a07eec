#pragma once

namespace gradus {

/// What a loss gives: the mean or the sum over its elements, or each by itself.
enum class Reduction { mean, sum, none };

}  // namespace gradus
