"""What is asked of a mail on a screen, and the findings that the answers make.

`AXE` and `MEASURE` are JavaScript functions that `adapters.browser` calls in each view; `findings` reads their
answers. DM501: an accessibility rule of axe is broken, in light, dark or both. DM502: the mail is wider than the
window of a phone or of a mail program's pane. DM503: the page is in quirks mode, so sizes and colours are guesses.

Nothing here talks to a browser, and nothing judges content: a finding is a mistake of a template or a stylesheet.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from digest_mailer.core.finding import Finding

Scheme = Literal["light", "dark"]  # what a reader's system asks for

SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDE = 680  # beside the mail's 600 px some of the page around it
WIDTHS = (320, 375, 600)  # the narrowest phone (WCAG 2.2, 1.4.10), a usual one, a reading pane

# A mail has no landmarks: it is an article inside the page of a mail program. Only what is broken is reported.
AXE = """async () => {
  const rules = { "region": { enabled: false }, "landmark-one-main": { enabled: false } };
  const { violations } = await axe.run(document, { rules, preload: false, resultTypes: ["violations"] });
  return violations.map(({ id, help, nodes }) => ({
    id, help, count: nodes.length,
    why: [...nodes[0].any, ...nodes[0].all, ...nodes[0].none][0]?.message ?? "",
    html: nodes[0].html,
    text: document.querySelector(nodes[0].target[0])?.textContent ?? "",
  }));
}"""

# Boxes say how wide the mail is. What made it so are the words or the picture that reach furthest, or else the
# innermost box. A part that scrolls by itself is in order; a box of one pixel hides words for screen readers.
MEASURE = """() => {
  const width = document.documentElement.clientWidth;
  let words = { right: 0 }, box = { right: 0 };
  const seen = (right, element, text) => ({ right, tag: element.localName, text });
  const visit = element => {
    const { right } = element.getBoundingClientRect();
    if (right >= box.right) box = seen(right, element, element.alt ?? element.textContent);
    const way = getComputedStyle(element).overflowX;
    if (way === "auto" || way === "scroll" || (way !== "visible" && element.clientWidth <= 1)) return;
    for (const child of element.childNodes) {
      if (child.nodeType === Node.ELEMENT_NODE) visit(child);
      if (child.nodeType !== Node.TEXT_NODE || !child.data.trim()) continue;
      const range = document.createRange();
      range.selectNodeContents(child);
      const { right } = range.getBoundingClientRect();
      if (right > words.right) words = seen(right, element, child.data);
    }
  };
  visit(document.body);
  const reach = Math.max(words.right, box.right, document.documentElement.scrollWidth);
  return {
    quirks: document.compatMode !== "CSS1Compat", beyond: Math.round(reach - width),
    ...(words.right > width ? words : box),
  };
}"""

_SHORT = 60  # characters of a text that are enough to find it by
_TAG = re.compile(r"<[^>]*>")


def findings(by_scheme: Mapping[str, list[Any]], by_width: Mapping[int, Any]) -> list[Finding]:
    """What the answers of AXE by scheme and of MEASURE by width say."""
    found = [*_broken_rules(by_scheme), *_overflows(by_width)]
    if any(measured["quirks"] for measured in by_width.values()):
        hint = "the HTML must begin with <!DOCTYPE html>"
        found.append(Finding("DM503", "the mail is shown in quirks mode, as pages of the nineties were", hint))
    return found


def _broken_rules(by_scheme: Mapping[str, list[Any]]) -> Iterable[Finding]:
    """One finding a rule: most break in both schemes alike."""
    rules: dict[str, list[tuple[str, Any]]] = {}
    for scheme, broken in by_scheme.items():
        for one in broken:
            rules.setdefault(one["id"], []).append((scheme, one))
    for rule, cases in rules.items():
        schemes = " and ".join(scheme for scheme, _ in cases)
        first = cases[0][1]
        count = max(one["count"] for _, one in cases)
        elements = "1 element" if count == 1 else f"{count} elements"
        message = f"in {schemes}, {rule}: {first['help']} ({elements})"
        yield Finding("DM501", message, _line(first["why"]), near=_near(first))


def _overflows(by_width: Mapping[int, Any]) -> Iterable[Finding]:
    """One finding for each culprit, with every width that it is too wide for."""
    culprits: dict[tuple[str, str], list[str]] = {}
    for width, measured in by_width.items():
        if measured["beyond"] > 0:
            where = f"{width} px by {measured['beyond']} px"
            culprits.setdefault((measured["tag"], _short(measured["text"])), []).append(where)
    for (tag, words), places in culprits.items():
        message = f"the mail is too wide for {', '.join(places)}; <{tag}> stands out furthest"
        yield Finding("DM502", message, "let it wrap, or narrow it for small windows in responsive.css", near=words)


def _near(broken: Mapping[str, Any]) -> str:
    """The words of the element, or else its tag."""
    return _short(broken["text"]) or _short(_TAG.sub(" ", broken["html"])) or _short(broken["html"])


def _short(text: str) -> str:
    """The beginning of a text, on one line, not cut within a word where there is another."""
    line = _line(text)
    return line if len(line) <= _SHORT else line[:_SHORT].rpartition(" ")[0] or line[:_SHORT]


def _line(text: str) -> str:
    return " ".join(text.split())
