#include "core/functions/losses.h"

#include <fmt/format.h>

#include "core/ops/pointwise.h"
#include "core/ops/reduce.h"
#include "core/tensor/error.h"

namespace gradus {

namespace {

const Pointwise squared_error{"mse_loss", [](Expr x, Expr t) { return (x - t) * (x - t); }};
const Pointwise absolute_error{"l1_loss", [](Expr x, Expr t) { return abs(x - t); }};
const Pointwise huber{"huber_loss", [](Expr x, Expr t, Expr delta) {
                        const Expr error = abs(x - t), inner = minimum(error, delta);
                        return inner * (error - 0.5 * inner);
                      }};
const Pointwise binary_cross_entropy{"binary_cross_entropy_with_logits", [](Expr x, Expr t) {
                                       return t * softplus(-x) + (1 - t) * softplus(x);
                                     }};
const Pointwise weighted_binary_cross_entropy{
    "binary_cross_entropy_with_logits",
    [](Expr x, Expr t, Expr w) { return w * t * softplus(-x) + (1 - t) * softplus(x); }};
// Where a target is 0 nothing counts, also a log-probability of −∞.
const Pointwise divergence{"kl_div", [](Expr x, Expr t) {
                             const Expr counts = where(equal(t, 0), 0, 1);
                             const Expr log_t = log(where(counts, t, 1));
                             return where(counts, t, 0) * (log_t - where(counts, x, 0));
                           }};
const Pointwise divergence_of_logs{"kl_div", [](Expr x, Expr t) {
                                     const Expr counts = 1 - equal(exp(t), 0);  // NaN counts
                                     const Expr log_t = where(counts, t, 0);
                                     return where(counts, exp(log_t), 0) *
                                            (log_t - where(counts, x, 0));
                                   }};

void check_shapes(const char* op, const Tensor& x, const Tensor& targets) {
  if (x.shape() != targets.shape())
    throw Error(fmt::format("{}: expected targets of shape {}, got {}", op, x.shape().text(),
                            targets.description()));
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::sum ? sum(losses) : mean(losses);
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& targets, Reduction reduction) {
  check_shapes("mse_loss", x, targets);
  return reduced(squared_error(x, targets), reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& targets, Reduction reduction) {
  check_shapes("l1_loss", x, targets);
  return reduced(absolute_error(x, targets), reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& targets, double delta, Reduction reduction) {
  check_shapes("huber_loss", x, targets);
  if (!(delta > 0)) throw Error(fmt::format("huber_loss: expected delta > 0, got {}", delta));
  return reduced(huber(x, targets, full({}, delta, x.dtype())), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        const BinaryCrossEntropyOptions& options) {
  const char* name = "binary_cross_entropy_with_logits";
  check_shapes(name, logits, targets);
  const Tensor& w = options.pos_weight;
  if (w.defined() && broadcast(name, w.shape(), logits.shape()) != logits.shape())
    throw Error(fmt::format("{}: expected a pos_weight that broadcasts to {}, got {}", name,
                            logits.description(), w.description()));
  return reduced(w.defined() ? weighted_binary_cross_entropy(logits, targets, w)
                             : binary_cross_entropy(logits, targets),
                 options.reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& targets, const KlDivOptions& options) {
  check_shapes("kl_div", x, targets);
  return reduced(options.log_target ? divergence_of_logs(x, targets) : divergence(x, targets),
                 options.reduction);
}

}  // namespace gradus
