#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_THREAD__
/// A forked child may start threads.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif
