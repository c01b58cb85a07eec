"""Makes the reference and looks at it: check.py FOLDER doxygen .doxyfile

Doxygen itself fails at a warning. What has operator() in layers/ wants a page, formulas want to be
MathML, and the first page wants links to where people start.
"""
import pathlib
import re
import subprocess
import sys
from xml.etree import ElementTree

folder, *doxygen = sys.argv[1:]
if subprocess.run(doxygen).returncode:
    sys.exit("doxygen warns of the above")
pages = {page.name: page.read_text(encoding="utf-8")
         for page in pathlib.Path(folder, "html").glob("*.html")}
wrong = []
for header in re.findall(r'#include "(.*)"', pathlib.Path("layers/layers.h").read_text()):
    declared = pathlib.Path(header).read_text(encoding="utf-8")
    for layer in re.split(r"^struct |^class ", declared, flags=re.M)[1:]:
        name = re.match(r"\w+", layer)[0]
        if " operator()(" in layer and f"structgradus_1_1{name}.html" not in pages:
            wrong.append(f"{name} of {header} has no page")
formulas = 0
for name, text in pages.items():
    for math in re.findall(r"<math.*?</math>", text, re.S):
        ElementTree.fromstring(math)
        formulas += 1
    if not re.match("struct|class|namespacegradus.html", name):
        continue
    for code in re.findall(r'<pre class="fragment">.*?</pre>|<div class="line">.*?</div>', text,
                           re.S):
        if re.search(r"[√ᵀ²Σ←]", code):
            wrong.append(f"{name} shows a formula as code: {re.sub('<[^>]*>', '', code)}")
for layer in "Attention", "Dense", "LayerNorm", "LSTMCell", "MultiHeadAttention", "TiledAttention":
    if "<math" not in pages.get(f"structgradus_1_1{layer}.html", ""):
        wrong.append(f"{layer} has no formula")
for start in "check_8h", "exchange_8h", "onnx_8h", "trace_8h", "md_examples_custom_layer_README":
    if f'href="{start}.html' not in pages["index.html"]:
        wrong.append(f"the first page does not link {start}")
print(f"{len(pages)} pages, {formulas} formulas")
sys.exit("\n".join(wrong) or 0)
