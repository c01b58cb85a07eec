"""Writes the weights of one small tagger and of one small recurrent model in PyTorch and in Keras,
as state_dict and as paths, with an input and its output beside them ("input", "output"):
torch.safetensors, keras.safetensors, torch_recurrent.safetensors, keras_recurrent.safetensors.
And those of a model without biases in PyTorch, torch_without_biases.safetensors.

    KERAS_BACKEND=torch python3 make_exchange.py    (torch, keras, safetensors)
    python3 make_exchange.py without_biases         (that file alone: torch, safetensors)
"""
import os

os.environ["KERAS_BACKEND"] = "torch"
import sys

import torch
from safetensors.torch import save_file

FOLDER = os.path.dirname(os.path.abspath(__file__))


class WithoutBiases(torch.nn.Module):
    """An LSTM, a LayerNorm without parameters and one over two axes, and a whole Transformer."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.LSTM(3, 2, num_layers=2, bidirectional=True, batch_first=True,
                                     bias=False)
        self.plain = torch.nn.LayerNorm(4, elementwise_affine=False)
        self.over_two = torch.nn.LayerNorm((5, 4))
        self.transformer = torch.nn.Transformer(
            4, 2, num_encoder_layers=2, num_decoder_layers=1, dim_feedforward=6, dropout=0.0,
            activation="gelu", batch_first=True, bias=False)

    def forward(self, x):
        source = self.plain(self.encoder(x)[0])
        target = self.over_two(source)
        return self.transformer(source, target, tgt_mask=torch.ones(5, 5).triu(1) == 1)


torch.manual_seed(9)
model = WithoutBiases().eval()
for parameter in model.parameters():
    torch.nn.init.uniform_(parameter, -0.7, 0.7)
x = torch.randn(2, 5, 3)
with torch.no_grad():
    save_file({"input": x, "output": model(x), **model.state_dict()},
              os.path.join(FOLDER, "torch_without_biases.safetensors"))
if sys.argv[1:] == ["without_biases"]:
    sys.exit()

import keras

IDS = torch.tensor([[1, 5, 2, 6], [3, 3, 0, 4]])


class Tagger(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(7, 4)
        self.encoder = torch.nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True)
        self.attention = torch.nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = torch.nn.LayerNorm(6)
        self.tags = torch.nn.Linear(6, 5)

    def forward(self, ids):
        states, _ = self.encoder(self.words(ids))
        return self.tags(self.norm(states + self.attention(states, states, states)[0]))


def keras_tagger():
    layers = keras.layers
    ids = keras.Input((4,), dtype="int64")
    x = layers.Embedding(7, 4, name="words")(ids)
    for name in ("encoder", "encoder_1"):
        lstm = layers.LSTM(3, return_sequences=True, name="lstm")
        x = layers.Bidirectional(lstm, name=name)(x)
    x = x + layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    return keras.Model(ids, layers.Dense(5, name="tags")(x))


torch.manual_seed(5)
model = Tagger()
for parameter in model.parameters():  # biases and gains of their own, too
    torch.nn.init.uniform_(parameter, -0.7, 0.7)
with torch.no_grad():
    tensors = {"input": IDS, "output": model(IDS), **model.state_dict()}
save_file(tensors, os.path.join(FOLDER, "torch.safetensors"))

keras.utils.set_random_seed(5)
model = keras_tagger()
for weight in model.weights:
    weight.assign(torch.empty(tuple(weight.shape)).uniform_(-0.7, 0.7))
with torch.no_grad():
    tensors = {"input": IDS, "output": model(IDS)}
    tensors |= {weight.path: weight.value.detach().clone() for weight in model.weights}
save_file({name: x.detach().contiguous() for name, x in tensors.items()},
          os.path.join(FOLDER, "keras.safetensors"))


class Recurrent(torch.nn.Module):
    """A GRU of two layers and directions, and an RNN behind it."""

    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.rnn = torch.nn.RNN(8, 5, nonlinearity="relu", batch_first=True)

    def forward(self, x):
        return self.rnn(self.gru(x)[0])[0]


def keras_recurrent():
    layers = keras.layers
    x = first = keras.Input((6, 3))
    for name in ("gru", "gru_1"):
        x = layers.Bidirectional(layers.GRU(4, return_sequences=True, name="gru"), name=name)(x)
    rnn = layers.SimpleRNN(5, activation="relu", return_sequences=True, name="rnn")
    return keras.Model(first, rnn(x))


INPUT = torch.randn(2, 6, 3)
model = Recurrent()
for parameter in model.parameters():
    torch.nn.init.uniform_(parameter, -0.7, 0.7)
with torch.no_grad():
    tensors = {"input": INPUT, "output": model(INPUT), **model.state_dict()}
save_file({name: x.contiguous() for name, x in tensors.items()},
          os.path.join(FOLDER, "torch_recurrent.safetensors"))

model = keras_recurrent()
for weight in model.weights:
    weight.assign(torch.empty(tuple(weight.shape)).uniform_(-0.7, 0.7))
with torch.no_grad():
    tensors = {"input": INPUT, "output": model(INPUT)}
    tensors |= {weight.path: weight.value.detach().clone() for weight in model.weights}
save_file({name: x.detach().contiguous() for name, x in tensors.items()},
          os.path.join(FOLDER, "keras_recurrent.safetensors"))
