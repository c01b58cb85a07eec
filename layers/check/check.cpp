#include "layers/check/check.h"

#include <algorithm>
#include <cctype>

#include "core/ops/movement.h"
#include "core/ops/pointwise.h"
#include "layers/check/check_parts.h"

namespace gradus {

bool LayerReport::passed() const {
  return std::ranges::none_of(findings, [](auto& f) { return f.verdict == Verdict::failed; });
}

std::string LayerReport::text() const {
  const auto faults =
      std::ranges::count_if(findings, [](auto& f) { return f.verdict == Verdict::failed; });
  std::string text = layer.empty() ? "This function" : layer;
  text += faults == 0   ? " passes.\n"
          : faults == 1 ? " has one thing to mend.\n"
                        : fmt::format(" has {} things to mend.\n", faults);
  for (const Finding& finding : findings)
    text += fmt::format("  {} {}: {}\n",
                        finding.verdict == Verdict::passed   ? "✓"
                        : finding.verdict == Verdict::failed ? "✗"
                                                             : "–",
                        finding.check, finding.words);
  return text;
}

namespace detail::check {

std::vector<Tensor> copies(const std::vector<Tensor>& tensors, std::optional<DType> dtype) {
  std::vector<Tensor> result;
  for (const Tensor& x : tensors) {
    const Tensor same = cast(x.detach(), x.is_float() && dtype ? *dtype : x.dtype());
    Tensor copy = Tensor::uninitialised(x.shape(), same.dtype());
    copy.assign(same);
    if (x.requires_grad()) copy.require_grad();
    result.push_back(copy);
  }
  return result;
}

Call copy_of(const Call& call, std::optional<DType> dtype) {
  return {copies(call.state, dtype), copies(call.inputs, dtype), call.masks, call.lengths};
}

namespace {

Finding can_be_called(const Subject& subject) {
  std::vector<Tensor> outputs;
  try {
    Call call = copy_of(subject.call);
    outputs = subject.run(call, 1);
  } catch (const std::exception& error) {
    return failed("with these inputs it throws: {}", error.what());
  }
  if (outputs.empty()) return failed("it gives no tensor");
  std::string shapes;
  for (const Tensor& output : outputs)
    shapes += (shapes.empty() ? "" : ", ") + output.shape().text();
  return passed("gives {}", shapes);
}

Finding can_be_called_in_float64(const Subject& subject) {
  try {
    Call call = copy_of(subject.call, DType::float64);
    subject.run(call, 1);
  } catch (const std::exception& error) {
    return failed(
        "derivatives, batch and padding are checked in float64, in which it throws: {}. Make the "
        "tensors that the layer needs in the dtype of its input, zeros(shape, x.dtype()), and name "
        "those that it keeps in parameters(): then they are cast",
        error.what());
  }
  return passed("");
}

/// As the field writes it in errors: LayerNorm is layer_norm, LSTM is lstm.
std::string name_in_errors(const std::string& type) {
  std::string name;
  for (size_t i = 0; i < type.size(); ++i) {
    const bool begins = i > 0 && std::isupper(type[i]) && std::islower(type[i - 1]);
    name += begins ? "_" : "";
    name += static_cast<char>(std::tolower(type[i]));
  }
  return name;
}

Finding shape_errors(const Subject& subject) {
  const std::string layer = name_in_errors(subject.layer);
  auto is_named_in = [&](const std::string& message) {
    return message.find(layer) != message.npos ||
           std::ranges::any_of(subject.names, [&](const std::string& name) {
             return message.find("'" + name + "'") != message.npos;
           });
  };
  std::string refused;
  for (size_t i = 0; i < subject.call.inputs.size(); ++i) {
    const Tensor& x = subject.call.inputs[i];
    if (!x.is_float() || x.rank() < 1) continue;
    const int64_t size = x.shape().back();
    bool one_more_is_refused = false;
    for (const int64_t wrong : {size + 1, int64_t{1}}) {
      if (wrong == size) continue;
      const Shape shape = x.shape().with(x.rank() - 1, wrong);
      const std::string what =
          fmt::format("input {} of {} instead of {}", i, shape.text(), x.shape().text());
      Call call = copy_of(subject.call);
      for (size_t k = 0; k < call.state.size(); ++k)
        if (call.state[k].requires_grad()) call.state[k].set_name(subject.names[k]);
      call.inputs[i] = full(shape, 0.5, x.dtype());
      try {
        subject.run(call, 1);
        if (wrong == 1 && one_more_is_refused)
          return failed(
              "{} is taken without a word: broadcasting stretches it. Compare sizes before "
              "computing",
              what);
      } catch (const Error& error) {
        if (!is_named_in(error.what()))
          return failed(
              "{} gives \"{}\", which does not say in which layer. Check shapes first, and begin "
              "with \"{}: \"",
              what, error.what(), layer);
        one_more_is_refused = wrong > 1;
        if (refused.empty()) refused = error.what();
      } catch (const std::exception& error) {
        return failed("{} throws not an Error but \"{}\"", what, error.what());
      }
    }
  }
  if (refused.empty()) return skipped("it takes every size");
  return passed("a wrong size gives \"{}\"", refused);
}

}  // namespace

LayerReport report(const Subject& subject) {
  LayerReport result{subject.layer, {}};
  auto run = [&](const char* name, auto check, auto... options) {
    Finding finding;
    try {
      finding = check(subject, options...);
    } catch (const std::exception& error) {
      finding = failed("it throws: {}", error.what());
    }
    finding.check = name;
    result.findings.push_back(finding);
    return finding.verdict != Verdict::failed;
  };
  if (!run("call", can_be_called)) return result;
  run("parameters", parameters);
  if (run("float64", can_be_called_in_float64)) {
    result.findings.pop_back();  // worth a line only where it fails, as "fused ops" below
    if (run("first derivatives", derivatives, false)) run("second derivatives", derivatives, true);
    if (run("fused ops", composition)) result.findings.pop_back();
    run("batch", batch);
    run("padding", padding);
  }
  run("save and load", save_and_load);
  run("same bits", same_bits);
  run("shape errors", shape_errors);
  return result;
}

}  // namespace detail::check

}  // namespace gradus
