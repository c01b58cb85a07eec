#!/usr/bin/env python3
"""Steps through pages in a headless browser: page_test.py MAKE_PAGE STEP, the programs that write them."""
import importlib.util, os, subprocess, sys, tempfile, time, unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import browser
from browser import Browser

MAKE_PAGE = STEP = ""


def axe():
    """axe-core's script: where GRADUS_AXE says, or in the package axe_selenium_python; None where there is none."""
    package = importlib.util.find_spec("axe_selenium_python")
    places = [os.environ.get("GRADUS_AXE"), package and Path(package.origin).parent / "node_modules/axe-core/axe.min.js"]
    return next((Path(place).read_text() for place in places if place and Path(place).exists()), None)


class Page:
    """What holds for every page with attention."""

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

    def test_nothing_that_says_something_is_fainter_than_3_to_1(self):
        b = self.browser
        for theme in ("light", "dark"):
            self.assertEqual(b.run("""
                document.documentElement.dataset.theme = arguments[0];
                const pen = make('canvas', {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
                const light = name => {
                  pen.fillStyle = getComputedStyle(document.body).getPropertyValue(name);
                  pen.fillRect(0, 0, 1, 1);
                  const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map(c => c / 255).map(c => c > 0.04045 ? ((c + 0.055) / 1.055) ** 2.4 : c / 12.92);
                  return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
                };
                const pairs = [];
                for (const passes of [false, true]) {
                  document.body.classList.toggle('backward', passes);
                  for (const [ink, papers, least] of [['--edge', ['--card', '--page', '--faint', '--tint'], 3], ['--accent', ['--card', '--page', '--faint', '--tint'], 4.5],
                                                      ['--soft', ['--card', '--page', '--faint', '--tint'], 4.5], ['--bad', ['--card', '--tint'], 4.5]])
                    for (const paper of papers) {
                      const [a, b] = [light(ink), light(paper)].sort();
                      if (b / a < least) pairs.push(`${ink} on ${paper}: ${(b / a).toFixed(2)}`);
                    }
                }
                return pairs;""", theme), [])

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

    def test_axe_finds_no_serious_violation(self):
        script = axe()
        if script is None:
            self.skipTest("axe-core is not installed: pip install axe-selenium-python, or name axe.min.js in GRADUS_AXE")
        b = self.browser
        b.run("go(nodes.findIndex(node => node.op === 'softmax'))")
        for theme in ("light", "dark"):
            b.developer("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
            for tab in b.run("return [...byId('tabs').children].map(tab => tab.id)"):
                b.run("byId(arguments[0]).click()", tab)
                found = b.run(script + """;
                    return axe.run().then(results => results.violations
                      .filter(({impact}) => impact === 'serious' || impact === 'critical')
                      .map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' ')}`));""")
                self.assertEqual(found, [], f"{tab}, {theme}")
        b.developer("Emulation.setEmulatedMedia", features=[])

    def focus(self):
        return self.browser.run("const e = document.activeElement; return e === document.body ? 'body' : e.id || e.dataset.part || e.dataset.fold || e.localName")

    def test_the_focus_is_never_lost(self):
        b = self.browser
        b.click("#last")
        self.assertEqual(self.focus(), "last")
        for key in ("collapse", "expand", "next", "language", "language", "theme", "theme", "theme", "size", "size"):
            b.click(f"#{key}")
            self.assertEqual(self.focus(), key)
        part = b.run("const box = document.querySelector('#graph .box.op'); box.focus(); box.click(); return box.dataset.part")
        self.assertEqual(self.focus(), part)
        b.run("load(JSON.parse(byId('trace').textContent))")
        self.assertEqual(self.focus(), part)
        b.run("document.querySelector('.given button').focus(); document.querySelector('.given button').click()")
        self.assertEqual(self.focus(), "h2")
        b.run("const fold = document.querySelector('#panel summary'); fold.focus(); fold.click(); go(position - 1)")
        self.assertNotEqual(self.focus(), "body")
        b.run("byId('collapse').click()")
        b.click("#tab_list")
        b.run("const button = document.querySelector('#list button[data-part]'); button.focus(); button.click()")
        self.assertNotEqual(self.focus(), "body")
        b.press("/")
        b.type("#search", "matmul")
        b.press("Enter")
        self.assertEqual(self.focus(), "h2")
        b.press("/")
        b.press("Escape")
        self.assertEqual(self.focus(), "search")

    def test_the_arrow_keys_move_in_the_list_of_tabs(self):
        b = self.browser
        tabs = b.run("return [...byId('tabs').children].map(tab => tab.id)")
        b.run("byId('tab_graph').focus()")
        for key, tab in (("ArrowRight", tabs[1]), ("ArrowLeft", tabs[0]), ("ArrowLeft", tabs[-1]), ("ArrowRight", tabs[0]), ("End", tabs[-1]), ("Home", tabs[0])):
            b.press(key)
            self.assertEqual(self.focus(), tab)
            self.assertEqual(b.run("return [...document.querySelectorAll('[role=tab][aria-selected=true], [role=tab][tabindex=\"0\"]')].map(tab => tab.id)"), [tab])
        self.assertEqual(self.place(), 1)

    def test_state_and_numbers_are_said(self):
        b = self.browser
        b.run("go(positions.length - 1 - [...positions].reverse().findIndex(({node, backward}) => backward && tensor(nodes[node].value).count === 1))")
        number = b.run("return numberText(numbersOf(tensor(nodes[positions[position].node].gradient))[0])")
        self.assertIn(f"g = {number}", b.run("return byId('live').textContent"))
        self.assertIn(f"g = {number}", b.attribute("#slider", "aria-valuetext"))
        b.click("#expand")
        self.assertIn(f"g = {number}, current place", b.attribute("#graph .box.current", "aria-label"))
        self.assertGreater(b.count("#graph .box[aria-label$='not reached yet']"), 0)

    def test_the_address_leads_to_a_step_and_back(self):
        b = self.browser
        address = lambda: b.run("return location.hash")
        b.press("ArrowRight")
        self.until(lambda: address() == "#node=1")
        b.click("#last")
        last = b.run("return positions[position].node")
        self.until(lambda: address() == f"#node={last}&pass=backward")
        b.open("about:blank")
        b.open(f"{self.file.as_uri()}#node={last}&pass=backward")
        self.assertEqual(self.place(), self.last())
        b.run("location.hash = '#step=12'")
        self.until(lambda: self.place() == 12)
        b.run("location.hash = '#node=nothing'")
        b.requests()
        b.open(self.file.as_uri())

    def test_the_page_never_scrolls_in_two_directions(self):
        b = self.browser
        for width, height in ((320, 640), (320, 256), (640, 512), (1280, 400), (1920, 1080)):
            b.developer("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            for large in (False, True):
                if large:
                    b.click("#size")
                for tab in b.run("return [...byId('tabs').children].map(tab => tab.id)"):
                    b.run("byId(arguments[0]).click(); go(20)", tab)
                    self.assertLessEqual(b.run("return document.scrollingElement.scrollWidth"), width, f"{tab} at {width} × {height}, large: {large}")
            b.click("#size")
        b.developer("Emulation.clearDeviceMetricsOverride")

    def test_on_paper_nothing_is_cut_off(self):
        b = self.browser
        b.developer("Emulation.setEmulatedMedia", media="print")
        b.run("dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(b.run("return ['graph', 'list', 'stage'].filter(id => byId(id).clientHeight + 4 < byId(id).scrollHeight || byId(id).clientHeight === 0)"), [])
        self.assertEqual(b.count("#steps article"), b.run("return positions.length <= mostSteps ? positions.length : 1"))
        b.run("dispatchEvent(new Event('afterprint'))")
        b.developer("Emulation.setEmulatedMedia", media="")
        self.assertEqual(b.count("#steps article"), 0)

    def test_system_colours_keep_the_states_apart(self):
        b = self.browser
        b.developer("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
        b.run("byId('expand').click(); go(5)")
        widths = b.run("return ['current', 'done', 'waiting'].map(state => getComputedStyle(document.querySelector(`#graph .box.op.${state}, #graph .box.${state}`))).map(style => `${style.borderTopWidth} ${style.outlineStyle}`)")
        self.assertEqual(len(set(widths)), 3, widths)
        b.developer("Emulation.setEmulatedMedia", features=[])

    def test_the_language_switches_and_is_remembered(self):
        b = self.browser
        self.assertEqual(b.text("#tab_graph"), "Graph")
        b.click("#language")
        self.assertEqual(b.text("#tab_graph"), "计算图")
        self.assertIn("前向传播", b.text(".phase"))
        self.assertEqual(b.run("return document.documentElement.lang"), "zh-Hans")
        b.open(self.file.as_uri())
        self.assertEqual(b.text("#tab_graph"), "计算图")
        b.click("#language")
        self.assertEqual(b.text("#tab_graph"), "Graph")

    def test_both_languages_say_everything(self):
        self.assertEqual(self.browser.run("""
            const missing = Object.keys(words.en).filter(key => !(key in words.zh)).concat(Object.keys(words.zh).filter(key => !(key in words.en)));
            for (const language of ['en', 'zh']) {
              const script = [...document.scripts].pop().textContent;
              for (const [, key] of script.matchAll(/say\\('(\\w+)'/g)) if (!(key in words[language])) missing.push(key);
              for (const e of document.querySelectorAll('[data-text], [data-label], [data-hint]'))
                for (const key of [e.dataset.text, e.dataset.label, e.dataset.hint]) if (key && !(key in words[language])) missing.push(key);
            }
            return missing;"""), [])

    def test_the_theme_follows_the_system_or_the_reader(self):
        b = self.browser
        theme = lambda: b.run("return document.documentElement.dataset.theme")
        b.developer("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        self.until(lambda: theme() == "dark")
        b.click("#theme")
        self.assertEqual(theme(), "light")
        b.click("#theme")
        b.developer("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        self.assertEqual(theme(), "dark")

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


class Translator(Page, unittest.TestCase):
    """A training step on two sentences, with a NaN and names that would break HTML."""

    @classmethod
    def command(cls):
        return [MAKE_PAGE, cls.file]

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


class LessonFive(Page, unittest.TestCase):
    @classmethod
    def command(cls):
        return [STEP, "5", "--html", cls.file]


class OtherPages(unittest.TestCase):
    def test_an_attention_of_2000_queries_and_keys_is_shown_in_a_second_and_costs_nothing_before(self):
        with tempfile.TemporaryDirectory() as folder, Browser() as b:
            file = Path(folder) / "page.html"
            subprocess.run([MAKE_PAGE, file, "2000"], check=True)
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

    def lesson(self, number):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        subprocess.run([STEP, str(number), "--html", f"{folder.name}/page.html"], check=True, cwd=folder.name, stdout=subprocess.DEVNULL)
        b = Browser().__enter__()
        self.addCleanup(b.__exit__)
        b.open(f"file://{folder.name}/page.html")
        return b

    def test_a_lesson_stands_on_its_page_and_leads_to_its_steps(self):
        b = self.lesson(3)
        b.click("#tab_lesson")
        self.assertEqual(b.text("#lesson h2"), "Lesson 3: an LSTM cell over four time steps")
        self.assertIn("The bias of the forget gate f is 4", b.text("#lesson"))
        self.assertNotIn("](", b.text("#lesson"))
        b.click("#lesson pre button")
        self.assertEqual(b.run("return positions[position]"), {"node": 11, "backward": False})
        self.assertEqual(b.run("return markdown('a *b* `c*` **d**\\n\\n1. e\\n   f\\n2. g\\n\\n| h | i |\\n|---|---|\\n| j | <k> |').map(block => block.outerHTML.replace(/ class=.*?>/, '>')).join('')"),
                         "<p>a <em>b</em> <code>c*</code> <strong>d</strong></p><ol><li>e f</li><li>g</li></ol>"
                         '<div><table><tr><th>h</th><th>i</th></tr><tr><td>j</td><td>&lt;k&gt;</td></tr></table></div>')

    def test_formulas_are_written_out_with_their_numbers(self):
        b = self.lesson(1)
        arithmetic = lambda: b.run("return [...document.querySelectorAll('.arithmetic')].map(line => line.textContent)")
        b.run("go(nodes.findIndex(node => node.op === 'tanh'))")
        self.assertEqual(arithmetic(), ["= tanh(−0.75) = −0.6351"])
        b.click("#other_pass")
        self.assertEqual(arithmetic(), ["= −3.27 · (1 − (−0.6351) · (−0.6351)) = −1.951"])
        b.run("select(nodes.findIndex(node => node.name === 'loss'))")
        self.assertEqual(arithmetic(), ["= 1 · (−1.635) = −1.635"] * 2)

    def test_products_sums_and_softmax_are_written_out_for_the_cell_that_is_chosen(self):
        b = self.lesson(2)
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
        b = self.lesson(1)
        b.run("nodes.forEach(node => { if (node.op === 'multiply') node.formula = 'a + b'; }); go(nodes.findIndex(node => node.op === 'multiply'))")
        self.assertEqual(b.count(".arithmetic"), 0)
        self.assertEqual(b.attribute("#panel .formula p", "data-formula"), "y = a + b")

    def test_formulas_are_parsed_whole_or_stay_text(self):
        b = self.lesson(1)
        for text, mathml in (("a · bᵀ / √(c)", "<mrow><mrow><mi>a</mi><mo>·</mo><msup><mi>b</mi><mi mathvariant=\"normal\">T</mi></msup></mrow><mo>/</mo><msqrt><mi>c</mi></msqrt></mrow>"),
                             ("g / x", "<mfrac><mi>g</mi><mi>x</mi></mfrac>"), ("x²", "<msup><mi>x</mi><mn>2</mn></msup>")):
            self.assertEqual(b.run("return mathOf(parseFormula(arguments[0]), name => mathElement('mi', {}, name)).outerHTML", text), mathml)
        for text in ("x in another shape", "a, b, … one after the other", "(a", "a +", "g where x = y, in equal parts; 0 elsewhere"):
            self.assertIsNone(b.run("return parseFormula(arguments[0])", text), text)

    def test_a_letter_lights_up_with_its_tensor_its_box_and_its_edge(self):
        b = self.lesson(1)
        b.run("go(nodes.findIndex(node => node.op === 'add')); document.querySelector('#panel math [data-link=b]').focus()")
        self.assertEqual(b.run("return [...document.querySelectorAll('.lit')].map(e => e.dataset.part || e.tagName.toLowerCase())"), ["path", "n3", "mi", "dt", "figure"])
        b.run("document.querySelector('#panel [data-line]').focus()")
        self.assertIn("current", b.run("return [...document.querySelectorAll('#graph .lit')].map(e => e.className).join()"))

    def test_a_gradient_shows_which_users_sent_how_much(self):
        b = self.lesson(3)
        b.run("go(backwardPosition.get(nodes.findIndex(node => node.name === 'cell.weight_ih')))")
        sent = [float(text.replace("−", "-")) for text in b.run("return [...document.querySelectorAll('.senders .sum')].map(e => e.textContent)")]
        self.assertEqual(len(sent), 4)
        self.assertAlmostEqual(sum(sent), b.run("return tensor(nodes[positions[position].node].gradient).max"), delta=1e-4)
        self.assertGreater(b.count("#graph path.sends"), 0)
        self.assertEqual(b.count("#graph path.sends"), b.count("#graph svg text"))

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
        subprocess.run([MAKE_PAGE, file], check=True)
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


if __name__ == "__main__":
    MAKE_PAGE, STEP = sys.argv.pop(1), sys.argv.pop(1)
    if missing := browser.missing():
        print("skipped: not installed:", ", ".join(missing))
        sys.exit(0)
    unittest.main()
