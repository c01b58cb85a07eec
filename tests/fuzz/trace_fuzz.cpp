#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <string>

#include "core/tensor/error.h"
#include "core/trace/compare.h"
#include "core/trace/provenance.h"

using namespace gradus;

namespace {

/// Looks at everything that a reader may look at.
void read_all(const Trace& trace) {
  for (int n = 0; n < trace.size(); ++n) {
    const TraceNode& node = trace.node(n);
    trace.description(n);
    trace.users(n);
    std::vector<TraceTensor> tensors = trace.sent(n);
    tensors.insert(tensors.end(), {node.value, node.gradient});
    for (const TraceTensor& x : tensors)
      if (x.defined()) x.summary();
    try {
      provenance(trace, n, 0);
    } catch (const Error&) {
    }
  }
  compare(trace, trace);
}

/// A file with two tensors; the first line of the text is its nodes, then come what it says of
/// tensors, and the lines of source.
std::string file_with_nodes(const std::string& text_of_nodes) {
  using nlohmann::json;
  std::istringstream stream(text_of_nodes);
  std::string nodes, tensors, lines;
  std::getline(stream, nodes), std::getline(stream, tensors), std::getline(stream, lines);
  const json header{{"__metadata__",
                     {{"format", "gradus trace"},
                      {"version", "3"},
                      {"nodes", nodes},
                      {"tensors", tensors},
                      {"lines", lines}}},
                    {"0", {{"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {0, 8}}}},
                    {"1", {{"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {8, 16}}}}};
  const std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text +
         std::string(16, '@');
}

}  // namespace

/// Any bytes are either a trace that can be read throughout, or refused with an Error; so is any
/// text as the nodes of a file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(data, data + size);
  if (bytes.starts_with('[')) bytes = file_with_nodes(bytes);
  try {
    read_all(Trace::parse(std::as_bytes(std::span(bytes)), "fuzz"));
  } catch (const Error&) {
  }
  return 0;
}
