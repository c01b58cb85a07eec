#pragma once

namespace gradus::bench {

/// The peak of one core in GFLOP/s of float32: fused multiply-adds that only use registers, by the
/// instructions of the kernels in use. The highest decile of some milliseconds' runs.
double peak_gflops();

}  // namespace gradus::bench
