#!/usr/bin/env python3
"""Steps through pages in a headless browser: page_test.py MAKE_PAGE STEP, the programs that write them."""
import subprocess, sys, tempfile, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import browser
from browser import Browser
from page_access_test import Access
from page_formula_test import Formulas
from pages import Loaded, Page, axe, lesson, programs, trace_of


class Steps:
    """What holds for every page with attention."""

    def test_the_arrow_keys_step_forward_and_back(self):
        b = self.browser
        self.assertEqual(self.place(), 1)
        for _ in range(3):
            b.press("ArrowRight")
        self.assertEqual(self.place(), 4)
        self.assertIn("step 4 of", b.text(".phase"))
        b.press("ArrowLeft")
        self.assertEqual(self.place(), 3)
        b.press("End")
        self.assertEqual(self.place(), self.last())
        b.press("ArrowRight")
        self.assertEqual(self.place(), self.last())
        b.press("Home")
        b.press("ArrowLeft")
        self.assertEqual(self.place(), 1)

    def test_the_buttons_step_forward_and_back(self):
        b = self.browser
        b.click("#next")
        b.click("#next")
        self.assertEqual(self.place(), 3)
        b.click("#back")
        self.assertEqual(self.place(), 2)
        b.click("#last")
        self.assertIn("Backward pass", b.text(".phase"))
        b.click("#first")
        self.assertIn("Forward pass", b.text(".phase"))

    def test_the_slider_steps_too(self):
        b = self.browser
        b.run("arguments[0].value = 9; arguments[0].dispatchEvent(new Event('input'))", {browser.ELEMENT: b.find("#slider")})
        self.assertEqual(self.place(), 10)

    def test_every_step_can_be_shown(self):
        missing = self.browser.run("""
            const missing = [];
            for (let i = 0; i < positions.length; ++i) {
              go(i);
              const {node, backward} = positions[i];
              const text = byId('panel').textContent + [...byId('panel').querySelectorAll('[data-formula]')].map(line => line.dataset.formula).join(' ');
              if (!text.includes(titleOf(nodes[node]))) missing.push(`${i}: title`);
              if (nodes[node].source.length > 0 && !text.includes(nodes[node].source[0][0])) missing.push(`${i}: source`);
              if (nodes[node].formula && !backward && !text.includes(nodes[node].formula)) missing.push(`${i}: formula`);
              if (nodes[node].verdict && !byId('panel').querySelector('.verdict')) missing.push(`${i}: verdict`);
              if (!nodes[node].attributes.every(part => text.includes(attributeText(part)))) missing.push(`${i}: attributes`);
              if (nodes[node].kept.slice(0, 12).some(({by, for: inputs}) => !text.includes(`#${by} `) || !inputs.every(k => text.includes(`dL/d${nodes[by].operands[k]}`))))
                missing.push(`${i}: kept`);
              if (!byId('panel').querySelector('.tensor')) missing.push(`${i}: tensor`);
            }
            return missing;""")
        self.assertEqual(missing, [])

    def test_the_backward_pass_shows_the_gradients_that_were_recorded(self):
        self.assertEqual(self.browser.run("""
            const wrong = [];
            positions.forEach(({node, backward}, i) => {
              if (!backward || tensor(nodes[node].gradient).shape.length !== 0) return;
              go(i);
              const shown = byId('panel').querySelector('.scalar').textContent;
              if (shown !== numberText(numbersOf(tensor(nodes[node].gradient))[0], 7)) wrong.push(i);
            });
            return wrong;"""), [])

    def test_boxes_hold_values_and_once_the_backward_pass_came_by_gradients(self):
        self.assertEqual(self.browser.run("""
            const wrong = [];
            byId('expand').click();
            for (const at of [0, nodes.length, positions.length - 1]) {
              go(at);
              for (const box of document.querySelectorAll('#graph .box[data-part^=n]')) {
                const node = nodes[numberOf(box.dataset.part)], x = tensor(node.value);
                const text = box.querySelector('.number_in.y').textContent, strip = box.querySelector('.number_in.y canvas');
                if (x.count === 1 ? text !== 'y' + numberText(numbersOf(x)[0]) : !strip) wrong.push(`#${node.number} y`);
                const g = box.querySelector('.number_in.g'), isSeen = g && getComputedStyle(g).display !== 'none';
                if (isSeen !== (node.gradient === null ? null : positions[at].backward && node.number >= positions[at].node)) wrong.push(`#${node.number} g at ${at}`);
              }
            }
            return wrong;"""), [])

    def test_views_are_labels_of_edges_that_lead_to_them(self):
        b = self.browser
        b.click("#expand")
        self.assertEqual(b.run("return [...labels].filter(n => byId('graph').querySelector(`.box[data-part=n${n}]`))"), [])
        lost = b.run("return [...labels].filter(n => boxOf(n) === 'n' + n && !boxes.has('n' + n))")
        self.assertEqual(lost, [])
        n = b.run("const label = document.querySelector('#graph .view_label:not([hidden])'); label.click(); return positions[position].node")
        self.assertTrue(b.run("return nodes[arguments[0]].is_view", n))
        self.assertGreater(b.count("#graph .view_label.current"), 0)
        self.assertGreater(b.count("#graph path.near"), 0)

    def test_a_graph_larger_than_the_view_has_a_map_that_moves_it(self):
        b = self.browser
        b.click("#expand")
        self.assertTrue(b.run("return !byId('minimap').hidden"))
        b.run("byId('graph').scrollTo(0, 0)")
        before = b.run("return byId('graph').scrollTop")
        b.run("""
            const map = byId('minimap'), box = map.getBoundingClientRect();
            map.setPointerCapture = () => {};
            map.dispatchEvent(new PointerEvent('pointerdown', {buttons: 1, clientX: box.right - 2, clientY: box.bottom - 2}));""")
        self.assertGreater(b.run("return byId('graph').scrollTop"), before)

    def test_groups_expand_and_collapse(self):
        b = self.browser
        b.click("#collapse")
        collapsed = b.count("#graph .box")
        group = b.attribute("#graph .box.group", "data-part")
        b.click(f"#graph [data-part={group}]")
        self.assertGreater(b.count("#graph .box"), collapsed)
        self.assertEqual(b.count(f"#graph .title[data-part={group}][aria-expanded=true]"), 1)
        b.click(f"#graph .title[data-part={group}]")
        self.assertEqual(b.count("#graph .box"), collapsed)
        b.press("Enter")  # the focus stays where it was
        self.assertGreater(b.count("#graph .box"), collapsed)
        b.click("#expand")
        self.assertEqual(b.count("#graph .box.current"), 1)

    def test_another_trace_is_loaded_at_the_same_place(self):
        b = self.browser
        b.run("byId('collapse').click(); toggle(groups[0].parts.find(part => part[0] === 'g')); select(nodes.findLastIndex(node => node.gradient && node.path))")
        b.click("#other_pass")
        b.click("#tab_list")
        where = lambda: b.run("return [positions[position], titleOf(nodes[positions[position].node]), [...expanded].sort(), tab]")
        before, panel = where(), b.text("#panel")
        b.run("load(JSON.parse(byId('trace').textContent), {changed: new Set([positions[position].node])})")
        self.assertEqual(where(), before)
        self.assertEqual(b.text("#panel"), panel)
        self.assertIn("1 node changed", b.run("return byId('live').textContent"))
        self.assertEqual(b.count("#graph .changed"), 1)
        b.run("load(JSON.parse(byId('trace').textContent))")
        self.assertEqual(b.count("#graph .changed"), 0)
        b.run("document.activeElement.blur()")
        b.press("ArrowLeft")  # one listener, not three
        self.assertEqual(b.run("return position"), b.run("return positions.findIndex(at => at.node === arguments[0].node && at.backward) - 1", before[0]))

    def test_over_a_collapsed_layer_is_one_step(self):
        b = self.browser
        b.click("#collapse")
        box = b.run("return boxOf(positions[position].node)")
        steps = 0
        while b.run("return positions[position].backward") is False and steps < 200:
            b.press("Shift", "ArrowRight")
            self.assertNotEqual(b.run("return boxOf(positions[position].node)") if not b.run("return positions[position].backward") else None, box)
            box = b.run("return boxOf(positions[position].node)")
            steps += 1
        self.assertLess(steps, b.run("return nodes.length") / 2)

    def test_a_click_on_a_node_goes_there(self):
        b = self.browser
        b.click("#expand")
        part = b.run("return [...document.querySelectorAll('#graph .box.op')].pop().dataset.part")
        b.run("document.querySelector(`#graph [data-part=${arguments[0]}]`).scrollIntoView({block: 'center', inline: 'center'})", part)
        b.click(f"#graph [data-part={part}]")
        self.assertEqual(self.place(), int(part[1:]) + 1)
        self.assertIn("current", b.attribute(f"#graph [data-part={part}]", "class"))

    def test_a_cell_of_the_attention_map_leads_to_the_nodes_behind_it(self):
        b = self.browser
        b.click("#tab_attention")
        b.click("[data-cell='1 2']")
        node = b.run("return positions[position].node")
        self.assertEqual(b.run("return nodes[arguments[0]].op", node), "softmax")
        self.assertEqual(b.run("return maps[0].rows[1].node"), node)
        self.assertIn("current", b.run("return boxes.get('n' + arguments[0]).className", node))
        self.assertGreaterEqual(b.count(".behind dd button"), 4)
        self.assertEqual(b.count("#panel .marked, #panel .mark"), 1)
        b.press("ArrowRight")  # within the map the arrow keys walk over its cells
        self.assertEqual(b.run("return document.activeElement.dataset.cell"), "1 3")
        b.click(".behind dd button")
        self.assertNotEqual(b.run("return positions[position].node"), node)

    def test_search_finds_ops_and_numbers_and_goes_there(self):
        b = self.browser
        b.press("/")
        b.type("#search", "softmax")
        self.assertGreater(b.count("#results [role=option]"), 0)
        b.press("Enter")
        self.assertIn("softmax", b.text("#panel h2"))
        b.run("byId('search').value = ''")
        b.type("#search", "#7")
        b.press("Enter")
        self.assertEqual(self.place(), 8)
        b.run("byId('search').value = ''")
        b.type("#search", "no such thing")
        self.assertEqual(b.text("#results"), "Nothing found")
        b.press("Escape")

    def test_the_list_holds_every_node_of_the_graph(self):
        b = self.browser
        b.click("#tab_list")
        b.run("groups.forEach((_, g) => expanded.add('g' + g)); drawStructure()")
        self.assertEqual(b.count("#list button[data-part]"), b.run("return nodes.length"))
        b.click("#list button[data-part=n5]")
        self.assertEqual(self.place(), 6)
        self.assertEqual(b.attribute("#list button[data-part=n5]", "aria-current"), "step")
        b.press("ArrowRight")
        self.assertEqual(b.count("#list [aria-current]"), 1)
        self.assertIn("Forward pass, step 7", b.run("return byId('live').textContent"))


class Translator(Steps, Access, Page, unittest.TestCase):
    """A training step on two sentences, with a NaN and names that would break HTML."""

    @classmethod
    def command(cls):
        return [programs["make_page"], cls.file]

    def test_chinese_names_say_so(self):
        self.browser.click("#tab_attention")
        self.assertEqual(self.browser.run("return [...document.querySelectorAll('.map [lang]')].map(name => name.lang + name.textContent)"), ["zh-Hans<b>我们</b>", "zh-Hans个"])

    def test_attention_has_the_names_of_queries_and_keys(self):
        self.browser.click("#tab_attention")
        self.assertIn("</table>", self.browser.text(".map thead"))
        self.assertIn("<b>我们</b>", self.browser.text(".map tbody"))

    def test_another_trace_is_compared_side_by_side_first_difference_first(self):
        b = self.browser
        b.click("#tab_differences")
        self.assertIn("at most 0.25 apart", b.text(".differences tr:first-child"))
        b.click(".differences tr:first-child button")
        self.assertEqual(b.count("#panel .pair .tensor"), 2)
        self.assertIn("in the other trace", b.text("#panel .pair"))
        here, there = b.run("""
            const n = positions[position].node;
            return [numbersOf(tensor(nodes[n].value))[0], numbersOf(tensor(counterpart(n).value))[0]];""")
        self.assertAlmostEqual(there - here, 0.25)
        b.run("go(0)")
        self.assertIn("the same in the other trace", b.text("#panel"))

    def test_names_never_become_markup(self):
        b = self.browser
        name = b.run("return nodes.find(node => node.name.includes('script')).name")
        self.assertEqual(name, "</script><script>throw 1</script><img src=x onerror=alert(1)>&amp;\"'")
        b.run("select(nodes.find(node => node.name.includes('script')).number)")
        self.assertIn(name, b.text("#panel h2"))
        self.assertEqual(b.count("img"), 0)
        self.assertEqual(b.count("script"), 3)
        self.assertEqual(b.text("#title"), "step <1> & 2")

    def test_a_nan_is_marked_where_it_arises(self):
        b = self.browser
        self.assertEqual(b.run("return nodes.filter(valueBreaks).map(node => node.kind)"), ["parameter"])
        self.assertGreater(b.count(".halves i"), 0)
        b.run("select(nodes.find(valueBreaks).number)")
        self.assertIn("NaN 1 / 2", b.text("#panel"))


    def test_the_doctor_shows_norms_by_layer_and_time_step_and_leads_to_what_is_wrong(self):
        b = self.browser
        b.click("#tab_doctor")
        self.assertIn("begins here:", b.text(".finding:nth-child(1)"))
        self.assertIn("every parameter gets a gradient", b.text(".finding:nth-child(3)"))
        b.click(".finding:nth-child(1) button")
        self.assertTrue(b.run("return valueBreaks(nodes[positions[position].node])"))
        self.assertGreater(b.count(".norms td button"), 20)
        n = b.run("""
            const button = [...document.querySelectorAll('.norms td button')].pop();
            button.click();
            const {node} = positions[position];
            return [positions[position].backward, button.title.endsWith(`#${node}: ${numberText(tensor(nodes[node].gradient).norm)}`)];""")
        self.assertEqual(n, [True, True])

    def test_a_fused_op_is_opened_in_place_and_its_figures_stand_beside_those_of_its_parts(self):
        b = self.browser
        for op, part, formula in (("softmax", "exp", "eˣ"), ("lstm_cell", "tanh", "tanh(x)"), ("linear", "matmul", "a · b")):
            b.run("select(nodes.find(node => node.op === arguments[0] && node.opened).number)", op)
            b.run("const fold = [...byId('panel').querySelectorAll('details')].find(d => d.firstChild.textContent.startsWith('Open')); fold.open = true; fold.dispatchEvent(new Event('toggle'))")
            self.assertIn(part, b.text("#panel .part h3") + b.run("return byId('panel').textContent"))
            self.assertIn(formula, b.run("return [...byId('panel').querySelectorAll('[data-formula]')].map(line => line.dataset.formula).join(' ')"))
            self.assertGreater(b.count("#panel .part .verdict.agrees"), 0)
            self.assertIn("differ by at most: y: ", b.text("#panel .apart"))
            b.click("#other_pass")
            self.assertGreater(b.count("#panel .part"), 0)
            self.assertIn("dL/d", b.text("#panel .part"))
            b.click("#other_pass")
        self.assertLess(max(b.run("return nodes.filter(node => node.opened).flatMap(node => node.opened.apart.map(([, most]) => most))")), 1e-4)


class LessonFive(Steps, Access, Page, unittest.TestCase):
    @classmethod
    def command(cls):
        return [programs["step"], "5", "--html", cls.file]


class OtherPages(unittest.TestCase):
    def test_an_attention_of_2000_queries_and_keys_is_shown_in_a_second_and_costs_nothing_before(self):
        with tempfile.TemporaryDirectory() as folder, Browser() as b:
            file = Path(folder) / "page.html"
            subprocess.run([programs["make_page"], file, "2000"], check=True)
            b.open(file.as_uri())
            self.assertEqual(b.count("#attention *"), 0)
            seconds = min(b.run("""
                byId('tab_list').click();
                const start = performance.now();
                byId('tab_attention').click();
                byId('attention').getBoundingClientRect();
                return (performance.now() - start) / 1000;""") for _ in range(3))
            self.assertLess(seconds, 1)
            self.assertEqual(b.attribute("canvas.map", "width"), "2000")
            self.assertLess(b.count("#attention *"), 100)
            b.run("chooseCell(1999, 3)")
            self.assertIn("query 1999, key 3: ", b.text("#attention"))
            b.press("ArrowUp")
            self.assertIn("query 1998, key 3: ", b.text("#attention"))
            self.assertEqual(b.run("return nodes[positions[position].node].op"), "softmax")
            self.assertEqual(b.console(), [])

    def test_a_page_opens_in_the_language_that_was_asked_for(self):
        b = lesson(self, 1, "--language", "zh")
        self.assertEqual(b.text("#tab_graph"), "计算图")
        self.assertEqual(b.run("return document.documentElement.lang"), "zh-Hans")

    def test_a_lesson_stands_on_its_page_and_leads_to_its_steps(self):
        b = lesson(self, 3)
        b.click("#tab_lesson")
        self.assertEqual(b.text("#lesson h2"), "Lesson 3: an LSTM cell over four time steps")
        self.assertIn("The bias of the forget gate f is 4", b.text("#lesson"))
        self.assertNotIn("](", b.text("#lesson"))
        b.click("#lesson pre button")
        self.assertEqual(b.run("return positions[position]"), {"node": 11, "backward": False})
        self.assertEqual(b.run("return markdown('a *b* `c*` **d**\\n\\n1. e\\n   f\\n2. g\\n\\n| h | i |\\n|---|---|\\n| j | <k> |').map(block => block.outerHTML.replace(/ class=.*?>/, '>')).join('')"),
                         "<p>a <em>b</em> <code>c*</code> <strong>d</strong></p><ol><li>e f</li><li>g</li></ol>"
                         '<div><table><tr><th>h</th><th>i</th></tr><tr><td>j</td><td>&lt;k&gt;</td></tr></table></div>')

    def test_edges_run_around_boxes_where_a_bend_suffices(self):
        with Loaded(self, trace_of(8)) as b:
            self.assertEqual(b.run("""
                const [from, wall, to] = [0, 140, 280].map(y => ({x: 0, y, width: 100, height: 40}));
                const isUnder = bow => [...Array(100).keys()].map(i => pointOf(bow, i / 100)).some(([x, y]) => x > wall.x && x < wall.x + wall.width && y > wall.y && y < wall.y + wall.height);
                return [isUnder(curve(from, to)), isUnder(route(from, to, [from, wall, to]))];"""), [True, False])

    def test_equal_parts_are_one_stack_and_a_small_graph_fills_the_view(self):
        with Loaded(self, trace_of(8)) as b:
            self.assertEqual(b.text("#graph .stack b"), "▸tanh × 6")
            self.assertGreater(b.run("return zoom"), 1.2)
            left, right = b.run("""
                const outer = byId('graph').getBoundingClientRect(), inner = byId('graph').firstChild.getBoundingClientRect();
                return [inner.left - outer.left, outer.right - inner.right];""")
            self.assertAlmostEqual(left, right, delta=2)
            b.click("#graph .stack")
            self.assertEqual(b.count("#graph .box"), 8)
            b.click("#graph .title")
            self.assertEqual(b.count("#graph .box"), 3)

    def test_20000_nodes_open_in_15_seconds_and_stay_usable(self):
        with Loaded(self, trace_of(20000)) as b:
            self.assertLess(b.run("return loaded"), 15)
            times = b.run("""
                return [() => byId('expand').click(), () => go(position + 1), () => select(12345), () => byId('collapse').click(), () => setZoom(0.5)].map(act => {
                  const start = performance.now();
                  act();
                  document.body.getBoundingClientRect();
                  return (performance.now() - start) / 1000;
                });""")
            self.assertLess(max(times), 2, times)


if __name__ == "__main__":
    programs["make_page"], programs["step"] = sys.argv.pop(1), sys.argv.pop(1)
    if missing := browser.missing():
        print("skipped: not installed:", ", ".join(missing))
        sys.exit(0)
    if axe() is None:
        print("axe-core is not installed: what it judges is skipped")
    unittest.main()
