#pragma once

namespace gradus {

/// The version that is linked, "0.1.0": major, minor, patch by the rules of semver.org. As long as
/// the first is 0, a higher second one may break what used it.
const char* version();

}  // namespace gradus
