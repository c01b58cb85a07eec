"""What makes a page usable: see page_test.py, which runs these."""
from pages import axe


class Access:
    """What holds for every page with attention."""

    def test_axe_finds_no_serious_violation(self):
        script = axe()
        if script is None:
            self.skipTest("axe-core is not installed: pip install axe-selenium-python, or name axe.min.js in GRADUS_AXE")
        b = self.browser
        b.run("go(nodes.findIndex(node => node.op === 'softmax')); byId('search').value = 'ma'; search()")
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

    def test_whatever_has_the_focus_shows_it(self):
        b = self.browser
        for tab in b.run("return [...byId('tabs').children].map(tab => tab.id)"):
            b.click(f"#{tab}")
            b.press("Tab")  # a key, so that rings are shown
            self.assertEqual(b.run("""
                go(nodes.findIndex(node => node.op === 'softmax'));
                return [...document.querySelectorAll('a, button, input, select, summary, td[tabindex], canvas[tabindex]')].filter(e => {
                  e.focus({preventScroll: true});
                  return document.activeElement === e && parseFloat(getComputedStyle(e).outlineWidth) < 2;
                }).slice(0, 5).map(e => e.outerHTML.slice(0, 100));"""), [], tab)

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
        def is_remembered():  # another process of the browser may not have read it yet
            b.open(self.file.as_uri())
            return b.text("#tab_graph") == "计算图"
        self.until(is_remembered)
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
