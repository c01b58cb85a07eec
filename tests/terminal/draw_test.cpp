#include "examples/terminal/draw.h"

#include <doctest/doctest.h>

#include <cctype>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <stdexcept>

#include "examples/terminal/axis.h"
#include "examples/terminal/display_width.h"

using namespace gradus::terminal;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

AttentionMap small_map() {
  return {{"I", "love", "you", "."},
          {"我", "爱", "你", "。"},
          {{.94, .02, .02, .02}, {.1, .7, .1, .1}, {.2, .2, .5, .1}, {0, 0, .04, .96}}};
}

AttentionMap large_map(size_t size) {
  AttentionMap map;
  for (size_t i = 0; i < size; ++i) {
    map.source.push_back(std::string(1 + i * 7 % 11, static_cast<char>('a' + i % 26)));
    map.target.push_back(i % 3 == 0 ? "字" : i % 3 == 1 ? "漢字" : "e\u0301");
    map.weights.emplace_back(size, 0.0);
    map.weights.back()[i * 3 % size] = 1;
  }
  return map;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::set<int> widths(const std::string& text) {
  std::set<int> out;
  for (const std::string& line : lines_of(text)) out.insert(display_width(line));
  return out;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// The end of the name (of an element or an attribute) that starts at `at`.
size_t name_end(const std::string& text, size_t at) {
  while (at < text.size() && (std::isalnum(text[at]) || text[at] == '-')) ++at;
  return at;
}

/// What keeps `svg` from being well-formed, by tags, quotes, entities and characters; empty if
/// nothing does.
std::string xml_fault(const std::string& svg) {
  std::vector<std::string> open;
  for (size_t at = 0; at < svg.size();) {
    const unsigned char c = svg[at];
    if (c == '&') {
      const std::string entity = svg.substr(at, svg.find(';', at) - at);
      if (!std::set<std::string>{"&amp", "&lt", "&gt", "&quot", "&#39"}.contains(entity)) {
        return "entity " + entity;
      }
    }
    if (c == '>' || (c < ' ' && c != '\n')) return "character " + std::to_string(c);
    if (c != '<') {
      ++at;
      continue;
    }
    const bool ends = svg[at + 1] == '/';
    const size_t start = at + (ends ? 2 : 1);
    at = name_end(svg, start);
    const std::string name = svg.substr(start, at - start);
    while (svg[at] == ' ') {
      at = name_end(svg, at + 1);
      const char quote = svg[at + 1];
      if (svg[at] != '=' || (quote != '"' && quote != '\'')) return "attribute in " + name;
      const size_t end = svg.find(quote, at + 2);
      if (end > svg.find('<', at)) return "quotes in " + name;
      at = end + 1;
    }
    const bool empty = svg[at] == '/';
    if (empty) ++at;
    if (name.empty() || svg[at] != '>') return "tag " + name;
    ++at;
    if (ends && (open.empty() || open.back() != name)) return "unexpected end of " + name;
    if (ends) open.pop_back();
    if (!ends && !empty) open.push_back(name);
  }
  return open.empty() ? "" : "no end of " + open.back();
}

}  // namespace

TEST_CASE("the check of XML in these tests finds faults") {
  CHECK(xml_fault("<a b=\"1\" c-d='2'><e/>&lt;</a>\n") == "");
  for (auto bad : {"<a>", "</a>", "<a></b>", "<a b=1/>", "<a b=\"1/>", "<a b=\"<\"/>", "<a/>>",
                   "< a/>", "<a>&</a>", "<a>&nbsp;</a>", "<a>\x1b</a>"}) {
    CHECK_MESSAGE(xml_fault(bad) != "", bad);
  }
}

TEST_CASE("display width counts columns, not bytes and not characters") {
  CHECK(display_width("") == 0);
  CHECK(display_width("love") == 4);
  CHECK(display_width("我爱你。") == 8);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("░▒▓█│●") == 6);
  CHECK(display_width("\xFFok") == 3);
}

TEST_CASE("text is cut to columns without splitting a wide character") {
  CHECK(fit("abc", 3) == "abc");
  CHECK(fit("abcd", 3) == "ab…");
  CHECK(fit("我爱你", 6) == "我爱你");
  CHECK(fit("我爱你", 5) == "我爱…");
  CHECK(fit("我爱你", 4) == "我…");
  CHECK(fit("abc", 0) == "");
}

TEST_CASE("control characters and broken UTF-8 cannot reach the terminal") {
  CHECK(printable("a\x1b[31m\r\n\t") == "a\uFFFD[31m\uFFFD\uFFFD\uFFFD");
  CHECK(printable("\xE6\x88") == "\uFFFD\uFFFD");
  CHECK(printable("\u0085\u2028\uFFFF") == "\uFFFD\uFFFD\uFFFD");
  CHECK(printable("café 我") == "café 我");
}

TEST_CASE("a small attention map is drawn exactly so") {
  CHECK(attention_text(small_map()) ==
        "       love     \n"
        "       │  you   \n"
        "    I  │  │  .  \n"
        "我  ██          \n"
        "爱     ▓▓       \n"
        "你  ░░ ░░ ▒▒    \n"
        "。           ██ \n"
        "                \n"
        "    0 ░░▒▒▓▓██ 1\n");
}

TEST_CASE("all lines of an attention map have one display width") {
  for (size_t size : {1, 2, 3, 20, 60}) CHECK(widths(attention_text(large_map(size))).size() == 1);
  const AttentionMap odd{{"\x1b[2J", std::string(10000, 'x'), ""}, {"\xFF"}, {{1, 0, 0}}};
  CHECK(widths(attention_text(odd)).size() == 1);
  CHECK(attention_text(odd).find('\x1b') == std::string::npos);
}

TEST_CASE("each source word is joined to its own column") {
  const AttentionMap map = large_map(20);
  const auto lines = lines_of(attention_text(map));
  const size_t headers = lines.size() - map.target.size() - 2;
  const int left = 4 + 2;  // the widest target token and the gap
  for (size_t i = 0; i < map.source.size(); ++i) {
    bool found = false;
    for (size_t row = 0; row < headers; ++row) {
      const std::string& line = lines[row];
      const size_t at = line.find(map.source[i]);
      if (at == line.npos || display_width(line.substr(0, at)) != left + int(i) * 3) continue;
      found = true;
      for (size_t below = row + 1; below < headers; ++below) {
        size_t byte = 0;
        while (display_width(lines[below].substr(0, byte)) < left + int(i) * 3) ++byte;
        while ((lines[below][byte] & 0xC0) == 0x80) ++byte;
        CHECK(lines[below].substr(byte, 3) == "│");
      }
    }
    CHECK_MESSAGE(found, map.source[i]);
  }
}

TEST_CASE("weights that are not probabilities are still drawn") {
  const AttentionMap map{{"a", "b", "c"}, {"x"}, {{not_a_number, 2, -1}}};
  CHECK(lines_of(attention_text(map))[1] == "x  ?? ██       ");
  CHECK(xml_fault(attention_svg(map)) == "");
}

TEST_CASE("an attention map without tokens says so") {
  CHECK(attention_text({}) == "(no tokens, no attention)\n");
  CHECK(xml_fault(attention_svg({})) == "");
  CHECK(xml_fault(attention_svg({{}, {"x"}, {{}}})) == "");
}

TEST_CASE("an attention map of the wrong shape is refused with both sizes") {
  AttentionMap map = small_map();
  map.weights[2].pop_back();
  CHECK_THROWS_WITH_AS(
      attention_text(map),
      "attention map: row 2 has 3 weights for 4 source tokens; give one weight each",
      std::invalid_argument);
  map.weights.pop_back();
  CHECK_THROWS_WITH_AS(attention_svg(map),
                       "attention map: 3 rows of weights for 4 target tokens; give one row each",
                       std::invalid_argument);
}

TEST_CASE("an attention SVG is well-formed, escaped, and has a cell with its number per pair") {
  CHECK(xml_fault(attention_svg(small_map())) == "");
  CHECK(xml_fault(attention_svg(large_map(20))) == "");
  const std::string svg = attention_svg(small_map());
  CHECK(count(svg, "<title>") == 1 + 16);
  CHECK(count(svg, "<title>love → 爱: 0.700</title>") == 1);
  CHECK(count(svg, "爱: mostly love (0.70).") == 1);
  CHECK(count(svg, "prefers-color-scheme: dark") > 0);

  const std::string odd = attention_svg({{"<b>&\"'"}, {"\x1b\xFF"}, {{1}}});
  CHECK(xml_fault(odd) == "");
  CHECK(count(odd, "&lt;b&gt;&amp;&quot;&#39;") >= 3);
  CHECK(count(odd, "\uFFFD\uFFFD") >= 3);
}

TEST_CASE("the SVGs refer to nothing outside") {
  for (std::string svg : {attention_svg(small_map()), curve_svg("t", "x", "y", {{"c", {1, 2}}})}) {
    CHECK(count(svg, "http") == 1);  // the namespace
    CHECK(count(svg, "href") + count(svg, "url(") + count(svg, "@import") == 0);
  }
}

TEST_CASE("ticks are round numbers that enclose the values") {
  const Axis axis = value_axis({{"a", {0.13, 3.6}}, {"b", {not_a_number, 1}}}, 6);
  std::string labels;
  for (const Tick& tick : axis.ticks) labels += tick.label + " ";
  CHECK(labels == "0 1 2 3 4 ");
  CHECK(axis.position(1) == doctest::Approx(0.25));

  labels.clear();
  for (const Tick& tick : value_axis({{"a", {-0.2, 0.31}}}, 6).ticks) labels += tick.label + " ";
  CHECK(labels == "-0.2 0.0 0.2 0.4 ");

  labels.clear();
  for (const Tick& tick : epoch_axis({{"a", std::vector<double>(20)}}, 5).ticks) {
    labels += tick.label + " ";
  }
  CHECK(labels == "1 5 10 15 20 ");
}

TEST_CASE("a curve is drawn exactly so") {
  CHECK(
      curve_text("Loss", {{"training", {4, 2, 1, 0}}, {"验证", {5, 4, not_a_number, 3}}}, 34, 5) ==
      "Loss\n"
      "5 ┤○⠑⠒⠒⠤⠤⢄⣀⣀\n"
      "  │●⠒⠢⠤⣀    ⠉○\n"
      "  │     ⠉⠑⠒⠤⢄●⡀                  ○\n"
      "  │           ⠈⠉⠉⠒⠒⠒⠤⠤⢄●⣀\n"
      "0 ┤                      ⠉⠉⠑⠒⠒⠤⠤⢄●\n"
      "  └┬─────────┬─────────┬─────────┬\n"
      "   1         2         3         4\n"
      "                epoch\n"
      "   ● training 0   ○ 验证 3\n");
}

TEST_CASE("a curve keeps to its width whatever the values") {
  const std::vector<std::vector<Curve>> cases{
      {},
      {{"empty", {}}},
      {{"nothing finite", {not_a_number, infinity, -infinity}}},
      {{"one", {2.5}}},
      {{"all equal", {3, 3, 3}}},
      {{"zero", {0, 0}}},
      {{"almost equal", {1, std::nextafter(1.0, 2.0)}}},
      {{"subnormal", {0, 5e-324}}},
      {{"huge", {1.7e308, -1.7e308, 9e99, -9e99}}},
      {{"tiny steps", {1e9, 1e9 + 2, 1e9 + 1}}},
      {{std::string(500, 'n'), std::vector<double>(5000, 1.5)}, {"我们", {1, 2}}},
  };
  for (const auto& curves : cases) {
    for (auto [width, height] : {std::pair{-5, -5}, {32, 4}, {72, 16}, {200, 50}}) {
      const std::string text =
          curve_text("A title that may be too long for it", curves, width, height);
      CHECK(*widths(text).rbegin() <= std::max(width, 32));
    }
    CHECK(xml_fault(curve_svg("t", "x", "y", curves)) == "");
  }
}

TEST_CASE("a curve without values says so") {
  CHECK(curve_text("Loss", {}) == "Loss\n(no values to draw)\n");
  CHECK(count(curve_svg("Loss", "epoch", "nats", {{"a", {not_a_number}}}), "no values to draw") ==
        1);
}

TEST_CASE("a value that is not finite leaves a gap, and a lone value is still marked") {
  using Runs = std::vector<std::pair<size_t, size_t>>;
  const std::vector<double> values{1, 2, not_a_number, 3, infinity, 4, 5, 6};
  CHECK(drawable_runs(values) == Runs{{0, 2}, {3, 4}, {5, 8}});
  CHECK(marked_points(values, 100) == std::vector<size_t>{0, 1, 3, 5, 7});
  const std::string svg = curve_svg("t", "epoch", "loss", {{"c", values}});
  CHECK(count(svg, "class=\"line stroke0\"") == 1 + 3);  // in the legend, and one per run
  CHECK(count(svg, "<title>c, epoch 4: 3</title>") == 1);
}

TEST_CASE("a curve SVG escapes all its labels") {
  const std::string svg = curve_svg("<&>", "'x'", "\"y\"", {{"a<b", {1, 2}}});
  CHECK(xml_fault(svg) == "");
  CHECK(count(svg, "&lt;&amp;&gt;") == 2);
  CHECK(count(svg, "a&lt;b") >= 3);
}

namespace {

PictureMap small_picture() {
  const std::array<uint8_t, 3> white{255, 255, 255}, red{250, 10, 0}, gray{128, 128, 128};
  return {4,
          {white, white, white, white, white, red, red, white, white, gray, red, white},
          {"one", "two"},
          {{1, .5}, {.01, .2}},
          2,
          1,
          1};
}

}  // namespace

TEST_CASE("a picture and its looks are drawn exactly so") {
  PictureMap map = small_picture();
  map.weights = {{1, .5}, {.02, .2}};
  CHECK(picture_text(map) ==
        "┌────────┐\n"
        "│        │\n"
        "│  🟥🟥  │\n"
        "│  ▒▒🟥  │\n"
        "└────────┘\n"
        "one  two  \n"
        "██▒▒  ·██ \n");
}

TEST_CASE("a wide picture is drawn in at most 25 squares beside each other") {
  const PictureMap map{75, std::vector<std::array<uint8_t, 3>>(75 * 75, {0, 0, 0}), {}, {}, 1, 1,
                       0};
  const std::vector<std::string> lines = lines_of(picture_text(map));
  CHECK(lines.size() == 27);
  for (const std::string& line : lines) CHECK(display_width(line) == 52);
}

TEST_CASE("the SVG of a picture is well-formed, escaped, and shows each look") {
  const std::string svg = picture_svg(small_picture(), "<who> & why?");
  CHECK_MESSAGE(xml_fault(svg) == "", svg);
  CHECK(svg.find("&lt;who&gt; &amp; why?") != std::string::npos);
  CHECK(svg.find("two") != std::string::npos);
  CHECK(svg.find("#fa0a00") != std::string::npos);
}

TEST_CASE("a picture map that does not fit is refused with its sizes") {
  PictureMap map = small_picture();
  map.pixels.pop_back();
  CHECK_THROWS_WITH(picture_text(map), "picture map: 11 pixels do not make rows of 4");
  map = small_picture();
  map.looks.pop_back();
  CHECK_THROWS_WITH(looks_text(map), "picture map: 1 names for 2 looks; give one each");
  map = small_picture();
  map.weights[0] = {1, 1, 1};
  CHECK_THROWS_WITH(picture_svg(map, ""),
                    "picture map: 3 weights in rows of 2 cells do not fit 4 × 3 pixels");
}
