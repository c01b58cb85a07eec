// --- the focus, which redrawing must not lose -----------------------------------------------------
/// Replaces what is in a view. Where the focus was in it, it goes to what stands for the same thing
/// now, else to the heading, else to the view.
function redraw(view, ...children) {
  const held = view.contains(document.activeElement) ? document.activeElement : null;
  const name = held && held !== view ? nameOf(held) : null;
  view.replaceChildren(...children.filter(child => child));
  if (held === null) return;
  const same = name && view.querySelector(name) || view.querySelector('h2') || view;
  if (!same.matches('a, button, input, select, summary, [tabindex]')) same.tabIndex = -1;
  same.focus({preventScroll: true});
}

/// A selector of an element by its id or by what it stands for; null where nothing tells that.
function nameOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const named = Object.entries(element.dataset);
  if (named.length === 0) return null;
  const dashed = key => key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
  return element.localName + named.map(([key, value]) => `[data-${dashed(key)}="${CSS.escape(value)}"]`).join('');
}

/// In a list of tabs the arrow keys move, and only the tab that is shown is reached with Tab.
function onTabKey(event) {
  const tabs = [...byId('tabs').children], at = tabs.indexOf(event.target);
  const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1}[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  const next = tabs[(to + tabs.length) % tabs.length].id;
  byId(next).click();
  byId(next).focus();
}
