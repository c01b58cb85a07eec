"""Runs the exported models in onnxruntime and compares with our own outputs.

    ninja -C build/release onnx_models
    python3 tests/onnx/check.py build/release/onnx_models     (onnx, onnxruntime, safetensors)
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from safetensors.numpy import load_file

TOLERANCE = 1e-5


def worst_difference(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(path))
    tensors = load_file(path.with_suffix(".safetensors"))
    worst = 0.0
    for number in range(3):
        inputs = {i.name: tensors[f"{number}.{i.name}"] for i in session.get_inputs()}
        outputs = session.run(None, inputs)
        assert outputs, "no output"
        for info, output in zip(session.get_outputs(), outputs):
            ours = tensors[f"{number}.{info.name}"]
            assert output.shape == ours.shape and output.dtype == ours.dtype, info.name
            difference = numpy.abs(output - ours) / numpy.maximum(1, numpy.abs(ours))
            assert numpy.isfinite(difference).all(), info.name
            worst = max(worst, difference.max())
    opset = model.opset_import[0].version
    print(f"{path.stem:12} opset {opset}  {len(model.graph.node):4} nodes  "
          f"{len(model.graph.initializer):4} tensors  largest difference {worst:.1e}")
    return worst


with tempfile.TemporaryDirectory() as folder:
    names = subprocess.run([pathlib.Path(sys.argv[1]).resolve(), folder], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    wrong = [name for name in names
             if worst_difference(pathlib.Path(folder, name + ".onnx")) > TOLERANCE]
sys.exit(f"differ by more than {TOLERANCE}: {', '.join(wrong)}" if wrong else 0)
