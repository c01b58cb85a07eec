"""Writes optim.json: what PyTorch's optimisers, clipping, schedules and averages do, in float32.

    python3 make_optim.py
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.optim.lr_scheduler import (
    CosineAnnealingLR, LambdaLR, LinearLR, ReduceLROnPlateau, SequentialLR)

torch.manual_seed(7)
torch.set_num_threads(1)


def numbers(x):
    """The shortest decimals that read back as the same float32 values, row by row."""
    return [float(str(v)) for v in x.detach().numpy().astype(np.float32).ravel()]


def torch_options(options):
    names = {"learning_rate": "lr", "epsilon": "eps", "centred": "centered"}
    options = {names.get(k, k): v for k, v in options.items()}
    if "beta1" in options:
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    elif "beta2" in options:
        options["betas"] = (0.9, options.pop("beta2"))
    return options


def torch_optimiser(kind, parameters, options):
    return getattr(torch.optim, kind)(parameters, **torch_options(options))


OPTIMISERS = [
    ("SGD", dict(learning_rate=0.1)),
    ("SGD", dict(learning_rate=0.1, weight_decay=0.3)),
    ("SGD", dict(learning_rate=0.05, momentum=0.9)),
    ("SGD", dict(learning_rate=0.05, momentum=0.9, weight_decay=0.1)),
    ("SGD", dict(learning_rate=0.05, momentum=0.8, nesterov=True, weight_decay=0.1)),
    ("RMSprop", dict()),
    ("RMSprop", dict(learning_rate=0.03, alpha=0.8, epsilon=1e-3)),
    ("RMSprop", dict(learning_rate=0.03, weight_decay=0.2)),
    ("Adam", dict()),
    ("Adam", dict(learning_rate=0.1, beta1=0.7, beta2=0.9, epsilon=1e-2)),
    ("Adam", dict(learning_rate=0.02, weight_decay=0.5)),
    ("AdamW", dict()),
    ("AdamW", dict(learning_rate=0.02, beta1=0.8, beta2=0.95, epsilon=1e-4, weight_decay=0.5)),
    ("RMSprop", dict(learning_rate=0.03, momentum=0.8)),
    ("RMSprop", dict(learning_rate=0.03, centred=True)),
    ("RMSprop", dict(learning_rate=0.03, alpha=0.9, weight_decay=0.2, momentum=0.5, centred=True)),
    ("Adam", dict(learning_rate=0.05, beta2=0.5, weight_decay=0.1, amsgrad=True)),
    ("AdamW", dict(learning_rate=0.05, beta2=0.5, weight_decay=0.1, amsgrad=True)),
]

SHAPES = [(2, 3), (4,)]


def updates():
    """Six steps; the second parameter has no gradient in the first two and in the fifth."""
    start = [torch.randn(shape) for shape in SHAPES]
    gradients = [[torch.randn(shape) * 10.0 ** (step % 3 - 1) for shape in SHAPES]
                 for step in range(6)]
    for step in (0, 1, 4):
        gradients[step][1] = None
    cases = []
    for kind, options in OPTIMISERS:
        parameters = [torch.nn.Parameter(x.clone()) for x in start]
        optimiser = torch_optimiser(kind, parameters, options)
        values = []
        for row in gradients:
            for parameter, gradient in zip(parameters, row):
                parameter.grad = None if gradient is None else gradient.clone()
            optimiser.step()
            values.append([numbers(p) for p in parameters])
        cases.append(dict(kind=kind, options=options, values=values))
    return dict(shapes=SHAPES, start=[numbers(x) for x in start], cases=cases,
                gradients=[[None if g is None else numbers(g) for g in row] for row in gradients])


def training():
    """Twenty steps of a tanh network on one batch, with clipping by global norm."""
    inputs, hidden, classes, batch = 5, 8, 3, 32
    x = torch.randn(batch, inputs)
    y = torch.randint(classes, (batch,))
    start = [torch.randn(hidden, inputs) * 0.5, torch.randn(hidden) * 0.1,
             torch.randn(classes, hidden) * 0.5, torch.randn(classes) * 0.1]
    runs = []
    for kind, options in [
            ("SGD", dict(learning_rate=0.3, momentum=0.9, nesterov=True, weight_decay=1e-3)),
            ("RMSprop", dict(learning_rate=0.01)),
            ("Adam", dict(learning_rate=0.05)),
            ("AdamW", dict(learning_rate=0.05, weight_decay=0.1))]:
        w1, b1, w2, b2 = parameters = [torch.nn.Parameter(p.clone()) for p in start]
        optimiser = torch_optimiser(kind, parameters, options)
        losses, norms = [], []
        for _ in range(20):
            optimiser.zero_grad()
            logits = torch.tanh(x @ w1.T + b1) @ w2.T + b2
            loss = torch.nn.functional.cross_entropy(logits, y)
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(parameters, 0.25).item())
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0] and min(norms) < 0.25 < max(norms)
        runs.append(dict(kind=kind, options=options, losses=losses, norms=norms))
    return dict(x=numbers(x), y=y.tolist(), shapes=[list(p.shape) for p in start],
                start=[numbers(p) for p in start], max_norm=0.25, runs=runs)


def clipping():
    cases = []
    for size, max_norm in [(0.1, 5.0), (1.0, 1.0), (1.0, 0.0), (30.0, 5.0), (1e-8, 1e-7)]:
        parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in [(3, 7), (5,), ()]]
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape) * size
        before = [numbers(p.grad) for p in parameters]
        norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        cases.append(dict(max_norm=max_norm, norm=norm.item(), before=before,
                          after=[numbers(p.grad) for p in parameters]))
    return cases


def schedule(rate, make, steps):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = make(optimiser)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def schedules():
    def warm_up(optimiser, steps):
        return LinearLR(optimiser, start_factor=1 / steps, total_iters=steps - 1)

    return dict(
        cosine=schedule(0.3, lambda o: CosineAnnealingLR(o, T_max=20, eta_min=0.01), 21),
        warm_up=schedule(0.3, lambda o: warm_up(o, 5), 12),
        warm_up_cosine=schedule(0.3, lambda o: SequentialLR(
            o, [warm_up(o, 5), CosineAnnealingLR(o, T_max=20, eta_min=0.01)], [4]), 25),
        # Vaswani et al. 2017, equation 3, as it stands there: steps count from 1.
        inverse_square_root=schedule(1.0, lambda o: LambdaLR(
            o, lambda step: 512 ** -0.5 * min((step + 1) ** -0.5, (step + 1) * 10 ** -1.5)), 40))


def plateau():
    cases = []
    for options in [dict(mode="min", factor=0.5, patience=2, threshold=0.01),
                    dict(mode="min", factor=0.1, patience=0, threshold=1e-4),
                    dict(mode="max", factor=0.2, patience=1, threshold=0.05, min_lr=0.004)]:
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        scheduler = ReduceLROnPlateau(optimiser, eps=0, **options)
        # Slow enough that the threshold decides, here and there, what is an improvement.
        slope = -0.02 if options["mode"] == "min" else 0.02
        results = [round(2 + slope * min(i, 10) + float(torch.randn(())) * 0.02, 4)
                   for i in range(25)]
        results[9] = float("nan")
        rates = []
        for result in results:
            optimiser.step()
            scheduler.step(result)
            rates.append(optimiser.param_groups[0]["lr"])
        assert len(set(rates)) > 2
        cases.append(dict(options=options, rates=rates,
                          results=[None if r != r else r for r in results]))
    return cases


GROUPS = [dict(), dict(learning_rate_scale=0.1, weight_decay=0.0), dict(weight_decay=0.3)]


def groups():
    """Eight steps of three groups of one parameter each under one cosine schedule."""
    shapes = [(2, 3), (3,), (2, 2)]
    start = [torch.randn(shape) for shape in shapes]
    gradients = [[torch.randn(shape) for shape in shapes] for _ in range(8)]
    cases = []
    for kind, options in [
            ("SGD", dict(learning_rate=0.1, momentum=0.9, weight_decay=0.1)),
            ("RMSprop", dict(learning_rate=0.02, weight_decay=0.1)),
            ("Adam", dict(learning_rate=0.05, weight_decay=0.1)),
            ("AdamW", dict(learning_rate=0.05, weight_decay=0.1))]:
        parameters = [torch.nn.Parameter(x.clone()) for x in start]
        listed = []
        for parameter, group in zip(parameters, GROUPS):
            own = {k: v for k, v in group.items() if k != "learning_rate_scale"}
            rate = options["learning_rate"] * group.get("learning_rate_scale", 1)
            listed.append(dict(params=[parameter], lr=rate, **own))
        optimiser = torch_optimiser(kind, listed, options)
        scheduler = CosineAnnealingLR(optimiser, T_max=8)
        values = []
        for row in gradients:
            for parameter, gradient in zip(parameters, row):
                parameter.grad = gradient.clone()
            optimiser.step()
            scheduler.step()
            values.append([numbers(p) for p in parameters])
        cases.append(dict(kind=kind, options=options, values=values))
    return dict(shapes=shapes, groups=GROUPS, start=[numbers(x) for x in start], cases=cases,
                gradients=[[numbers(g) for g in row] for row in gradients])


def averages():
    """The exponential moving average of AveragedModel, and the bias-corrected one by its sum."""
    cases = []
    for decay in (0.9, 0.999, 0.0):
        model = torch.nn.Linear(3, 2)
        averaged = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay))
        history, plain, corrected = [], [], []
        for t in range(1, 13):
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.copy_(torch.randn(parameter.shape))
            averaged.update_parameters(model)
            history.append([numbers(p) for p in model.parameters()])
            plain.append([numbers(p) for p in averaged.module.parameters()])
            weights = (1 - decay) * np.array([decay ** (t - i) for i in range(1, t + 1)])
            corrected.append([
                (weights @ np.array([values[k] for values in history]) / (1 - decay ** t)).tolist()
                for k in range(2)])
        cases.append(dict(decay=decay, values=history, averages=plain, corrected=corrected))
    return dict(shapes=[[2, 3], [2]], cases=cases)


golden = dict(torch=torch.__version__, updates=updates(), training=training(), clipping=clipping(),
              schedules=schedules(), plateau=plateau(), groups=groups(), averages=averages())
path = Path(__file__).with_name("optim.json")
path.write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n")
