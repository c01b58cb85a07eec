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


def difference_of(a, b):
    """Relative from 1 on; infinities and NaN have to be the same ones."""
    assert a.shape == b.shape and a.dtype == b.dtype, f"{a.dtype} {a.shape}, not {b.dtype} {b.shape}"
    if a.size == 0:
        return 0.0
    with numpy.errstate(invalid="ignore"):
        difference = numpy.abs(a - b) / numpy.maximum(1, numpy.abs(b))
    same = (a == b) | (numpy.isnan(a) & numpy.isnan(b))
    return float(numpy.where(same, 0, numpy.where(numpy.isnan(difference), numpy.inf, difference)).max())


def run(path):
    """The model, and the largest difference of its outputs."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path.read_bytes())
    tensors = load_file(path.with_suffix(".safetensors"))
    given = sum(name.startswith("0.input_") for name in tensors)
    assert len(session.get_inputs()) == given, f"{len(session.get_inputs())} inputs, not {given}"
    worst = 0.0
    for number in range(3):
        inputs = {i.name: tensors[f"{number}.{i.name}"] for i in session.get_inputs()}
        outputs = session.run(None, inputs)
        assert outputs, "no output"
        for info, output in zip(session.get_outputs(), outputs):
            worst = max(worst, difference_of(output, tensors[f"{number}.{info.name}"]))
        if path.stem == "one_key":
            assert (outputs[1] == 1).all(), f"weights of one key: {outputs[1]}"
    return model, worst


def main(program):
    failed, worst, count = [], (0.0, ""), 0
    with tempfile.TemporaryDirectory() as folder:
        lines = subprocess.run([pathlib.Path(program).resolve(), folder], check=True,
                               stdout=subprocess.PIPE, text=True).stdout.splitlines()
        for line in lines:
            if line.startswith("no file: "):
                failed.append(line)
                continue
            try:
                model, difference = run(pathlib.Path(folder, line + ".onnx"))
            except Exception as error:  # of the checker, of onnxruntime, of ours
                failed.append(f"{line}: {str(error).strip()}")
                continue
            count += 1
            worst = max(worst, (difference, line))
            if not difference <= TOLERANCE:
                failed.append(f"{line}: differs by {difference:.1e}")
            if "(" not in line:  # a model, not an op with its shapes
                print(f"{line:28} opset {model.opset_import[0].version}  "
                      f"{len(model.graph.node):4} nodes  {len(model.graph.initializer):4} tensors  "
                      f"largest difference {difference:.1e}")
    print(f"{count} models, largest difference {worst[0]:.1e} ({worst[1]})")
    return "\n".join([f"{len(failed)} wrong", *failed]) if failed else 0


sys.exit(main(sys.argv[1]))
