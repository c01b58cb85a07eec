#!/usr/bin/env python3
"""Works on the live page in a headless browser: live_test.py PAGE.html"""
import base64, json, os, re, subprocess, sys, tempfile, time, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "step"))
sys.dont_write_bytecode = True
import browser
from browser import Browser
from page_test import axe

PAGE = Path()
GAPS = """  // how long the page did not answer: the longest time between two frames, in milliseconds
  window.gaps = [];
  let before = performance.now();
  const tick = () => { const now = performance.now(); gaps.push(now - before); before = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);"""


def native(requests):
    """The answers of the engine on this processor, with the kernels for any processor, on one thread."""
    program = Path(__file__).resolve().parents[2] / "build/release/live_answers"
    if not program.exists():
        raise unittest.SkipTest(f"{program} is not built")
    done = subprocess.run([program], input="\n".join(map(json.dumps, requests)), capture_output=True, text=True, check=True,
                          env={**os.environ, "GRADUS_KERNELS": "baseline", "GRADUS_PRODUCTS": "own"})
    return [json.loads(line) for line in done.stdout.splitlines()]


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()

    def setUp(self):
        self.browser.open(PAGE.as_uri())
        self.browser.run("localStorage.clear()")
        self.browser.open(PAGE.as_uri())
        self.ready()

    def tearDown(self):
        self.assertEqual(self.browser.console(), [], "the browser's console")
        self.assertEqual({url for url in self.browser.requests() if not url.startswith(("data:", "blob:"))} - {PAGE.as_uri()}, set())

    def until(self, condition, seconds=60):
        """Waits for what JavaScript says."""
        end = time.monotonic() + seconds
        while not self.browser.run(f"return Boolean({condition})"):
            self.assertLess(time.monotonic(), end, f"waited {seconds} seconds for {condition}")
            time.sleep(0.02)

    def ready(self, seconds=60):
        """Until the engine has answered all, and what follows from that is drawn."""
        calm = "document.body.dataset.engine === 'ready' && !learning && !isFollowing && !isChanging && asked.size === 0"
        for _ in range(3):
            self.until(calm, seconds)
            self.browser.developer("Runtime.evaluate", expression="new Promise(r => requestAnimationFrame(() => setTimeout(r)))", awaitPromise=True)

    def chapter(self, number):
        self.browser.run("byId('chapter').value = arguments[0]; byId('chapter').dispatchEvent(new Event('change'))", number)
        self.ready()

    def tab(self, name):
        self.browser.click(f"#tab_{name}")

    def type(self, selector, text):
        """Writes text as it is, whatever keys a keyboard has."""
        self.browser.run("const e = document.querySelector(arguments[0]); e.value = JSON.parse(arguments[1]); e.dispatchEvent(new Event('input', {bubbles: true}))", selector, json.dumps(text))

    def value(self, name, element=0):
        """A number of the trace that is on the page."""
        return self.browser.run("return numberText(numbersOf(tensor(nodes.find(node => node.name === arguments[0]).value))[arguments[1]])", name, element)

    def focus(self):
        return self.browser.run("const e = document.activeElement; return e === document.body ? 'body' : e.id || e.localName")

    # --- the engine ---------------------------------------------------------------------------------
    def test_the_file_is_small_and_its_engine_starts_soon(self):
        b = self.browser
        self.assertLess(PAGE.stat().st_size, 5e6)
        b.open("about:blank")
        begin = time.monotonic()
        b.open(PAGE.as_uri())
        self.until("positions && document.querySelector('#panel h2')")
        first = time.monotonic() - begin
        self.ready()
        print(f"{PAGE.stat().st_size / 1e6:.1f} MB; from the file to the first step {first:.2f} s, to the live engine {time.monotonic() - begin:.2f} s")
        self.assertLess(first, 15)

    def test_it_computes_what_was_recorded(self):
        for number in range(1, 7):
            self.chapter(number)
            far = self.browser.run("""
                const recorded = lessons[chapter - 1];
                return nodes.filter((node, n) => ['value', 'gradient'].some(what => {
                  const [a, b] = [tensors[node[what]], recorded.tensors[recorded.nodes[n][what]]];
                  return a && (b.shape.join() !== a.shape.join() || !(Math.abs(a.norm - b.norm) <= 1e-3 * (1 + Math.abs(b.norm))));
                })).map(titleOf);""")
            self.assertEqual(far, [], f"lesson {number}")

    def frames(self, act, done):
        b = self.browser
        b.run(GAPS)
        b.run(act)
        time.sleep(0.2)
        self.until(done)
        gaps = b.run("return gaps.slice(2)")
        usual = sorted(gaps)[:-3]  # the machine may have been busy elsewhere
        print(f"{len(gaps) / sum(gaps) * 1000:.0f} frames a second, at most {max(gaps):.0f} ms between two: {act}")
        self.assertGreater(len(usual) / sum(usual) * 1000, 30, act)
        self.assertLess(usual[-1], 250, act)

    def test_the_page_answers_while_the_engine_computes(self):
        for number in (1, 3, 5):
            self.chapter(number)
            self.tab("training")
            self.frames("learn(1e9); setTimeout(() => { learning = null; }, 3000)", "!learning && !isFollowing && asked.size === 0")
        self.tab("sentence")
        self.frames("trainTranslator(); setTimeout(() => { training = null; }, 3000)", "!training && asked.size === 0")

    def test_memory_does_not_grow_with_the_steps_of_a_training(self):
        b = self.browser
        self.chapter(3)
        memory = lambda: b.developer("Runtime.evaluate", expression="ask({do: 'memory'}).then(({bytes}) => bytes, () => 0)", awaitPromise=True)["result"]["value"]
        if memory() == 0:
            self.skipTest("the engine does not say how much memory it has")
        train = "ask({do: 'train', steps: %d, new: %s, optimizer: 'SGD', rate: 0.01})"
        b.developer("Runtime.evaluate", expression=train % (500, "true"), awaitPromise=True)
        before = memory()
        b.developer("Runtime.evaluate", expression=train % (3000, "false"), awaitPromise=True)
        self.assertLess(memory() - before, 4e6)

    # --- change and see -----------------------------------------------------------------------------
    def test_a_value_that_is_typed_runs_the_rest_again_and_marks_what_changed(self):
        b = self.browser
        self.tab("graph")
        self.type("#change_number", "0.5")
        b.click("#change_set")
        self.ready()
        self.assertEqual((self.value("weight"), self.value("output"), self.value("loss")), ("0.5", "0.8483", "0.02302"))
        changed = b.run("return [...document.querySelectorAll('#graph .changed')].map(box => titleOf(nodes[numberOf(box.dataset.part)]))")
        self.assertEqual(set(changed), {"weight", "input", "bias", "multiply", "add", "output = tanh", "error = subtract", "loss = multiply"})  # values or gradients
        self.assertEqual(b.text("#undo"), "Undo (1)")
        b.click("#undo")
        self.ready()
        self.assertEqual((self.value("weight"), self.value("loss")), ("−0.5", "2.674"))
        self.assertEqual(b.attribute("#undo", "aria-disabled"), "true")
        self.assertEqual(self.focus(), "undo")

    def test_nan_and_infinity_may_be_typed_and_what_is_no_number_is_said(self):
        b = self.browser
        for text, loss in (("nan", "NaN"), ("−inf", "4"), ("∞", "0"), ("1e400", None), ("two", None), ("", None), ("1,5", None)):
            self.type("#change_number", text)
            b.click("#change_set")
            self.ready()
            if loss is not None:
                self.assertEqual(self.value("loss"), loss, text)
            else:
                self.assertIn(f"got '{text}'", b.text("#change_error"))
        self.tab("doctor")
        self.type("#change_number", "nan")
        b.click("#change_set")
        self.ready()
        self.assertIn("begins here", b.text("#doctor"))

    def test_a_slider_stays_under_the_pointer_while_it_runs_the_rest_again(self):
        b = self.browser
        self.tab("graph")
        x, y, width = b.run("const box = byId('change_slider').getBoundingClientRect(); return [box.left, box.top + box.height / 2, box.width]")
        mouse = lambda kind, share: b.developer("Input.dispatchMouseEvent", type=kind, x=x + share * width, y=y, button="left", buttons=1, clickCount=1)
        seen = []
        mouse("mousePressed", 0.4)
        for share in (0.5, 0.6, 0.7, 0.8, 0.9):
            mouse("mouseMoved", share)
            self.ready()
            seen.append(float(self.value("weight").replace("−", "-")))
        mouse("mouseReleased", 0.9)
        self.assertEqual(seen, sorted(set(seen)))
        self.assertGreater(seen[-1], 1.4)
        mouse("mouseMoved", 0.1)
        self.ready()
        self.assertEqual(float(self.value("weight")), seen[-1])

    def test_one_element_of_a_matrix_is_changed(self):
        b = self.browser
        self.chapter(2)
        b.run("select(nodes.find(node => node.name === 'dense.weight').number); pick('y', [1, 1])")
        self.assertEqual(b.text(".change h3"), "Change [1, 1], and see")
        self.type("#change_number", "7")
        b.click("#change_set")
        self.ready()
        self.assertEqual(self.value("dense.weight", 3), "7")

    def test_100_steps_of_training_have_the_bits_of_the_processor(self):
        requests = []
        for lesson in (1, 2, 3, 4, 6):
            for optimizer, rate in (("SGD", 0.1), ("Adam", 0.02)):
                requests += [{"do": "open", "lesson": lesson}, {"do": "train", "steps": 100, "new": True, "optimizer": optimizer, "rate": rate}]
        requests += [{"do": "learn", "new": step == 0, "milliseconds": 0} for step in range(100)]
        self.browser.run("""
            window.answers = [];
            (async () => {
              for (const request of arguments[0]) {
                const {steps, loss} = await ask(request);
                answers.push(steps || loss === undefined ? steps && steps.map(step => step[0]) : loss);
              }
              window.isAnswered = true;
            })();""", requests)
        self.until("window.isAnswered", 120)
        expected = [[step[0] for step in answer["steps"]] if "steps" in answer else answer.get("loss") for answer in native(requests)]
        self.assertEqual(self.browser.run("return answers.map(answer => answer === undefined ? null : answer)"), expected)
        self.assertEqual(len(expected[1]), 101)

    def test_what_one_drag_changes_one_undo_takes_back(self):
        b = self.browser
        self.tab("graph")
        b.run("select(0)")
        b.run("""
            const slider = byId('change_slider'), at = name => slider.dispatchEvent(new PointerEvent(name, {bubbles: true, button: 0}));
            at('pointerdown');
            for (const value of [0.1, 0.3, 0.5]) { byId('change_slider').value = value; byId('change_slider').dispatchEvent(new Event('input')); }
            at('pointerup');""")
        self.ready()
        self.assertEqual(self.value("weight"), "0.5")
        self.assertEqual(b.text("#undo"), "Undo (1)")
        b.click("#undo")
        self.ready()
        self.assertEqual(self.value("weight"), "−0.5")

    def test_the_engine_speaks_the_language_of_the_page(self):
        b = self.browser
        b.click("#language")
        self.tab("formula")
        self.formula("x +")
        self.assertEqual(b.text("#formula_answer [role=alert]"), "末尾应为数字、名字或 (")
        b.click("#language")

    def test_a_training_that_is_left_alone_ends(self):
        b = self.browser
        self.tab("training")
        b.run("window.whole = ask; ask = async request => ({...await whole(request), ...(request.do === 'train' ? {stopped: true, full: true} : {})});")
        b.click("#learn_on")
        self.ready()
        self.assertIn("100,000 steps", b.text("#training_error"))

    def test_two_steps_of_one_training_stand_side_by_side(self):
        b = self.browser
        self.tab("training")
        b.click("#learn_100")
        self.ready()
        b.run("chooseStep(0, 10)")
        self.ready()
        b.click("#remember_step")
        self.assertEqual(b.text("#compare_step"), "Beside step 10 of run 1")
        b.run("chooseStep(0, 100)")
        self.ready()
        b.click("#compare_step")
        self.ready()
        self.assertEqual(b.run("return tab"), "differences")
        here, there = b.run("""
            const n = nodes.find(node => node.name === 'loss').number;
            return [numbersOf(tensor(nodes[n].value))[0], numbersOf(tensor(counterpart(n).value))[0]];""")
        loss = b.run("return runs[0].steps.map(step => step[0])")
        self.assertAlmostEqual(here, loss[100], 6)
        self.assertAlmostEqual(there, loss[10], 6)

    def test_an_op_opens_into_those_that_define_it_and_closes_again(self):
        b = self.browser
        self.chapter(2)
        self.tab("graph")
        b.run("select(nodes.find(node => node.op === 'softmax').number)")
        place = b.run("return position")
        b.click("#open_op")
        self.ready()
        self.assertIn("exp", b.run("return nodes.map(node => node.op)"))
        self.assertTrue(b.run("return nodes.every(node => node.kind !== 'op' || node.verdict)"))
        self.assertIn("softmax", b.run("return document.title"))
        b.click("#close_op")
        self.ready()
        self.assertEqual(b.run("return position"), place)
        b.run("select(nodes.find(node => node.name === 'dense.weight').number)")
        self.assertEqual(b.count("#open_op"), 0)
        b.run("select(nodes.find(node => node.op === 'log').number)")
        b.click("#open_op")
        self.ready()
        self.assertNotEqual(b.text("#inside_error"), "")

    def test_the_rules_of_a_large_lesson_are_checked_when_asked_for(self):
        b = self.browser
        self.chapter(3)
        self.tab("graph")
        b.click("#check_rules")
        self.ready()
        self.assertEqual(b.run("return nodes.filter(node => node.kind === 'op' && node.derivatives.length > 0 && !node.verdict).length"), 0)
        self.assertEqual(b.count("#check_rules"), 0)

    # --- a formula ----------------------------------------------------------------------------------
    def formula(self, text):
        self.type("#formula_text", text)
        self.browser.run("byId('formula_go').click()")
        self.ready()

    def test_a_formula_has_a_derivative_a_graph_and_a_verdict_and_may_stand_in_a_lesson(self):
        b = self.browser
        self.tab("formula")
        self.formula("x * sigmoid(x)")
        self.assertEqual(b.run("return [...document.querySelectorAll('#formula_answer [data-formula]')].map(line => line.dataset.formula)"),
                         ["y = x · sigmoid(x)", "dL/dx = g · sigmoid(x) + g · x · (sigmoid(x) · (1 − sigmoid(x)))"])
        self.assertEqual(b.count("#formula_answer .verdict.agrees"), 1)
        self.assertEqual(b.count("#formula_answer .plot path.line"), 4)  # and the keys
        b.click("#formula_put")
        self.ready()
        self.assertIn("It stands in 1 op", b.text("#put_answer"))
        self.assertEqual(self.value("output"), "−0.2406")  # −0.75 · sigmoid(−0.75)
        b.click("#undo")
        self.ready()
        self.assertEqual(self.value("output"), "−0.6351")
        self.assertFalse(b.run("return byId('put_answer').textContent"))
        self.assertEqual(b.run("return byId('formula_text').value"), "x * sigmoid(x)")

    def test_what_is_no_formula_is_said(self):
        b = self.browser
        self.tab("formula")
        for text in ("x +", "foo(x)", "x @ x", "", "1", "y", "x)", "(" * 5000 + "x" + ")" * 5000, "x" + "+x" * 50000, "</script><img src=x onerror=alert(1)>", "softmax(x)", "\ud800", "√", "x^"):
            self.formula(text)
            self.assertTrue(b.run("return document.querySelector('#formula_answer [role=alert]').textContent.length < 400"), text[:20])
            b.click("#formula_put")
            self.ready()
            self.assertEqual(b.count("#put_answer [role=alert]"), 1, text[:20])
        self.assertEqual(b.count("img"), 0)
        for text in ("1/x", "sqrt(x)", "log(x)", "abs(x)", "exp(exp(exp(x)))", "0*x"):
            self.formula(text)
            self.assertEqual(b.count("#formula_answer .verdict"), 1, text)
        self.formula("x * sigmoid(x)")
        self.assertEqual(b.count("#formula_answer .verdict.agrees"), 1)

    # --- training -----------------------------------------------------------------------------------
    def train(self, button):
        self.browser.run("byId(arguments[0]).click()", f"learn_{button}")
        self.ready()

    def test_a_training_goes_by_steps_or_until_it_is_stopped(self):
        b = self.browser
        self.tab("training")
        self.train(1)
        self.assertEqual(b.run("return runs[0].steps.length"), 2)
        self.train(100)
        self.assertEqual(b.run("return runs[0].steps.length"), 102)
        b.click("#learn_on")
        self.until("runs[0].steps.length > 300")
        self.assertEqual(b.run("return byId('learn_on').textContent"), "Stop")
        b.click("#learn_on")
        self.ready()
        self.assertEqual(b.text("#learn_on"), "Until stopped")
        count = b.run("return runs[0].steps.length")
        time.sleep(0.3)
        self.assertEqual(b.run("return runs[0].steps.length"), count)

    def test_the_timeline_leads_the_page_through_a_training(self):
        b = self.browser
        self.chapter(4)
        self.tab("training")
        self.train(100)
        self.assertEqual(b.count("#training .sentence_map"), 1)
        b.run("const line = byId('timeline'); line.value = 0; line.dispatchEvent(new Event('input'))")
        self.ready()
        self.assertIn("Step 0: loss 1.51253", b.text("#step_text"))
        first = b.run("return [...document.querySelectorAll('#training .sentence_map tbody td')].map(td => td.textContent)")
        self.assertIn("0.74", first)
        for at in (10, 40, 70, 100):  # as fast as one drags: the last one is shown
            b.run("const line = byId('timeline'); line.value = arguments[0]; line.dispatchEvent(new Event('input'))", at)
        self.ready()
        self.assertNotEqual(b.run("return [...document.querySelectorAll('#training .sentence_map tbody td')].map(td => td.textContent)"), first)
        self.assertEqual(b.run("return numberText(numbersOf(tensor(nodes[nodes.length - 1].value))[0])"), b.run("return numberText(runs[0].steps[100][0])"))
        self.assertEqual(b.text("#undo"), "Undo (1)")
        b.run("document.querySelector('#training .plot svg').dispatchEvent(new MouseEvent('click', {clientX: 0}))")
        self.ready()
        self.assertIn("Step 0:", b.text("#step_text"))
        b.click("#open_step")
        self.assertEqual(b.run("return tab"), "graph")
        self.assertNotEqual(self.focus(), "body")
        b.press("End")
        b.click("#last")
        self.assertIn("Backward pass", b.text(".phase"))

    def test_two_runs_are_compared_side_by_side(self):
        b = self.browser
        self.tab("training")
        self.train(100)
        self.type("#clip", "0.1")
        self.train(100)  # other settings: another run, from the same beginning
        self.assertEqual(b.run("return runs.map(run => [run.steps.length, run.options.clip])"), [[101, 0], [101, 0.1]])
        self.assertEqual(*b.run("return runs.map(run => run.steps[0][0])"))
        self.assertEqual(b.run("return [...document.querySelectorAll('#training .plot .key')].slice(0, 2).map(key => key.textContent)"), ["1: SGD 0.1", "2: SGD 0.1, Clip at norm 0.1"])
        b.click("#compare_step")
        self.ready()
        self.assertEqual(b.run("return tab"), "differences")
        self.assertIn("from the other trace", b.text("#differences"))
        b.click(".differences button")
        self.assertEqual(b.count("#panel .pair .tensor"), 2)
        self.assertNotEqual(self.focus(), "body")

    def test_a_training_that_diverges_stops_and_says_why(self):
        b = self.browser
        self.chapter(2)
        self.tab("training")
        self.type("#rate", "1e9")
        self.train("on")
        self.assertIn("Stopped: a gradient is not finite", b.text("#training_error"))
        self.assertEqual(b.run("return runs[0].steps.at(-1)[0]"), None)
        b.click("#open_step")
        self.tab("doctor")
        self.assertIn("begins here", b.text("#doctor"))
        self.tab("training")
        b.click("#language")
        self.assertIn("不是有限数", b.text("#training_error"))
        b.click("#language")
        for text in ("-1", ""):
            self.type("#rate", text)
            self.train(1)
            self.assertIn("Rate: expected a number of 0 or more", b.text("#training_error"))

    def test_another_lesson_may_be_opened_while_one_trains(self):
        b = self.browser
        self.tab("training")
        b.click("#learn_on")
        self.until("runs.length > 0 && runs[0].steps.length > 50")
        self.chapter(2)
        self.assertEqual(b.run("return [runs.length, Boolean(learning), nodes.length]"), [0, False, 11])
        self.assertFalse(b.run("return byId('training_error').textContent"))
        for number in (3, 1, 5, 2, 6, 4):  # faster than they open
            b.run("byId('chapter').value = arguments[0]; byId('chapter').dispatchEvent(new Event('change'))", number)
        self.ready()
        self.assertEqual(b.run("return [chapter, nodes.length, trace.title]"), [4, 14, "Lesson 4: scaled dot-product attention"])

    # --- a sentence ---------------------------------------------------------------------------------
    def translate(self, text):
        self.type("#sentence_text", text)
        self.browser.run("byId('translate').click()")
        self.ready()

    def test_a_sentence_is_translated_and_stepped_through(self):
        b = self.browser
        self.tab("sentence")
        self.translate("My father bought four skirts yesterday morning.")
        self.assertEqual(b.text(".translation"), "我爸爸昨天早上买了四条裙子。")
        self.assertEqual(b.run("return [...document.querySelectorAll('.sentence_map thead th')].map(th => th.textContent)"), ["my", "father", "bought", "four", "skirts", "yesterday", "morning", "."])
        self.translate("My zebra bought four skirts.")
        self.assertEqual(b.text(".sentence_map th.bad"), "zebra")
        self.assertIn("Words in red", b.text("#sentence_answer"))
        b.click("#step_through")
        self.ready()
        self.assertEqual(b.run("return [chapter, tab]"), [5, "graph"])
        self.assertNotEqual(self.focus(), "body")
        self.assertEqual(b.run("return trace.keys.length"), 6)
        self.tab("attention")
        self.assertEqual(b.count("#attention table.map"), 1)

    def test_no_sentence_breaks_the_page(self):
        b = self.browser
        self.tab("sentence")
        for text in ("", "   ", "\ud800", "a\udc00b", "\u202eabc\u200f", "</script><img src=x onerror=alert(1)>", "\u0000", "😀" * 50, "word " * 400, "中文", "\n\t", "e\u0301" * 20, "<eos> <pad> <unk>", "a" * 10000):
            self.translate(text)
            self.assertTrue(b.run("return byId('sentence_answer').textContent"), repr(text[:20]))
            if b.count("#step_through"):
                b.run("byId('step_through').click()")
                self.ready()
                self.tab("sentence")
        self.assertEqual(b.count("img"), 0)
        self.translate("My father bought four skirts yesterday morning.")
        self.assertEqual(b.text(".translation"), "我爸爸昨天早上买了四条裙子。")

    def test_a_translator_is_trained_anew_in_the_page_and_may_be_stopped(self):
        b = self.browser
        self.tab("sentence")
        b.click("#train_translator")
        self.until("translatorProgress && translatorProgress.step > 0")
        self.assertEqual(b.text("#train_translator"), "Stop")
        self.assertRegex(b.text("#sentence_progress"), r"batch \d+ of \d+, loss .*, \d+ s, \d+ s left")
        b.click("#train_translator")
        self.until("!training && asked.size === 0")
        self.assertEqual(b.text("#train_translator"), "Train a new one")
        begin = time.monotonic()
        b.click("#train_translator")
        self.until("!training && asked.size === 0", 300)
        print(f"a new translator in {time.monotonic() - begin:.0f} s, loss {b.run('return translatorProgress.loss'):.3f}")
        self.assertLess(b.run("return translatorProgress.loss"), 0.5)
        self.translate("My father bought four skirts yesterday morning.")
        self.assertIn("裙子", b.text(".translation"))
        self.chapter(5)
        self.assertEqual(b.run("return trace.keys.length"), 8)

    # --- exercises ----------------------------------------------------------------------------------
    def answer(self, number, text):
        b = self.browser
        b.run("byId(arguments[0]).click()", f"exercise_{number}")
        self.type("#exercise_text", text)
        b.run("byId('exercise_check').click()")
        self.ready()
        return b.text("#exercise_answer")

    def test_right_answers_are_right_and_wrong_ones_get_a_hint(self):
        b = self.browser
        self.tab("exercises")
        self.until("exercises.length === 10")
        wrong = ((0, "-g * b", "The sign is wrong"), (0, "b", "gradient g is missing"), (0, "2 * g * b", "Twice as much"), (0, "3 * g * b", "A factor is wrong: 3 times"), (0, "sum(g * b)", "the sum of the right elements"),
                 (2, "g * 2 * x * (x^2 + 1)", "Half of what"), (5, "g", "The sum over axis 0 is missing"), (7, "b @ g'", "Transposed"), (8, "g", "The shape is"), (0, "", ""), (0, "g *", ""), (0, "z", ""), (0, "g * b * nan", ""))
        for number, text, hint in wrong:
            said = self.answer(number, text)
            self.assertIn(hint, said)
            self.assertTrue(said and not said.startswith("✓"), text)
        for number, text in enumerate(b.run("return exercises.map(one => one.answer)")):
            self.assertIn("Right", self.answer(number, text))
            self.assertEqual(b.text("#exercises h2 small"), f"{number + 1} of 10 solved")
            self.assertEqual(self.focus(), "exercise_text")
            if number < 9:
                b.click("#exercise_next")
                self.assertEqual(b.run("return [exercise, document.activeElement.id]"), [number + 1, "exercise_text"])

    def open_file(self, text):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "mine.txt"
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            self.browser.type("#exercise_file", str(file))
            time.sleep(0.1)
            self.ready()

    def test_a_teacher_s_file_is_opened_and_a_broken_one_refused_with_its_line(self):
        b = self.browser
        self.tab("exercises")
        self.until("exercises.length === 10")
        good = "title: Twice | 两倍\ny: 2 * a\na: [1, 2]\nfind: a\nanswer: 2 * g\n"
        self.open_file(good)
        self.assertEqual(b.run("return exercises.map(one => one.title.en)"), ["Twice"])
        self.assertIn("Right", self.answer(0, "g + g"))
        for broken, line in ((good.replace("[1, 2]", "[1, 2"), "line 3"), (good.replace("2 * g", "3 * g"), "the answer of the exercise"), ("", "there is none"), (good + "nonsense\n", "line 6"),
                             (b"\xff\xfe\x00\xd8", ""), (good.replace("find: a", "find: q"), "find: 'q'")):
            self.open_file(broken)
            self.assertIn(line, b.text("#exercise_answer"))
            self.assertGreater(b.count("#exercise_answer [role=alert]"), 0)
            self.assertEqual(b.run("return exercises.length"), 1)

    # --- the guide ----------------------------------------------------------------------------------
    def test_every_number_that_the_guide_tells_is_on_the_page(self):
        b = self.browser
        number = r"(?<![\w.])−?\d+(?:\.\d+)?(?:e−?\d+)?(?![\w.]*\d)"
        known = {(1, 1): ["1", "2", "0.5967"], (2, 0): ["1"], (2, 1): ["1"], (2, 2): ["0", "1"]}
        for lesson in range(1, 7):
            self.chapter(lesson)
            for i, stop in enumerate(b.run("return guides[chapter - 1]")):
                tensors = "nodes.filter(node => tensor(node.value).count <= 64).flatMap(node => ['value', 'gradient'].flatMap(what => tensor(node[what]) && numbersOf(tensor(node[what])) ? [...numbersOf(tensor(node[what])), tensor(node[what]).norm] : [])).map(v => numberText(v, 7)).join(' ')"
                gather = "return byId('panel').innerText + ' ' + byId(tab).innerText + ' ' + byId('graph').textContent + ' ' + runs.flatMap(run => run.steps.flatMap(step => step.slice(0, 2))).map(v => numberText(v, 7)).join(' ') + ' ' + " + tensors
                self.chapter(lesson)
                self.tab("graph")
                b.run("byId('expand').click(); go(nodes.length - 1)")
                page = b.run(gather)
                b.run("takeStop(arguments[0])", i)
                time.sleep(0.1)
                self.ready()
                page += " " + b.run(gather)
                there = [float(text.replace("−", "-")) for text in re.findall(number, page)]
                texts = [" ".join(stop[language]) for language in ("en", "zh")]
                told = [re.findall(number, re.sub(r"[A-Za-z]\w*\.\d", "", text)) for text in texts]
                missing = [text for text in told[0] if text not in known.get((lesson, i), []) and
                           not any(f"{v:.{len(text.partition('.')[2])}f}".replace("-", "−") == text or v == float(text.replace("−", "-")) for v in there)]
                self.assertEqual(missing, [], (lesson, i, texts[0]))
                self.assertEqual(sorted(told[0]), sorted(told[1]), texts)
                self.assertFalse(b.run("return document.querySelector('#stop .bad')"), (lesson, i))
                self.assertFalse(b.run("return byId('stop').hidden"))
                self.assertEqual(self.focus(), "stop")


    # --- for everyone -------------------------------------------------------------------------------
    def every_tab(self):
        """Each tab of each lesson, the added ones with something in them."""
        b = self.browser
        for number in range(1, 7):
            self.chapter(number)
            for name in b.run("return [...byId('tabs').children].map(tab => tab.id.slice(4))"):
                if number != 4 and name in ("sentence", "exercises", "formula"):
                    continue
                self.tab(name)
                for button in {"training": ["learn_1", "learn_new"], "sentence": ["translate"], "formula": ["formula_go"], "exercises": ["exercise_check"]}.get(name, []):
                    self.until(f"byId('{button}')")
                    b.run("byId(arguments[0]).click()", button)
                    self.ready()
                yield f"lesson {number}, {name}"
        b.run("takeStop(0)")
        self.ready()
        yield "a stop of the guide"

    def test_the_keyboard_reaches_everything_and_the_focus_is_never_lost(self):
        b = self.browser
        b.run("byId('chapter').focus()")
        seen = set()
        for name in ("guide", "formula", "training", "sentence", "exercises", "graph"):
            b.run("byId(arguments[0]).focus()", "tab_guide")
            b.run("byId(arguments[0]).click(); byId(arguments[0]).focus()", f"tab_{name}")
            self.ready()
            for _ in range(60):
                b.press("Tab")
                focus = self.focus()
                if focus == "body":
                    break
                seen.add(focus)
        self.assertLessEqual({"stop_0", "stop_4", "formula_text", "formula_go", "instead_of", "formula_put", "optimizer", "rate", "clip", "seed", "learn_1", "learn_100", "learn_on", "learn_new", "sentence_text",
                              "translate", "train_translator", "exercise_text", "exercise_check", "exercise_9", "exercise_file", "change_number", "change_slider", "change_set", "undo", "first", "slider"} - seen, set())
        press = lambda focus, key: (b.run("byId(arguments[0]).focus()", focus), b.press(key), self.ready(), self.assertNotEqual(self.focus(), "body", f"{key} on {focus}"))
        tabs = lambda name: b.run("byId(arguments[0]).click()", f"tab_{name}")
        for focus, key in (("change_slider", "ArrowRight"), ("change_number", "Enter"), ("change_set", "Enter"), ("undo", "Enter"), ("undo", "Enter"), ("undo", "Enter"), ("undo", "Enter")):
            press(focus, key)
            self.assertEqual(self.focus(), focus)
        self.assertEqual(self.value("weight"), "−0.5")
        tabs("guide")
        press("stop_2", "Enter")
        press("stop_after", "Enter")
        press("stop_after", "Enter")
        press("stop_before", "Enter")
        press("stop_list", "Enter")
        press("stop_0", "Enter")
        press("stop_close", "Enter")
        tabs("training")
        for focus, key in (("learn_1", "Enter"), ("learn_100", "Enter"), ("timeline", "ArrowLeft"), ("timeline", "ArrowLeft"), ("learn_new", "Enter")):
            press(focus, key)
            self.assertEqual(self.focus(), focus)
        press("compare_step", "Enter")
        tabs("training")
        press("open_step", "Enter")
        tabs("formula")
        press("formula_text", "Enter")
        press("formula_put", "Enter")
        tabs("exercises")
        self.until("exercises.length")
        press("exercise_3", "Enter")
        press("exercise_text", "Enter")
        tabs("sentence")
        press("sentence_text", "Enter")
        press("step_through", "Enter")

    def test_both_languages_say_everything(self):
        b = self.browser
        self.assertEqual(b.run("""
            const missing = Object.keys(words.en).filter(key => !(key in words.zh)).concat(Object.keys(words.zh).filter(key => !(key in words.en)));
            const script = [...document.scripts].pop().textContent;
            for (const [, key] of script.matchAll(/say\\('(\\w+)'/g)) if (!(key in words.en)) missing.push(key);
            return missing;"""), [])
        b.click("#language")
        allowed = set("""Gradus English A Aa AA SGD momentum RMSprop Adam x y g a b w dL da db dx dw e sigmoid tanh exp log relu softplus sqrt sin cos abs erf sign max min sum mean softmax loss float LSTM Dense NaN nan inf
            Home End Shift WebAssembly Emma library book words dy t I drink tea matmul""".split())
        found = {}
        for place in self.every_tab():
            if place.split()[-1] in ("lesson", "graph", "list", "attention", "doctor", "differences"):
                continue
            text = b.run("""
                const clone = byId(tab === 'guide' || !moreTabs.some(({name}) => name === tab) ? 'stop' : tab).cloneNode(true);
                for (const e of clone.querySelectorAll('math, svg, .weights, .mono, input, option, .sentence_map, .key, [role=alert]')) e.remove();
                return clone.textContent + ' ' + [...document.querySelectorAll('header, #tabs, .change')].map(e => e.innerText).join(' ')
                  + ' ' + [...document.querySelectorAll('.live [aria-label], header [aria-label], header [title]')].map(e => `${e.getAttribute('aria-label') || ''} ${e.getAttribute('title') || ''}`).join(' ');""")
            english = {word for word in re.findall(r"[A-Za-z]{2,}", text)} - allowed - set(b.run("return nodes.flatMap(node => `${node.name} ${node.op} ${node.path}`.match(/[A-Za-z]+/g) || [])"))
            found.update({word: place for word in english})
        b.click("#language")
        self.assertEqual(found, {})

    def test_nothing_overflows_in_any_width(self):
        b = self.browser
        wrong = []
        for width, height, large in ((320, 640, False), (640, 512, True), (360, 740, False), (1280, 800, False), (1920, 1080, True)):
            b.developer("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            b.open(PAGE.as_uri())
            self.ready()
            if large:
                b.click("#size")
            for place in self.every_tab():
                for which, over in b.run("""
                    const wide = [document.scrollingElement, byId('panel'), byId('stop'), ...document.querySelectorAll('.view.live:not([hidden])')].filter(e => e.clientWidth > 0);
                    return wide.map(e => [e.id || e.localName, e.scrollWidth - e.clientWidth]).filter(([, over]) => over > 1);"""):
                    wrong.append(f"{place} at {width} × {height}: {which} by {over}")
            if large:
                b.click("#size")
        b.developer("Emulation.clearDeviceMetricsOverride")
        self.assertEqual(wrong, [])

    def test_axe_finds_no_serious_violation(self):
        script = axe()
        if script is None:
            self.skipTest("axe-core is not installed: pip install axe-selenium-python, or name axe.min.js in GRADUS_AXE")
        b = self.browser
        b.run(script + "; window.axe = axe;")
        wrong = {}
        for theme in ("light", "dark"):
            b.developer("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
            for place in self.every_tab():
                found = b.run("""
                    return axe.run().then(results => results.violations
                      .filter(({impact}) => impact === 'serious' || impact === 'critical')
                      .map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' ')}`));""")
                for one in found:
                    wrong.setdefault(one, f"{place}, {theme}")
        b.developer("Emulation.setEmulatedMedia", features=[])
        self.assertEqual(wrong, {})

    def test_system_colours_and_dark_ones_show_every_line(self):
        b = self.browser
        self.tab("training")
        for _ in range(8):
            self.train("new")
        for feature, value in (("forced-colors", "active"), ("prefers-color-scheme", "dark"), ("prefers-color-scheme", "light")):
            b.developer("Emulation.setEmulatedMedia", features=[{"name": feature, "value": value}])
            styles = b.run("""
                const card = getComputedStyle(document.querySelector('#stage')).backgroundColor;
                return [...document.querySelectorAll('.plot')[0].querySelectorAll(':scope > svg .line')].map(line => getComputedStyle(line)).map(({stroke, strokeDasharray, strokeWidth}) => [stroke === card, `${stroke} ${strokeDasharray} ${strokeWidth}`]);""")
            self.assertEqual(len({style for _, style in styles}), 8, styles)
            self.assertFalse(any(hidden for hidden, _ in styles))
        b.developer("Emulation.setEmulatedMedia", features=[])
        self.assertEqual(b.attribute("#learn_new", "aria-disabled"), "true")

    def test_on_paper_are_the_graph_and_every_step(self):
        b = self.browser
        self.type("#change_number", "0.5")
        b.click("#change_set")
        self.ready()
        pdf = base64.b64decode(b.developer("Page.printToPDF", printBackground=True)["data"])
        self.assertTrue(pdf.startswith(b"%PDF"))
        self.assertGreater(len(re.findall(rb"/Type\s*/Page\b", pdf)), 3)
        b.developer("Emulation.setDeviceMetricsOverride", width=794, height=600, deviceScaleFactor=1, mobile=False)  # a sheet of A4
        b.developer("Emulation.setEmulatedMedia", media="print")
        b.run("dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(b.count("#steps article"), b.run("return positions.length"))
        self.assertEqual(b.run("return ['graph', 'list', 'stage'].filter(id => byId(id).clientHeight + 4 < byId(id).scrollHeight || byId(id).clientHeight === 0)"), [])
        self.assertEqual(b.run("return [...document.querySelectorAll('#steps .change, #undo, #engine_state')].filter(e => e.checkVisibility()).length"), 0)
        b.run("dispatchEvent(new Event('afterprint'))")
        b.developer("Emulation.setEmulatedMedia", media="")
        b.developer("Emulation.clearDeviceMetricsOverride")
        self.ready()


class WithoutWebAssembly(unittest.TestCase):
    def test_the_page_shows_what_was_recorded_and_says_so(self):
        with Browser() as b:
            b.developer("Page.addScriptToEvaluateOnNewDocument", source="delete window.WebAssembly")
            b.open(PAGE.as_uri())
            time.sleep(0.5)
            self.assertEqual(b.text("#engine_state"), "Recording only")
            for number in range(1, 7):
                b.run("byId('chapter').value = arguments[0]; byId('chapter').dispatchEvent(new Event('change'))", number)
                last = b.run("return positions.length")
                b.run("byId('tab_graph').click()")
                b.click("#last")
                self.assertEqual(b.text("#place"), f"{last} / {last}")
                self.assertIn("Backward pass", b.text(".phase"))
                b.click("#first")
                self.assertEqual(b.count(".change"), 0)
                for tab in b.run("return [...byId('tabs').children].map(tab => tab.id)"):
                    b.run("byId(arguments[0]).click()", tab)
                b.run("byId('tab_guide').click()")
                self.assertIn("This browser does not run WebAssembly", b.text("#guide"))
                b.run("byId('stop_0').click()")
            for tab, button in (("guide", "stop_3"), ("formula", "formula_go"), ("training", "learn_100"), ("sentence", "translate")):
                b.run("byId(arguments[0]).click()", f"tab_{tab}")
                b.run("byId(arguments[0]).click()", button)
                self.assertIn("This browser does not run WebAssembly", b.text(f"#{tab}"))
            b.run("byId('tab_exercises').click()")
            self.assertIn("This browser does not run WebAssembly", b.text("#exercises"))
            self.assertEqual(b.console(), [])


if __name__ == "__main__":
    PAGE = Path(sys.argv.pop(1)).resolve()
    if missing := browser.missing():
        print("skipped: not installed:", ", ".join(missing))
        sys.exit(0)
    unittest.main()
