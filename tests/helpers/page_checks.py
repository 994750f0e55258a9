"""What a valid page keeps to: by the standard's own way of reading it, and beyond."""

from html.parser import HTMLParser

import html5lib

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr", "area", "base", "col", "source"}


class Checker(HTMLParser):
    """Walks a page; what it finds wrong is in `errors`."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.errors, self.ids, self.wanted, self.links = [], [], [], set(), []
        self.scripts, self.words, self.headings, self.meta = [], [], [], {}

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        if len(names) != len(set(names)):
            self.errors.append(f"<{tag}> has an attribute twice")
        values = dict(attributes)
        self._note(tag, values)
        if tag not in VOID:
            self.open.append(tag)
            if tag == "script":
                self.scripts.append("")

    def handle_startendtag(self, tag, attributes):
        if "svg" not in self.open:
            self.errors.append(f"<{tag}/> closes itself outside a drawing")
        self._note(tag, dict(attributes))

    def _note(self, tag, values):
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("aria-labelledby", "for"):
            self.wanted |= set((values.get(name) or "").split())
        for name in ("href", "xlink:href", "src"):
            if name in values:
                self.links.append((tag, name, values[name]))
        if "http-equiv" in values:
            self.meta[values["http-equiv"]] = values["content"]
        if any(name.startswith("on") for name in values):
            self.errors.append(f"<{tag}> has a handler in an attribute")

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.errors.append(f"</{tag}> at line {self.getpos()[0]} closes {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.words.append(data)
            if self.open[-1] in ("h1", "h2", "h3"):
                self.headings.append(self.open[-1])


def parse_errors(page):
    """Returns what is an error to a parser that follows the standard, and where it stands."""
    parser = html5lib.HTMLParser()
    parser.parse(page)
    return parser.errors


def check(page):
    """Returns a checker that has read the page to its end."""
    checker = Checker()
    checker.feed(page)
    checker.close()
    if checker.open:
        checker.errors.append(f"never closed: {checker.open}")
    # With a "=" it is not a place in the page but what its script is asked to show.
    local = {link[1:] for _, _, link in checker.links if link.startswith("#") and "=" not in link}
    missing = (checker.wanted | local) - set(checker.ids)
    if missing:
        checker.errors.append(f"nothing has the id {sorted(missing)}")
    if len(checker.ids) != len(set(checker.ids)):
        checker.errors.append("an id is there twice")
    return checker
