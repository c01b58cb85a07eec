"""Formulas with their numbers, and what they are linked with: see page_test.py, which runs these."""
import unittest

from pages import lesson


class Formulas(unittest.TestCase):
    def test_formulas_are_written_out_with_their_numbers(self):
        b = lesson(self, 1)
        arithmetic = lambda: b.run("return [...document.querySelectorAll('.arithmetic')].map(line => line.textContent)")
        b.run("go(nodes.findIndex(node => node.op === 'tanh'))")
        self.assertEqual(arithmetic(), ["= tanh(−0.75) = −0.6351"])
        b.click("#other_pass")
        self.assertEqual(arithmetic(), ["= −3.27 · (1 − (−0.6351) · (−0.6351)) = −1.951"])
        b.run("select(nodes.findIndex(node => node.name === 'loss'))")
        self.assertEqual(arithmetic(), ["= 1 · (−1.635) = −1.635"] * 2)

    def test_products_sums_and_softmax_are_written_out_for_the_cell_that_is_chosen(self):
        b = lesson(self, 2)
        arithmetic = lambda: b.run("return [...document.querySelectorAll('.arithmetic')].map(line => line.textContent)")
        b.run("go(nodes.findIndex(node => node.op === 'linear'))")
        b.click("#panel td[data-of=y][data-at='1,1']")
        self.assertEqual(arithmetic(), ["y[1, 1] = 0.5 · 0.6661 + 3 · (−0.07869) + 0.03262 = 0.1296"])
        self.assertEqual(b.run("return [...document.querySelectorAll('#panel td.read')].map(cell => cell.dataset.of + cell.dataset.at)"), ["a1,0", "a1,1", "b1,0", "b1,1", "c1"])
        b.press("ArrowRight")  # the focus is on the cell: it walks
        b.press("Enter")
        self.assertIn("y[1, 2] = ", arithmetic()[0])
        b.run("go(backwardPosition.get(nodes.findIndex(node => node.op === 'linear')))")
        self.assertIn("dL/dc[1] = 0.6515 + 0.1359 = 0.7874", arithmetic()[1])
        b.run("go(nodes.findIndex(node => node.op === 'softmax'))")
        self.assertRegex(arithmetic()[0], r"^y\[0, 1\] = e\^\S+ / \(e\^\S+ \+ e\^\S+ \+ e\^\S+\) = ")
        b.run("go(nodes.findIndex(node => node.op === 'sum'))")
        self.assertRegex(arithmetic()[0], r"^y\[0, 0\] = \(.* \+ …\) = −2.705$")

    def test_arithmetic_that_is_not_what_was_recorded_is_not_shown(self):
        b = lesson(self, 1)
        b.run("nodes.forEach(node => { if (node.op === 'multiply') node.formula = 'a + b'; }); go(nodes.findIndex(node => node.op === 'multiply'))")
        self.assertEqual(b.count(".arithmetic"), 0)
        self.assertEqual(b.attribute("#panel .formula p", "data-formula"), "y = a + b")

    def test_formulas_are_parsed_whole_or_stay_text(self):
        b = lesson(self, 1)
        for text, mathml in (("a · bᵀ / √(c)", "<mrow><mrow><mi>a</mi><mo>·</mo><msup><mi>b</mi><mi mathvariant=\"normal\">T</mi></msup></mrow><mo>/</mo><msqrt><mi>c</mi></msqrt></mrow>"),
                             ("g / x", "<mfrac><mi>g</mi><mi>x</mi></mfrac>"), ("x²", "<msup><mi>x</mi><mn>2</mn></msup>")):
            self.assertEqual(b.run("return mathOf(parseFormula(arguments[0]), name => mathElement('mi', {}, name)).outerHTML", text), mathml)
        for text in ("x in another shape", "a, b, … one after the other", "(a", "a +", "g where x = y, in equal parts; 0 elsewhere"):
            self.assertIsNone(b.run("return parseFormula(arguments[0])", text), text)

    def test_formulas_of_strangers_neither_break_nor_block_the_page(self):
        b = lesson(self, 2)
        for formula in ("(" * 3000 + "x" + ")" * 3000, "−" * 3000 + "x", " + ".join(["x"] * 3000), "constructor", "toString(x)", "x __proto__", "Σ Σ Σ Σ Σ Σ Σ Σ Σ Σ x"):
            seconds = b.run("""
                const node = nodes.find(node => node.op === 'softmax'), start = performance.now();
                node.formula = arguments[0];
                go(node.number);
                return (performance.now() - start) / 1000;""", formula)
            self.assertLess(seconds, 2)
            self.assertEqual(b.run("return document.querySelectorAll('.arithmetic').length"), 0)

    def test_a_letter_lights_up_with_its_tensor_its_box_and_its_edge(self):
        b = lesson(self, 1)
        b.run("go(nodes.findIndex(node => node.op === 'add')); document.querySelector('#panel math [data-link=b]').focus()")
        self.assertEqual(b.run("return [...document.querySelectorAll('.lit')].map(e => e.dataset.part || e.tagName.toLowerCase())"), ["path", "n3", "mi", "dt", "figure"])
        b.run("document.querySelector('#panel [data-line]').focus()")
        self.assertIn("current", b.run("return [...document.querySelectorAll('#graph .lit')].map(e => e.className).join()"))

    def test_a_gradient_shows_which_users_sent_how_much(self):
        b = lesson(self, 3)
        b.run("go(backwardPosition.get(nodes.findIndex(node => node.name === 'cell.weight_ih')))")
        sent = [float(text.replace("−", "-")) for text in b.run("return [...document.querySelectorAll('.senders .sum')].map(e => e.textContent)")]
        self.assertEqual(len(sent), 4)
        self.assertAlmostEqual(sum(sent), b.run("return tensor(nodes[positions[position].node].gradient).max"), delta=1e-4)
        self.assertGreater(b.count("#graph path.sends"), 0)
        self.assertEqual(b.count("#graph path.sends"), b.count("#graph svg text"))
