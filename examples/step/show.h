#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/trace/trace.h"
#include "examples/step/language.h"

/// How numbers and tensors look on a terminal.
namespace gradus::step {

/// How wide the terminal is, and whether it shows colours.
struct Screen {
  int width = 80;
  bool has_colour = false;

  std::string bold(std::string_view text) const { return in_style("1", text); }
  std::string faint(std::string_view text) const { return in_style("2", text); }
  std::string good(std::string_view text) const { return in_style("32", text); }
  std::string bad(std::string_view text) const { return in_style("31", text); }

 private:
  std::string in_style(const char* style, std::string_view text) const;
};

/// Four significant digits: "0.3333", "-1.5e-07", "2", "NaN", "-∞".
std::string number_text(double value, int digits = 4);

/// On one line: all elements of at most eight, "(3) [1, 2, 3]", else what they are like,
/// "(64, 256) mean 0.01, norm 3.2, from -1.2 to 1.3", "(64, 256) 3 NaN; the others: mean 0.01 …".
std::string brief(const TraceTensor& x);

/// Rows on lines, columns aligned, all with as many decimals where that is readable; beyond `rows`
/// rows and what `width` columns hold, "…" stands for what is left out. Names of rows and columns
/// may be empty.
std::string table(const Tensor& x, int width, int64_t rows,
                  const std::vector<std::string>& row_names = {},
                  const std::vector<std::string>& column_names = {});

/// The part of `x` that "[2, 0:3, :, -1]" names: an index takes its axis away, begin:end:step
/// keeps it, axes that are not named are whole. Empty text is all of it.
/// Throws Error for what is not such a text, too many axes, or an index outside of its axis.
Tensor sliced(const Tensor& x, std::string_view text);

/// The indices of one element, "[2, 0]", as its place in row-major order.
/// Throws Error unless there is an index per axis.
int64_t element_at(const Shape& shape, std::string_view text);
/// The other way round.
std::string indices_text(const Shape& shape, int64_t element);

/// "3 ops", "1 op"; in Chinese as "{} op" says it.
std::string counted(int64_t count, std::string_view thing);

/// Words in lines of at most `width` columns, each after `indent` spaces. Between Chinese
/// characters a line may end too.
std::string wrapped(std::string_view text, int width, int indent);

/// `lines` with `indent` spaces before each.
std::string indented(std::string_view lines, int indent);

}  // namespace gradus::step
