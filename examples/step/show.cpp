#include "examples/step/show.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "core/tensor/error.h"
#include "core/tensor/tensor.h"
#include "examples/terminal/display_width.h"

namespace gradus::step {

using terminal::align_left;
using terminal::align_right;
using terminal::display_width;
using terminal::fit;

std::string Screen::in_style(const char* style, std::string_view text) const {
  if (!has_colour || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", style, text);
}

std::string number_text(double value, int digits) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "∞" : "-∞";
  return fmt::format("{:.{}g}", value + 0.0, digits);  // + 0.0: no negative zero
}

std::string counted(int64_t count, std::string_view thing) {
  const std::string english = fmt::format("{{}} {}", thing);
  const std::string_view words = phrase(english);
  const bool is_plural = words == english && count != 1;
  return fmt::format(fmt::runtime(words), count) + (is_plural ? "s" : "");
}

namespace {

/// What a line does not begin with.
constexpr std::string_view closing = "，。；：、）”！？";

/// The end of what stands together on a line from `begin` on: a word, or one Chinese character,
/// with the marks that close it.
size_t end_of_unit(std::string_view text, size_t begin) {
  const auto character = [&](size_t at) {
    size_t end = at + 1;
    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
    return text.substr(at, end - at);
  };
  std::string_view last = character(begin);
  for (size_t at = begin + last.size(); at < text.size();) {
    const std::string_view next = character(at);
    if (next == " ") return at;
    const bool may_break = last != "（" && last != "“" && closing.find(next) == closing.npos &&
                           (display_width(last) == 2 || display_width(next) == 2 || next == "“");
    if (may_break) return at;
    last = next;
    at += next.size();
  }
  return text.size();
}

}  // namespace

std::string wrapped(std::string_view text, int width, int indent) {
  std::string result, line;
  for (size_t begin = 0; begin < text.size();) {
    const bool has_space = text[begin] == ' ';
    begin = text.find_first_not_of(' ', begin);
    if (begin == text.npos) break;
    const size_t end = end_of_unit(text, begin);
    const std::string_view unit = text.substr(begin, end - begin);
    if (!line.empty() && indent + display_width(line) + has_space + display_width(unit) > width) {
      result += indented(line, indent);
      line.clear();
    }
    if (has_space && !line.empty()) line += " ";
    line += unit;
    begin = end;
  }
  return result + indented(line, indent);
}

std::string indented(std::string_view lines, int indent) {
  std::string result;
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find('\n', begin), lines.size());
    result += fmt::format("{:{}}{}\n", "", indent, lines.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

namespace {

std::string nested(const std::vector<double>& values, const Shape& shape, int axis, size_t& at) {
  if (axis == shape.rank()) return number_text(values[at++]);
  std::string text = "[";
  for (int64_t i = 0; i < shape[axis]; ++i)
    text += (i > 0 ? ", " : "") + nested(values, shape, axis + 1, at);
  return text + "]";
}

}  // namespace

std::string brief(const TraceTensor& x) {
  if (!x.defined()) return said("none");
  const std::string shape = x.shape().rank() > 0 ? x.shape().text() + " " : "";
  if (x.is_whole() && x.shape().numel() == 1) return shape + number_text(x.values().item());
  if (x.is_whole() && x.shape().numel() <= 8) {
    size_t at = 0;
    return shape + nested(x.values().to_vector<double>(), x.shape(), 0, at);
  }
  const Summary& s = x.summary();
  std::string text = shape;
  if (s.nans > 0) text += fmt::format("{} NaN", s.nans);
  if (s.infinities > 0) text += fmt::format("{}{} ±∞", s.nans > 0 ? ", " : "", s.infinities);
  if (s.nans + s.infinities == s.count) return text;
  return text + said("{}mean {}, norm {}, from {} to {}",
                     s.is_finite() ? "" : said("; the others: "), number_text(s.mean),
                     number_text(s.norm), number_text(s.min), number_text(s.max));
}

namespace {

/// The first and the last of `count` things, −1 for the gap between them.
std::vector<int64_t> shown(int64_t count, int64_t most) {
  std::vector<int64_t> result;
  for (int64_t i = 0; i < count; ++i)
    if (count <= most || i < (most + 1) / 2 || i >= count - most / 2)
      result.push_back(i);
    else if (result.back() != -1)
      result.push_back(-1);
  return result;
}

std::string name_at(const std::vector<std::string>& names, int64_t i) {
  return i >= 0 && i < static_cast<int64_t>(names.size()) ? names[static_cast<size_t>(i)] : "";
}

/// How to write all numbers of a table: whole, with the same number of decimals, or, where they
/// differ much in size, each with four significant digits.
std::string format_of(const std::vector<double>& values) {
  double largest = 0, smallest = HUGE_VAL;
  bool are_whole = true;
  for (double value : values) {
    if (!std::isfinite(value) || value == 0) continue;
    largest = std::max(largest, std::abs(value));
    smallest = std::min(smallest, std::abs(value));
    are_whole = are_whole && value == std::round(value);
  }
  if (largest >= 1e5 || (!are_whole && smallest < 1e-3)) return "";
  if (are_whole) return "{:.0f}";
  const int digits = std::max(1, static_cast<int>(std::floor(std::log10(largest))) + 1);
  const int most = std::max(1, 5 - digits);
  int decimals = 0;
  for (double value : values) {
    const std::string text = fmt::format("{:.{}f}", value, most);
    const auto zeros = static_cast<int>(text.size() - 1 - text.find_last_not_of('0'));
    if (std::isfinite(value)) decimals = std::max(decimals, most - zeros);
  }
  return fmt::format("{{:.{}f}}", decimals);
}

std::string matrix(const Tensor& x, int width, int64_t rows,
                   const std::vector<std::string>& row_names,
                   const std::vector<std::string>& column_names) {
  const std::vector<double> values = x.to_vector<double>();
  const std::string format = format_of(values);
  auto cell = [&](double value) {
    return format.empty() || !std::isfinite(value) ? number_text(value)
                                                   : fmt::format(fmt::runtime(format), value + 0.0);
  };
  const int64_t columns = x.shape()[1];
  const std::vector<int64_t> row_list = shown(x.shape()[0], rows);
  int label = 0;
  for (int64_t r : row_list) label = std::max(label, display_width(fit(name_at(row_names, r), 16)));
  if (label > 0) label += 2;

  // As many columns as fit, each as wide as its widest cell.
  std::vector<std::string> lines;
  for (int64_t most = columns; most > 0; most = most * 3 / 4) {
    const std::vector<int64_t> column_list = shown(columns, most);
    lines.assign(row_list.size() + 1, std::string());
    for (size_t k = 0; k < row_list.size(); ++k)
      lines[k + 1] = align_left(fit(name_at(row_names, row_list[k]), 16), label);
    lines[0] = align_left("", label);
    bool is_first = true;
    for (int64_t c : column_list) {
      std::vector<std::string> cells{fit(name_at(column_names, c), 12)};
      for (int64_t r : row_list)
        cells.push_back(r < 0 || c < 0 ? "…" : cell(values[static_cast<size_t>(r * columns + c)]));
      int cell_width = 0;
      for (const std::string& cell : cells) cell_width = std::max(cell_width, display_width(cell));
      for (size_t k = 0; k < cells.size(); ++k)
        lines[k] += (is_first ? "" : "  ") + align_right(cells[k], cell_width);
      is_first = false;
    }
    if (display_width(lines[1]) <= width) break;
  }
  if (column_names.empty()) lines.erase(lines.begin());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

std::string table(const Tensor& x, int width, int64_t rows,
                  const std::vector<std::string>& row_names,
                  const std::vector<std::string>& column_names) {
  if (x.numel() == 0) return said("{} holds no elements\n", x.shape().text());
  if (x.rank() == 0) return number_text(x.item()) + "\n";
  if (x.rank() == 1) return matrix(unsqueeze(x, 0), width, rows, {}, column_names);
  if (x.rank() == 2) return matrix(x, width, rows, row_names, column_names);
  std::string text;
  for (int64_t i : shown(x.shape()[0], 4)) {
    if (i < 0) {
      text += "…\n";
      continue;
    }
    if (x.shape()[0] > 1) text += fmt::format("[{}]\n", i);
    text += table(x[i], width, rows, row_names, column_names);
  }
  return text;
}

// --- slices -------------------------------------------------------------------------------------

namespace {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::vector<std::string_view> parts(std::string_view text, char separator) {
  std::vector<std::string_view> result;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    result.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return result;
}

std::string counted_axes(int64_t count) {
  return count == 1 ? said("1 axis") : said("{} axes", count);
}

/// What stands between the brackets, part by part.
std::vector<std::string_view> axes_of(std::string_view text, const Shape& shape) {
  const std::string_view all = trimmed(text);
  if (all.size() < 2 || all.front() != '[' || all.back() != ']')
    throw Error(said("'{}' is not a slice; [0], [0, 2:5] and [:, -1] are", text));
  const auto list = parts(all.substr(1, all.size() - 2), ',');
  if (static_cast<int>(list.size()) > shape.rank())
    throw Error(said("{} names {}, the tensor {} has {}", all,
                     counted_axes(static_cast<int64_t>(list.size())), shape.text(),
                     shape.rank() == 0 ? said("none") : counted_axes(shape.rank())));
  return list;
}

int64_t integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    throw Error(said("'{}' is not a whole number", text));
  return value;
}

int64_t index_in(std::string_view text, int axis, int64_t size) {
  const int64_t index = integer(text);
  if (index < -size || index >= size)
    throw Error(said("there is no index {} on axis {}, it has {}", index, axis, size));
  return index < 0 ? index + size : index;
}

}  // namespace

Tensor sliced(const Tensor& x, std::string_view text) {
  if (trimmed(text).empty()) return x;
  Tensor y = x;
  int axis = 0, named = 0;
  for (std::string_view part : axes_of(text, x.shape())) {
    const int64_t size = x.shape()[named];
    const auto bounds = parts(part, ':');
    if (bounds.size() == 1) {
      const int64_t at = index_in(part, named, size);
      y = squeeze(slice(y, axis, at, at + 1), axis);
    } else {
      auto bound = [&](size_t i, int64_t otherwise) {
        if (i >= bounds.size() || bounds[i].empty()) return otherwise;
        const int64_t value = integer(bounds[i]);
        return std::clamp<int64_t>(value < 0 ? value + size : value, 0, size);
      };
      const int64_t step = bounds.size() > 2 && !bounds[2].empty() ? integer(bounds[2]) : 1;
      if (step < 1 || bounds.size() > 3)
        throw Error(said("'{}' is not begin:end:step with a step of at least 1", part));
      const int64_t begin = bound(0, 0);
      y = slice(y, axis++, begin, std::max(begin, bound(1, size)), step);
    }
    ++named;
  }
  return y;
}

int64_t element_at(const Shape& shape, std::string_view text) {
  if (trimmed(text).empty() && shape.numel() == 1) return 0;
  const auto list = trimmed(text).empty() ? std::vector<std::string_view>() : axes_of(text, shape);
  if (static_cast<int>(list.size()) != shape.rank())
    throw Error(said("name one element, with an index for each axis of {}", shape.text()));
  int64_t element = 0;
  for (int axis = 0; axis < shape.rank(); ++axis)
    element = element * shape[axis] + index_in(list[static_cast<size_t>(axis)], axis, shape[axis]);
  return element;
}

std::string indices_text(const Shape& shape, int64_t element) {
  const Shape index = index_of(shape, element);
  return index.rank() == 0 ? "" : fmt::format("[{}]", fmt::join(index.begin(), index.end(), ", "));
}

}  // namespace gradus::step
