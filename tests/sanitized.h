#pragma once

namespace gradus::testing {

/// Whether a sanitizer watches this build.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

}  // namespace gradus::testing
