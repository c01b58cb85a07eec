"""Writes layers.json: what PyTorch computes for every layer, forward and all gradients.

All that goes in is float32; PyTorch computes in float64, so that only our own rounding counts.

Each case holds options, the tensors that go in ("inputs", "parameters"), what comes out
("outputs") and the gradients of sum over outputs of (output * seed) ("gradients").
"""

import json
import math
import os

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.manual_seed(20240607)
torch.set_num_threads(1)
cases = {}


def numbers(x):
    values = x.detach().flatten().tolist()
    return {"shape": list(x.shape), "values": [float(f"{v:.9g}") for v in values]}


def add(name, options, inputs, parameters, outputs):
    seeds = {k: torch.randn(v.shape).double() for k, v in outputs.items()}
    sum((outputs[k] * seeds[k]).sum() for k in outputs).backward()
    leaves = {**inputs, **parameters}
    cases[name] = {
        **options,
        "inputs": {k: numbers(v) for k, v in inputs.items()},
        "parameters": {k: numbers(v) for k, v in parameters.items()},
        "outputs": {k: numbers(v) for k, v in outputs.items()},
        "seeds": {k: numbers(v) for k, v in seeds.items()},
        "gradients": {k: numbers(v.grad) for k, v in leaves.items() if v.grad is not None},
    }


def leaf(*shape):
    return torch.randn(*shape).double().requires_grad_()


def dense():
    for bias in (True, False):
        x, layer = leaf(2, 3, 4), nn.Linear(4, 5, bias=bias).double()
        add(f"dense {'with' if bias else 'without'} bias", {"bias": bias}, {"x": x},
            dict(layer.named_parameters()), {"y": layer(x)})


def embedding():
    ids = torch.tensor([[1, 0, 3, 3], [5, 1, 0, 0]])
    for padding_id in (-1, 0):
        layer = nn.Embedding(6, 3, padding_idx=None if padding_id < 0 else padding_id).double()
        add(f"embedding with padding id {padding_id}",
            {"padding_id": padding_id, "ids": ids.tolist()}, {},
            dict(layer.named_parameters()), {"y": layer(ids)})


def layer_norm():
    x, layer = leaf(3, 2, 6), nn.LayerNorm(6)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    layer.double()
    add("layer_norm", {}, {"x": x}, dict(layer.named_parameters()), {"y": layer(x)})


def other_layer_norms():
    for axes, options in (((6,), dict(elementwise_affine=False)), ((6,), dict(bias=False)),
                          ((2, 6), dict()), ((2, 6), dict(elementwise_affine=False))):
        x, layer = leaf(3, 2, 6), nn.LayerNorm(axes, **options)
        for p in layer.parameters():
            nn.init.normal_(p)
        layer.double()
        parameters = dict(layer.named_parameters())
        add(f"layer_norm over {len(axes)} axes of {', '.join(parameters) or 'no parameters'}",
            {"axes": axes}, {"x": x}, parameters, {"y": layer(x)})


def one_bias(kind, net, suffix=""):
    """PyTorch adds two biases where Gradus has one: the second is zero but for b_hn of a GRU."""
    if not net.bias:
        return {part: getattr(net, part + suffix) for part in ("weight_ih", "weight_hh")}, {}
    bias, second = getattr(net, "bias_ih" + suffix), getattr(net, "bias_hh" + suffix)
    hidden = second.shape[0] // 3
    with torch.no_grad():
        second[:2 * hidden if kind == "gru" else None] = 0
    parameters = {"weight_ih": getattr(net, "weight_ih" + suffix),
                  "weight_hh": getattr(net, "weight_hh" + suffix), "bias": bias}
    return parameters, {"bias_hn": (second, slice(2 * hidden, None))} if kind == "gru" else {}


def add_parts(name, parts):
    """Parts of PyTorch's parameters, as Gradus calls them."""
    for part, (whole, rows) in parts.items():
        cases[name]["parameters"][part] = numbers(whole[rows])
        cases[name]["gradients"][part] = numbers(whole.grad[rows])


def recurrent_cell(kind, **options):
    make = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}[kind]
    cell = make(4, 5, **{"nonlinearity": v for v in options.values()}).double()
    x, h = leaf(3, 4), leaf(3, 5)
    inputs = {"x": x, "h": h}
    parameters, parts = one_bias(kind, cell)
    if kind == "lstm":
        inputs["c"] = leaf(3, 5)
        h1, c1 = cell(x, (h, inputs["c"]))
        outputs = {"h": h1, "c": c1}
    else:
        outputs = {"h": cell(x, h)}
    name = " ".join([kind + "_cell", *options.values()])
    add(name, options, inputs, parameters, outputs)
    add_parts(name, parts)


def recurrent(kind, layers, bidirectional, lengths, bias=True, **options):
    batch, time, size, hidden, directions = 3, 5, 4, 3, 2 if bidirectional else 1
    make = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind]
    net = make(size, hidden, layers, batch_first=True, bidirectional=bidirectional, bias=bias,
               **{"nonlinearity": v for v in options.values()}).double()
    parameters, parts = {}, {}
    for layer in range(layers):
        for suffix, direction in (("", "forward"), ("_reverse", "backward"))[:directions]:
            whole, some = one_bias(kind, net, f"_l{layer}{suffix}")
            parameters |= {f"{direction}.{layer}.{name}": x for name, x in whole.items()}
            parts |= {f"{direction}.{layer}.{name}": x for name, x in some.items()}
    inputs = {"x": leaf(batch, time, size)}
    for state in "hc" if kind == "lstm" else "h":
        inputs[state] = leaf(layers * directions, batch, hidden)
    x, before = inputs["x"], tuple(inputs.values())[1:]
    if kind != "lstm":
        before = before[0]
    if lengths:
        packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True,
                                      enforce_sorted=False)
        y, after = net(packed, before)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=time)
    else:
        y, after = net(x, before)
    name = " ".join([kind, *options.values(), f"of {layers} layers, {directions} directions, "
                     f"lengths {lengths or 'all'}"] + ([] if bias else ["no biases"]))
    if not bias:
        options["bias"] = False
    after = dict(zip("hc", after)) if kind == "lstm" else {"h": after}
    add(name, {"layers": layers, "bidirectional": bidirectional, "lengths": lengths, **options},
        inputs, parameters, {"y": y, **after})
    add_parts(name, parts)


def attention(score, masked):
    batch, queries, keys, value_size, additive_size = 2, 3, 4, 5, 7
    query_size, key_size = (4, 4) if "dot" in score else (4, 6)
    q, k = leaf(batch, queries, query_size), leaf(batch, keys, key_size)
    v = leaf(batch, keys, value_size)
    parameters = {}
    if score == "dot":
        scores = torch.einsum("bqd,bkd->bqk", q, k)
    elif score == "scaled_dot":
        scores = torch.einsum("bqd,bkd->bqk", q, k) / math.sqrt(query_size)
    elif score == "general":
        w = leaf(query_size, key_size)
        parameters = {"key.weight": w}
        scores = torch.einsum("bqi,ij,bkj->bqk", q, w, k)
    else:
        wq, wk = leaf(additive_size, query_size), leaf(additive_size, key_size)
        wv = leaf(additive_size)
        parameters = {"query.weight": wq, "key.weight": wk, "v": wv}
        scores = torch.stack([torch.stack([
            torch.tanh(q[:, i] @ wq.T + k[:, j] @ wk.T) @ wv
            for j in range(keys)], 1) for i in range(queries)], 1)
    attended = torch.ones(batch, keys)
    if masked:
        attended = torch.tensor([[1.0, 0, 1, 0], [0, 1, 1, 0]])
    weights = torch.softmax(scores.masked_fill(attended[:, None] == 0, -math.inf), -1)
    add(f"attention with {score} score, {'masked' if masked else 'unmasked'}",
        {"score": score, "additive_size": additive_size,
         "attended": attended.tolist() if masked else []},
        {"query": q, "keys": k, "values": v}, parameters,
        {"output": weights @ v, "weights": weights})


def multi_head_attention(bias, mask, averaged):
    q, k, v = leaf(2, 3, 6), leaf(2, 4, 4), leaf(2, 4, 5)
    net = nn.MultiheadAttention(6, 3, bias=bias, kdim=4, vdim=5, batch_first=True)
    if bias:
        nn.init.normal_(net.in_proj_bias)
        nn.init.normal_(net.out_proj.bias)
    net.double()
    parameters = {"query.weight": net.q_proj_weight, "key.weight": net.k_proj_weight,
                  "value.weight": net.v_proj_weight, "output.weight": net.out_proj.weight}
    options, attended = {}, None  # PyTorch's True means: ignored
    if mask == "padding":
        attended = torch.tensor([[1.0, 1, 0, 1], [1, 1, 1, 0]])
        options["key_padding_mask"] = attended == 0
    elif mask == "per query":
        attended = torch.tensor([[[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]]])
        options["attn_mask"] = attended[0] == 0
    y, weights = net(q, k, v, average_attn_weights=averaged, **options)
    add(f"multi_head_attention with bias {bias}, mask {mask}, averaged {averaged}",
        {"bias": bias, "averaged": averaged,
         "attended": None if attended is None else numbers(attended)},
        {"query": q, "keys": k, "values": v}, parameters, {"output": y, "weights": weights})
    gradients = cases[list(cases)[-1]]["gradients"]
    if bias:  # PyTorch keeps the three biases in one
        parts = {n: (net.in_proj_bias[6 * i:6 * i + 6], net.in_proj_bias.grad[6 * i:6 * i + 6])
                 for i, n in enumerate(("query", "key", "value"))}
        parts["output"] = (net.out_proj.bias, net.out_proj.bias.grad)
        for n, (value, gradient) in parts.items():
            cases[list(cases)[-1]]["parameters"][n + ".bias"] = numbers(value)
            gradients[n + ".bias"] = numbers(gradient)


def scaled_dot_product_attention(causal):
    q, k, v = leaf(2, 2, 4, 3), leaf(2, 2, 4, 3), leaf(2, 2, 4, 5)
    y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    add(f"scaled_dot_product_attention with causal {causal}", {"causal": causal},
        {"query": q, "keys": k, "values": v}, {}, {"output": y})


def split_attention(name, theirs):
    """PyTorch keeps query, key and value in one matrix: cut, for values and gradients alike."""
    size = theirs.embed_dim
    parts = {}
    for i, part in enumerate(("query", "key", "value")):
        rows = slice(size * i, size * (i + 1))
        parts[f"{name}.{part}.weight"] = (theirs.in_proj_weight, rows)
        if theirs.in_proj_bias is not None:
            parts[f"{name}.{part}.bias"] = (theirs.in_proj_bias, rows)
    parts[f"{name}.output.weight"] = (theirs.out_proj.weight, slice(None))
    if theirs.out_proj.bias is not None:
        parts[f"{name}.output.bias"] = (theirs.out_proj.bias, slice(None))
    return parts


def transformer_layer(kind, norm_first, **options):
    decodes = kind == "decoder"
    make = nn.TransformerDecoderLayer if decodes else nn.TransformerEncoderLayer
    net = make(6, 2, dim_feedforward=5, dropout=0.0, batch_first=True, norm_first=norm_first,
               **options)
    for p in net.parameters():
        if p.dim() == 1:
            nn.init.normal_(p)
    net.double()
    x, memory = leaf(2, 3, 6), leaf(2, 4, 6)
    ignored = torch.tensor([[False, False, True], [False, False, False]])
    memory_ignored = torch.tensor([[False, True, False, True], [False, False, False, False]])
    parts = split_attention("attention", net.self_attn)
    norms = ["attention_norm", "feed_forward_norm"]
    if decodes:
        parts |= split_attention("cross", net.multihead_attn)
        norms.insert(1, "cross_norm")
        causal = torch.ones(3, 3).triu(1) == 1
        y = net(x, memory, tgt_mask=causal, memory_key_padding_mask=memory_ignored)
    else:
        y = net(x, src_key_padding_mask=ignored)
    layers = {"feed_forward.inner": net.linear1, "feed_forward.outer": net.linear2}
    layers |= {norm: getattr(net, f"norm{i + 1}") for i, norm in enumerate(norms)}
    for name, layer in layers.items():
        parts[name + ".weight"] = (layer.weight, slice(None))
        if layer.bias is not None:
            parts[name + ".bias"] = (layer.bias, slice(None))
    name = f"transformer_{kind}_layer with norm_first {norm_first}"
    if options:
        name += ", gelu and no biases"
    add(name, {**options, "norm_first": norm_first, "attended": numbers(1 - ignored.float()),
               "memory_attended": numbers(1 - memory_ignored.float())},
        {"x": x, "memory": memory} if decodes else {"x": x}, {}, {"y": y})
    add_parts(name, parts)


dense()
embedding()
layer_norm()
for kind, options in (("lstm", {}), ("gru", {}), ("rnn", {"activation": "tanh"}),
                      ("rnn", {"activation": "relu"})):
    recurrent_cell(kind, **options)
    recurrent(kind, 1, False, [], **options)
    recurrent(kind, 1, False, [3, 5, 1], **options)
    recurrent(kind, 1, True, [3, 5, 1], **options)
    recurrent(kind, 2, False, [3, 5, 1], **options)
    recurrent(kind, 2, True, [], **options)
    recurrent(kind, 2, True, [3, 2, 1], **options)  # no row reaches the last time steps
for score in ("dot", "scaled_dot", "general", "additive"):
    for masked in (False, True):
        attention(score, masked)
multi_head_attention(True, None, True)
multi_head_attention(True, "padding", True)
multi_head_attention(False, "padding", False)
multi_head_attention(True, "per query", False)
for causal in (False, True):
    scaled_dot_product_attention(causal)
for norm_first in (False, True):
    transformer_layer("encoder", norm_first)
    transformer_layer("decoder", norm_first)
other_layer_norms()
for kind in ("lstm", "gru", "rnn"):
    recurrent(kind, 1, True, [3, 5, 1], bias=False)
transformer_layer("encoder", True, activation="gelu", bias=False)
transformer_layer("decoder", False, activation="gelu", bias=False)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.json"), "w") as file:
    json.dump(cases, file, separators=(",", ":"))
    file.write("\n")
