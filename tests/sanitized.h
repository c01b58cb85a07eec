#pragma once

namespace gradus::testing {

/// Whether ThreadSanitizer watches this build, and whether it or AddressSanitizer does.
#ifdef __SANITIZE_THREAD__
constexpr bool threads_watched = true;
#else
constexpr bool threads_watched = false;
#endif
#ifdef __SANITIZE_ADDRESS__
constexpr bool sanitized = true;
#else
constexpr bool sanitized = threads_watched;
#endif

}  // namespace gradus::testing
