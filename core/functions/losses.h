#pragma once

#include "core/functions/reduction.h"
#include "core/tensor/tensor.h"

/// Losses of predictions x against targets t of the same shape and dtype, elementwise and then
/// reduced; the defaults are PyTorch's. Gradients flow to both. The mean of no element is NaN.
/// All throw Error where the shapes differ. For classes see cross_entropy.h.
namespace gradus {

/// (x − t)²
Tensor mse_loss(const Tensor& x, const Tensor& targets, Reduction reduction = Reduction::mean);

/// |x − t|, with derivative 0 where x = t
Tensor l1_loss(const Tensor& x, const Tensor& targets, Reduction reduction = Reduction::mean);

/// ½ (x − t)² where |x − t| ≤ δ, δ · (|x − t| − ½ δ) elsewhere (Huber 1964).
/// Throws Error unless δ > 0.
Tensor huber_loss(const Tensor& x, const Tensor& targets, double delta = 1,
                  Reduction reduction = Reduction::mean);

struct BinaryCrossEntropyOptions {
  Tensor pos_weight = {};  ///< w: positive targets count w times; broadcasts to x, 1 if undefined
  Reduction reduction = Reduction::mean;
};
/// −w · t · log sigmoid(x) − (1 − t) · log(1 − sigmoid(x)) for targets in [0, 1], in nats. Computed
/// as w · t · softplus(−x) + (1 − t) · softplus(x): without overflow, and exact near 0.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        const BinaryCrossEntropyOptions& options = {});

struct KlDivOptions {
  bool log_target = false;  ///< targets are log-probabilities, too
  Reduction reduction = Reduction::mean;
};
/// The terms t · (log t − x) of the Kullback-Leibler divergence KL(t ‖ eˣ), in nats: 0 where t is
/// 0. x are log-probabilities, targets probabilities. The mean is over all elements, as in PyTorch:
/// the divergence of a batch is the sum divided by its rows.
Tensor kl_div(const Tensor& x, const Tensor& targets, const KlDivOptions& options = {});

}  // namespace gradus
