#pragma once

#include <string>
#include <string_view>

#include "core/trace/trace.h"

namespace gradus::step {

/// What a page tells beside the trace, in Markdown; empty where there is nothing to tell.
struct PageText {
  std::string_view english, chinese;
  std::string_view language = {};  ///< in which it opens, en or zh; empty: the browser's
};

/// Writes one HTML file that shows the trace and lets one step through it in a browser, offline.
/// Of a recorded trace, not one from a file, it opens the first fused op of each kind in each layer
/// into the ops that define it, see Trace::opened().
/// With another trace, it also shows how that one differs, first difference first.
/// Tensors of more than 6144 elements are drawn coarsely: the largest of each block; the weights of
/// an attention as they are, up to 2²² of them.
/// Throws Error when the file cannot be written.
void write_page(const Trace& trace, const std::string& path, const Trace* other = nullptr,
                PageText text = {});

/// What such a page shows, as JSON in which no '<' stands: the text of its element `trace`, or what
/// its function load() takes.
std::string page_data(const Trace& trace, const Trace* other, const std::string& title,
                      bool is_quick = false);

/// Throws Error where another file stands than a page: nobody's file is lost.
void check_place_of_page(const std::string& path);

}  // namespace gradus::step
