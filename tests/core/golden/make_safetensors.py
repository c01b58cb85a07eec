"""Makes python.safetensors with the reference implementation (pip install safetensors torch)."""

from pathlib import Path

import torch
from safetensors.torch import save_file

tensors = {
    "F32": torch.tensor([[1.5, -2.25, 0.1], [float("inf"), -0.0, 3e-45]]),
    "F64": torch.tensor([0.1, -1e300], dtype=torch.float64),
    "I64": torch.tensor([[-(2**63), 2**63 - 1]]),
    "F16": torch.tensor([1.5, -65504, 2**-24, 2**-14, float("-inf"), -0.0], dtype=torch.float16),
    "BF16": torch.tensor([1.5, -(2.0**127)], dtype=torch.bfloat16),
    "I32": torch.tensor([-(2**31)], dtype=torch.int32),
    "I16": torch.tensor([-(2**15)], dtype=torch.int16),
    "I8": torch.tensor([-128], dtype=torch.int8),
    "U8": torch.tensor([255], dtype=torch.uint8),
    "BOOL": torch.tensor([True, False]),
    "scalar": torch.tensor(7.0),
    "empty": torch.zeros(3, 0, 2),
    "词/嵌入 é": torch.tensor([1.0]),
}
metadata = {"名": "值\n\"quoted\""}  # one entry: the order of several is random
save_file(tensors, Path(__file__).parent / "python.safetensors", metadata)
