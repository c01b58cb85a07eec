#include "core/tensor/threads.h"

#include <fmt/format.h>

#include <stdexcept>
#include <system_error>

#include "core/kernels/pool.h"
#include "core/tensor/error.h"
#include "core/tensor/switches.h"

namespace gradus {

int threads() { return pool::size(); }

void set_threads(int count) {
  if (count < 1) throw Error(fmt::format("set_threads: expected at least 1, got {}", count));
  try {
    pool::resize(count);
  } catch (const std::system_error& error) {
    throw Error(fmt::format("set_threads: the system does not give {} threads ({}); there are {}",
                            count, error.what(), threads()));
  } catch (const std::logic_error& error) {
    throw Error(fmt::format("set_threads: {}", error.what()));
  }
}

void run_ranges(int64_t n, int64_t ranges, const std::function<void(int64_t, int64_t)>& body) {
  pool::run_ranges(n, ranges, [&body, callers = switches](int64_t begin, int64_t end) {
    const struct Restore {
      Switches own = switches;
      ~Restore() { switches = own; }
    } restore;
    switches = callers;
    body(begin, end);
  });
}

}  // namespace gradus
