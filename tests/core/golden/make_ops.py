"""Writes ops.json: what PyTorch computes in float32, forward and backward, for each op.

A case holds inputs, the output, the gradient that flows into it and the inputs' gradients; the
attributes (axes and so on) stand in its name and in golden_test.cpp. Gradients that PyTorch rebuilds
from a rounded output are exact ones, rounded: logsumexp's of float64, and of expm1 that is eˣ. That of
abs at NaN is NaN.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_num_threads(1)
cases = []


def numbers(x):
    """Shortest decimals that round-trip; JSON has no NaN and no infinity, so they are strings."""
    def one(v):
        return float(repr(v)) if math.isfinite(v) else repr(v)

    flat = [v.item() for v in x.reshape(-1)]
    if x.dtype == torch.float32:
        import numpy
        flat = [float(str(numpy.float32(v))) for v in flat]
    return {"shape": list(x.shape), "values": [one(v) for v in flat]}


def case(name, function, *inputs):
    inputs = [x.clone().requires_grad_() for x in inputs]
    output = function(*inputs)
    seed = torch.rand_like(output) + 0.5
    gradients = torch.autograd.grad(output, inputs, seed, allow_unused=True)
    if name.startswith("expm1"):
        gradients = [(seed.double() * inputs[0].detach().double().exp()).float()]
    if name.startswith("logsumexp"):
        wide = [x.detach().double().requires_grad_() for x in inputs]
        gradients = [g.float() for g in torch.autograd.grad(function(*wide), wide, seed.double())]
    if name.startswith("abs"):
        gradients = [torch.where(inputs[0].isnan(), math.nan, gradients[0])]
    cases.append({
        "name": name,
        "inputs": [numbers(x.detach()) for x in inputs],
        "output": numbers(output.detach()),
        "seed": numbers(seed),
        "gradients": [numbers(torch.zeros_like(x) if g is None else g)
                      for x, g in zip(inputs, gradients)],
    })


def rand(*shape):
    return torch.rand(*shape) * 4 - 2


nan, inf = math.nan, math.inf
special = torch.tensor([nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-6, -1e-6, 1e-20, -1e-20,
                        3e-38, 1e-3, -1e-3, 2.5, -2.5, 7.0, -7.0, 12.0, -12.0, 40.0, -40.0, 80.0,
                        -80.0, 1e4, -1e4, 1e20, -1e20, 3e38, -3e38])
first, second = (x.reshape(-1) for x in torch.meshgrid(
    torch.tensor([nan, inf, -inf, 0.0, -0.0, 1.0, -2.0, 0.75, 1e-20, 3e38]),
    torch.tensor([nan, inf, -inf, 0.0, -0.0, 1.0, -2.0, 0.75, 3.0, 3e38]), indexing="ij"))

for name, function in {
    "negate": torch.neg, "exp": torch.exp, "log": torch.log, "tanh": torch.tanh,
    "sigmoid": torch.sigmoid, "erf": torch.erf, "sqrt": torch.sqrt, "softplus": F.softplus,
    "abs": torch.abs,
}.items():
    case(name, function, rand(12) * 3)
    case(name + " of special values", function, special)
for name, function in {"sin": torch.sin, "cos": torch.cos}.items():
    case(name, function, rand(12) * 50)
    case(name + " of special values", function, special[:26])
case("relu", torch.relu, rand(12))
case("relu of special values", torch.relu, special[1:])  # its derivative at NaN: 1 there, 0 here
for name, function in {"gelu": F.gelu, "silu": F.silu}.items():
    case(name, function, rand(12) * 3)
    case(name + " of special values", function, special[3:30])  # PyTorch: gelu(inf) is NaN
for name, function in {
    "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div,
    "maximum": torch.maximum, "minimum": torch.minimum,
}.items():
    case(name, function, rand(3, 1, 4), rand(5, 1))
    case(name + " of special values", function, first, second)
case("pow", torch.pow, rand(3, 1, 4).abs() + 0.1, rand(5, 1))
case("pow of special values", torch.pow, first, second)
case("pow to 2", lambda x: x ** 2, rand(10))
case("pow to 0.5", lambda x: x ** 0.5, rand(10).abs())
case("pow to -3", lambda x: x ** -3, rand(10))
case("where", lambda a, b: torch.where(torch.tensor([[True], [False], [True]]), a, b),
     rand(3, 4), rand(4))

x = rand(2, 3, 4)
case("reshape", lambda x: x.reshape(4, 6), x)
case("permute", lambda x: x.permute(2, 0, 1), x)
case("slice", lambda x: x[:, :, 1:4:2], x)
case("pad", lambda x: F.pad(x, (0, 0, 1, 2), value=0.5), x)
case("expand", lambda x: x.expand(2, 3, 4), rand(3, 1))
case("concat", lambda a, b: torch.cat([a, b], 1), rand(2, 1, 4), x)
case("stack", lambda a, b: torch.stack([a, b], 1), rand(3, 4), rand(3, 4))

ties = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-1.0, 0.0, -5.0]])
case("sum", torch.sum, x)
case("sum over 0, 2", lambda x: x.sum((0, 2)), x)
case("mean over 1, kept", lambda x: x.mean(1, keepdim=True), x)
case("max over 1, with ties", lambda x: x.amax(1), ties)
case("min over 0, with ties", lambda x: x.amin(0), ties)
case("max with NaN", lambda x: x.amax(0).reshape(1), torch.tensor([1.0, nan, 2.0]))
for correction in 0, 1, 2:
    case(f"var over 0, 2, correction {correction}",
         lambda x: x.var((0, 2), correction=correction), x)
case("var", lambda x: x.var(), x)
case("var over one element", lambda x: x.var(1, correction=0), rand(3, 1))
case("logsumexp over 1", lambda x: x.logsumexp(1), x)
case("logsumexp of all", lambda x: x.logsumexp((0, 1, 2)), x)
case("logsumexp of large numbers", lambda x: x.logsumexp(-1),
     torch.tensor([[1e4, 1e4, -inf], [-1e4, -1e4 + 1, -2e4], [3e38, 0.0, -3e38]]))

case("matmul", torch.matmul, rand(3, 5), rand(5, 4))
case("matmul of transposed views", lambda a, b: a.t() @ b.t(), rand(5, 3), rand(4, 5))
case("matmul of broadcast batches", torch.matmul, rand(2, 1, 3, 5), rand(4, 5, 2))
case("matmul of batches and a matrix", torch.matmul, rand(2, 3, 5), rand(5, 2))

case("gather with repeated rows", lambda t: t[torch.tensor([[2, 0, 2], [2, 1, 0]])], rand(4, 3))
case("scatter_add with repeated rows", lambda s: torch.zeros(4, 3).index_add(
    0, torch.tensor([3, 0, 3, 3, 1]), s), rand(5, 3))
case("take_along_axis", lambda x: torch.take_along_dim(
    x, torch.tensor([0, 3, 1, 1, 2, 0]).reshape(2, 3, 1), 2), x)

for axis in 0, 1, 2:
    case(f"softmax over {axis}", lambda x: x.softmax(axis), x)
    case(f"log_softmax over {axis}", lambda x: x.log_softmax(axis), x)
large = torch.tensor([[1e4, -1e4, 1e4, 0.0], [-inf, 1.0, 2.0, -inf], [88.0, 89.0, -88.0, 90.0]])
case("softmax of large numbers", lambda x: x.softmax(-1), large)
case("log_softmax of large numbers", lambda x: x.log_softmax(-1), large)
ignored = torch.tensor([True, False, False, True])
case("softmax, masked", lambda x: x.masked_fill(ignored, -inf).softmax(-1), x)
case("masked_fill", lambda x: x.masked_fill(ignored, 0.25), x)

targets = torch.tensor([1, 4, 0, 2, 4, -100])
logits = rand(6, 5) * 3
for reduction in "mean", "sum", "none":
    for smoothing in 0.0, 0.1:
        case(f"cross_entropy, {reduction}, smoothing {smoothing}",
             lambda x: F.cross_entropy(x, targets, reduction=reduction, label_smoothing=smoothing),
             logits)
case("cross_entropy, ignoring class 4",
     lambda x: F.cross_entropy(x, targets.abs() % 5, ignore_index=4), logits)
case("cross_entropy of large logits",
     lambda x: F.cross_entropy(x, targets, reduction="sum"), logits * 1000)

case("layer_norm", lambda x: F.layer_norm(x, (4,)), x)
case("layer_norm with weight and bias", lambda x, w, b: F.layer_norm(x, (4,), w, b, 1e-3),
     x, rand(4), rand(4))
case("layer_norm far from zero", lambda x: F.layer_norm(x, (8,)), rand(2, 8) + 1000)

case("linear", F.linear, rand(2, 3, 5), rand(4, 5), rand(4))

torch.manual_seed(2)
case("var over one element, unbiased", lambda x: x.var(1), rand(3, 1))
case("stddev over 1", lambda x: x.std(1), x)
case("stddev of equal numbers", lambda x: x.std(1), torch.full((2, 4), 0.75))
some_zero = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, -4.0], [1e30, -1e30, 2e30], [1e-30, 2e-30, 0.0]])
for p in 1, 2, 3, inf:
    case(f"norm of order {p} over 0, 2", lambda x: torch.linalg.vector_norm(x, p, (0, 2)), x)
for p in 1, inf:
    case(f"norm of order {p}, with zeros", lambda x: torch.linalg.vector_norm(x, p, 1), some_zero)
case("norm of order 2, with zeros", lambda x: torch.linalg.vector_norm(x, 2, 1), some_zero[:2])
case("prod over 1", lambda x: x.prod(1), x)
case("prod with zeros", lambda x: x.prod(1), some_zero[:2] + torch.tensor([[0.0, 2.0, 0.0], [0, 0, 0]]))
case("cumsum over 1", lambda x: x.cumsum(1), x)
case("cumprod over 2", lambda x: x.cumprod(2), x)
case("cumprod with zeros", lambda x: x.cumprod(1), some_zero[:2])
unsorted = torch.tensor([[2.0, nan, 2.0, -inf, 0.0], [-0.0, 0.0, inf, nan, -1.0]])
case("sort", lambda x: x.sort(dim=1, stable=True)[0], unsorted)
case("sort, descending", lambda x: x.sort(dim=1, descending=True, stable=True)[0], unsorted)
case("topk", lambda x: x.topk(2, 1)[0], x)
case("topk of the smallest", lambda x: x.topk(2, 0, largest=False)[0], rand(5, 3))

case("take_along_axis, broadcast", lambda x: torch.take_along_dim(
    x, torch.tensor([0, 2, 1, 1, 2, 0, 0, 1]).reshape(2, 1, 4), 1), x)
case("index_select", lambda x: x.index_select(1, torch.tensor([2, 0, 2])), x)
case("masked_select", lambda x: x[:, torch.tensor([True, False, True])].reshape(-1), x)
case("index", lambda x: x[1, None, ..., 1:-1], x)
case("index by a list", lambda x: x[:, torch.tensor([[2, 0], [1, 2]]), 1], x)
case("einsum", lambda a, b, c: torch.einsum("bij,ji,bk->kb", a, b, c),
     rand(2, 3, 4), rand(4, 3), rand(2, 5))
case("einsum of a diagonal and further axes", lambda a, b: torch.einsum("i...i,...j", a, b),
     rand(3, 2, 3), rand(1, 4))

predicted = torch.tensor([-0.5, 0.25, 3.0, 0.0, -40.0, 40.0, 100.0, -100.0, 1e4, inf])
wanted = torch.tensor([0.5, 0.25, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.5, 1.0])
for reduction in "mean", "sum", "none":
    case(f"mse_loss, {reduction}", lambda x, t: F.mse_loss(x, t, reduction=reduction), x, x.flip(0))
    case(f"l1_loss, {reduction}", lambda x, t: F.l1_loss(x, t, reduction=reduction), x, x.flip(1))
    case(f"huber_loss, {reduction}",
         lambda x, t: F.huber_loss(x, t, reduction=reduction, delta=0.7), x, x.flip(2))
    case(f"binary_cross_entropy_with_logits, {reduction}",
         lambda x: F.binary_cross_entropy_with_logits(x, wanted[:9], reduction=reduction),
         predicted[:9])
    case(f"kl_div, {reduction}", lambda x, t: F.kl_div(x, t, reduction=reduction), x, x.abs())
    case(f"kl_div of logarithms, {reduction}",
         lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=True), x, x.flip(0))
case("huber_loss, delta 1", F.huber_loss, predicted, wanted)
case("binary_cross_entropy_with_logits, weighted", lambda x, t:
     F.binary_cross_entropy_with_logits(x, t, reduction="none",
                                        pos_weight=torch.tensor([0.5, 1.0, 2.0, 3.0])),
     rand(3, 4), rand(3, 4).abs() / 2)
case("kl_div with zeros", lambda x: F.kl_div(x, torch.tensor([0.0, 1.0, 0.5]), reduction="none"),
     torch.tensor([-1.0, 0.0, -2.0]))

for name, function in {
    "floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "sign": torch.sign,
    "log1p": torch.log1p, "expm1": torch.expm1,
}.items():
    case(name, function, rand(12) * 3)
    case(name + " of special values", function, special[1:] if name == "sign" else special)
case("clamp", lambda x: x.clamp(-1, 0.5), torch.tensor([-2.0, -1, 0, 0.5, 1, inf, -inf]))
case("clamp by tensors", torch.clamp, rand(3, 4), rand(4), rand(3, 1))
case("remainder", torch.remainder, rand(3, 1, 4) * 9, rand(5, 1))
case("remainder of special values", torch.remainder, first, second)

path = pathlib.Path(__file__).with_name("ops.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
