#pragma once

namespace gradus {

/// While it lives, this thread takes numbers below 2⁻¹²⁶ (2⁻¹⁰²² in float64) as zero: a processor
/// needs a hundred times as long for them, and saturated attention makes many in its gradients, as
/// do moments that fade away.
class FlushSubnormals {
#ifdef __x86_64__
 public:
  FlushSubnormals() { __builtin_ia32_ldmxcsr(before_ | 0x8040); }  // both ways: FTZ and DAZ
  ~FlushSubnormals() { __builtin_ia32_ldmxcsr(before_); }

 private:
  const unsigned before_ = __builtin_ia32_stmxcsr();
#endif
};

}  // namespace gradus
