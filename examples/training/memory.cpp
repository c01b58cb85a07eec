#include "examples/training/memory.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "core/tensor/error.h"
#include "examples/terminal/progress.h"

namespace gradus::training {

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void trim_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void check_memory(int64_t parameters, const std::string& model) {
  constexpr double gibi = 1 << 30, copies = 4;  // values, gradients, Adam's two moments
  const auto count = static_cast<double>(parameters);
  const double needed = count * sizeof(float) * copies / gibi;
  const double there = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                       static_cast<double>(sysconf(_SC_PAGESIZE)) / gibi;
  if (needed > there)
    throw Error(
        fmt::format("{} has {} parameters, which need {:.1f} GiB in training; this computer has "
                    "{:.1f}; choose smaller ones",
                    model, terminal::format_count(count), needed, there));
}

}  // namespace gradus::training
