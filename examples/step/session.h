#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/pointwise.h"
#include "examples/step/condition.h"
#include "examples/step/show.h"

namespace gradus::step {

/// A trace with what is said of it at first.
struct Opened {
  Trace trace;
  std::string title;
};
/// The trace in a file. Throws Error where there is none.
Opened open_file(const std::string& path);

/// What a session's `open NAME` reads, and what `open` alone lists.
struct Library {
  std::function<Opened(const std::string& name)> open = open_file;
  std::string list = said("expected the file of a trace, as in: open runs/step.trace\n");
};

/// One reader of a trace: where it is in the forward and the backward pass, its breakpoints, and
/// the commands that it understands. `help` lists them. examples/step/step.h steps through what a
/// program computes.
class Session {
 public:
  explicit Session(Trace trace, Screen screen = {}, Library library = {});

  /// What a line of input prints. An empty line repeats the last one if that moved.
  /// Throws Error with what is wrong with the line; nothing has changed then.
  std::string run(std::string_view line);
  bool has_ended() const { return has_ended_; }

  /// What may stand in place of the last word of `line`.
  std::vector<std::string> completions(std::string_view line) const;
  /// Whether the last word of `line` is the name of a file.
  bool completes_file(std::string_view line) const;

  const Trace& trace() const { return trace_; }
  /// What it was before the last 'set'; nullptr where nothing was set.
  const Trace* before() const { return before_.empty() ? nullptr : &before_.back(); }

  /// Told of the progress of a command that takes long. Where it returns false, the command ends
  /// with what it has.
  using Progress = std::function<bool(std::string_view doing, int done, int of)>;
  void on_progress(Progress progress) { progress_ = std::move(progress); }

 private:
  struct Command;
  static const std::vector<Command>& commands();
  static const Command& find(const std::string& name);

  /// A tensor of the trace that the user named: "12.g[0, :]".
  struct Named {
    int node = 0;
    bool is_value = false;  ///< the node's value, not a gradient
    bool is_sent = false;   ///< what the node sent back to an input
    TraceTensor tensor;
    std::string title, slice;
  };
  Named named(std::string_view text) const;
  /// The node of this number, this name, or as views refer to it: "tanh 5".
  std::optional<int> node_named(const std::string& text) const;
  /// The same, or the last op of this layer, or the one op, or the one parameter, of this name.
  /// Throws Error where there are several.
  std::optional<int> node_meant(const std::string& text) const;
  int node_or_here(const std::string& text) const;
  bool has_letter(int node, std::string_view text) const;
  std::vector<std::string> names() const;
  const Place& here() const;

  /// Reads another trace, from the same place if it has it.
  void turn_to(Trace trace);
  std::string show_place() const;
  /// Goes on to the next place that `stops`; says what happened if there is none.
  template <class F>
  std::string advance(F stops, const std::string& otherwise);
  std::optional<size_t> breakpoint_at(const Place& place) const;

  std::string next(const std::string& arguments);
  std::string back(const std::string& arguments);
  std::string go_on(const std::string& arguments);
  std::string until(const std::string& arguments);
  std::string go(const std::string& arguments);
  std::string breakpoint(const std::string& arguments);
  std::string remove(const std::string& arguments);
  std::string where(const std::string& arguments);
  std::string print(const std::string& arguments);
  std::string formula(const std::string& arguments);
  std::string list(const std::string& arguments);
  std::string tree(const std::string& arguments);
  std::string graph(const std::string& arguments);
  std::string attention(const std::string& arguments);
  std::string check(const std::string& arguments);
  bool check_all();
  std::string doctor(const std::string& arguments);
  std::string into(const std::string& arguments);
  std::string out(const std::string& arguments);
  std::string provenance(const std::string& arguments);
  std::string set(const std::string& arguments);
  std::string undo(const std::string& arguments);
  std::string compare(const std::string& arguments);
  std::string save(const std::string& arguments);
  std::string html(const std::string& arguments);
  std::string open(const std::string& arguments);
  std::string help(const std::string& arguments);
  std::string quit(const std::string& arguments);

  Trace trace_;
  Screen screen_;
  Library library_;
  std::vector<Trace> before_;  ///< the traces that `set` left
  std::vector<Place> places_;
  int64_t at_ = -1;  ///< in places_; −1 before the first
  std::map<int, Condition> breakpoints_;
  /// What `into` left, with the op that it opened.
  struct Outer {
    Trace trace;
    std::vector<Trace> before;
    int64_t at;
    std::map<int, Condition> breakpoints;
    int node;
  };
  std::vector<Outer> outer_;
  int last_breakpoint_ = 0;
  std::string last_move_;
  Progress progress_;
  bool has_ended_ = false;
};

}  // namespace gradus::step
