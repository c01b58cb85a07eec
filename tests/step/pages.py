"""Pages to test, in a browser."""
import importlib.util, os, subprocess, tempfile, time
from pathlib import Path

from browser import Browser

programs = {}  # "make_page" and "step" -> their paths


def axe():
    """axe-core's script: where GRADUS_AXE says, or in the package axe_selenium_python; None where there is none."""
    package = importlib.util.find_spec("axe_selenium_python")
    places = [os.environ.get("GRADUS_AXE"), package and Path(package.origin).parent / "node_modules/axe-core/axe.min.js"]
    return next((Path(place).read_text() for place in places if place and Path(place).exists()), None)


class Page:
    """A page that command() writes, in a browser of its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.file = Path(cls.folder.name) / "step <1> & 2.html"
        subprocess.run(cls.command(), check=True, cwd=cls.folder.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        cls.folder.cleanup()

    def setUp(self):
        self.browser.open(self.file.as_uri())
        self.browser.run("localStorage.clear()")
        self.browser.open(self.file.as_uri())

    def tearDown(self):
        self.assertEqual(self.browser.console(), [], "the browser's console")
        self.assertEqual({url for url in self.browser.requests() if not url.startswith("data:")}, {self.file.as_uri()})

    def until(self, condition):
        """Waits for what a browser does between two frames."""
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.05)
        self.fail("waited for 60 seconds")

    def place(self):
        return int(self.browser.text("#place").split(" / ")[0])

    def last(self):
        return int(self.browser.text("#place").split(" / ")[1])

    def focus(self):
        return self.browser.run("const e = document.activeElement; return e === document.body ? 'body' : e.id || e.dataset.part || e.dataset.fold || e.localName")


def lesson(test, number, *options):
    """A browser with a lesson's page."""
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    subprocess.run([programs["step"], str(number), *options, "--html", f"{folder.name}/page.html"], check=True, cwd=folder.name, stdout=subprocess.DEVNULL)
    b = Browser().__enter__()
    test.addCleanup(b.__exit__)
    b.open(f"file://{folder.name}/page.html")
    return b


def trace_of(count):
    """The JSON of a trace: a parameter, in each layer of 48 nodes side by side tanh of it, and their sum."""
    tensors = [{"shape": [], "dtype": "float32", "count": 1, "nans": 0, "infinities": 0, "zeros": 0, "min": 0.5, "max": 0.5, "mean": 0.5, "norm": 0.5,
                "histogram": [1] + 15 * [0], "numbers": "AAAAPw=="}]
    op = {"kind": "op", "op": "tanh", "formula": "tanh(x)", "operands": ["x"], "inputs": [0], "users": [count - 1], "value": 0, "gradient": 0, "sent": [0]}
    nodes = [{"kind": "parameter", "name": "w", "users": list(range(1, count - 1)), "value": 0, "gradient": 0}] + [op] * (count - 2)
    nodes += [{"kind": "op", "op": "concat", "inputs": list(range(1, count - 1)), "operands": ["x"] * (count - 2), "value": 0, "gradient": 0, "sent": [0] * (count - 2)}]
    layers = [[f"n{n}" for n in range(begin, min(begin + 48, count - 1))] for begin in range(1, count - 1, 48)]
    groups = [{"name": "", "parent": -1, "over_time": False}]
    inner = [f"g{i + 1}" for i in range(len(layers))] if len(layers) > 1 else layers[0]
    groups[0]["parts"] = ["n0", *inner, f"n{count - 1}"]
    groups[0]["places"] = [[0, 0], *([170 * i, 80] for i in range(len(inner))), [0, 160]]
    if len(layers) > 1:
        for i, parts in enumerate(layers):
            groups.append({"name": f"layer {i}", "parent": 0, "over_time": False, "parts": parts, "places": [[170 * k, 0] for k in range(len(parts))]})
    return {"title": "made", "queries": [], "keys": [], "sizes": {"node": [160, 60], "group": [168, 58], "time": [92, 58]}, "nodes": nodes,
            "groups": groups, "attention": [], 
            "checkup": {"layers": [], "breaks": [], "dead_ends": [], "unreached": [], "wrong": [], "agree": 0, "not_finite": 0, "unchecked": 0}, "other": None, "tensors": tensors}


class Loaded:
    """A page into which another trace was loaded; `loaded` is how many seconds that took."""

    def __init__(self, test, trace):
        self.test, self.trace = test, trace

    def __enter__(self):
        self.folder, self.browser = tempfile.TemporaryDirectory(), Browser().__enter__()
        file = Path(self.folder.name) / "page.html"
        subprocess.run([programs["make_page"], file], check=True)
        self.browser.open(file.as_uri())
        self.browser.run("""
            const start = performance.now();
            load(arguments[0]);
            document.body.getBoundingClientRect();
            window.loaded = (performance.now() - start) / 1000;""", self.trace)
        return self.browser

    def __exit__(self, *_):
        self.test.assertEqual(self.browser.console(), [])
        self.browser.__exit__()
        self.folder.cleanup()
