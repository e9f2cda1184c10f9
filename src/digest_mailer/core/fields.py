"""A block of YAML settings read with line and column, every scalar as the text the author typed.

YAML's own guesses (`no` is False, `2021-03` a date) have no place in a form that people fill in, so a
block is only composed into nodes, never constructed. Mistakes go into a list; reading goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from digest_mailer.core.errors import Diagnostic, Place, did_you_mean
from digest_mailer.core.identity import CONTROLS
from digest_mailer.core.source import Written

RESERVED_MARK = "__DM_"  # how a personal slot is marked in a rendered edition


@dataclass(slots=True)
class Report:
    """The diagnostics of one file, gathered while reading it, and the texts of its settings with their stretches."""

    path: str
    found: list[Diagnostic] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)

    def add(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Note one mistake."""
        self.found.append(Diagnostic(self.path, place.line, place.col, code, message, hint))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text with its place."""

    text: str
    place: Place


@dataclass(slots=True)
class Fields:
    """The mapping of one block; `take_*` reads a field, reports a wrong kind, and answers the empty value."""

    report: Report
    nodes: Mapping[str, tuple[yaml.Node, Place]]
    place: Place
    origin: Place  # of the block's first character in the file

    def text(self, name: str) -> Scalar:
        """A one-line text; empty when absent."""
        found = self.nodes.get(name)
        return self._scalar(found[0], name) if found else Scalar("", self.place)

    def texts(self, name: str) -> tuple[Scalar, ...]:
        """A list of texts; empty when absent. A single text counts as a list of one."""
        found = self.nodes.get(name)
        if not found or _is_null(found[0]):
            return ()
        node = found[0]
        if isinstance(node, yaml.ScalarNode):
            return (self._scalar(node, name),)
        if not isinstance(node, yaml.SequenceNode):
            self._wrong_kind(node, name, "a list of texts, one a line, each after a hyphen")
            return ()
        in_row = bool(node.flow_style)
        return tuple(scalar for item in node.value if (scalar := self._scalar(item, name, in_row=in_row)).text)

    def mappings(self, name: str, allowed: Sequence[str]) -> tuple["Fields", ...]:
        """A list of small mappings; empty when absent."""
        found = self.nodes.get(name)
        if not found or _is_null(found[0]):
            return ()
        if not isinstance(found[0], yaml.SequenceNode):
            self._wrong_kind(found[0], name, f"a list, each entry with {' and '.join(allowed)}")
            return ()
        made = (_fields(item, self.report, self.origin, allowed, name) for item in found[0].value)
        return tuple(one for one in made if one)

    def _scalar(self, node: yaml.Node, name: str, *, in_row: bool = False) -> Scalar:
        place = _place(node, self.origin)
        if not isinstance(node, yaml.ScalarNode):
            self._wrong_kind(node, name, "a text; quote it when it begins with a bracket or a brace")
            return Scalar("", place)
        if _is_null(node):
            return Scalar("", place)
        text = str(node.value).strip(" ")
        if node.style in (">", "|"):  # written over several lines on purpose; one line is meant
            text = " ".join(text.split())
        check_text(self.report, text, place, f'"{name}"')
        end = _at(node.end_mark, self.origin)
        self.report.written.append(Written(place, end, name, text, node.style or "", in_row))
        return Scalar(text, place)

    def _wrong_kind(self, node: yaml.Node, name: str, wanted: str) -> None:
        self.report.add(_place(node, self.origin), "DM008", f'"{name}" should be {wanted}')


def clean_text(text: str) -> str:
    """A text from elsewhere as one line that `check_text` lets pass: nothing hidden, no line ends, no mark of slots."""
    return " ".join(CONTROLS.sub(" ", text).replace(RESERVED_MARK, " DM ").split())


def check_text(report: Report, text: str, place: Place, what: str, *, allow: str = "") -> bool:
    """Report characters that may not stand in a text: they end lines, or hide, in a header or a mail.

    Answers whether the text is clean.
    """
    before = len(report.found)
    bad = next((match[0] for match in CONTROLS.finditer(text) if match[0] not in allow), None)
    if bad is not None:
        report.add(place, "DM034", f"{what} holds the control character U+{ord(bad):04X}", "delete it")
    if RESERVED_MARK in text:
        report.add(place, "DM035", f"{what} holds {RESERVED_MARK}, which marks personal slots", "reword it")
    return len(report.found) == before


def read_fields(text: str, report: Report, origin: Place, allowed: Sequence[str], what: str) -> Fields | None:
    """Read a block whose first character stands at `origin` in the file; None when it is no mapping at all."""
    first_line = origin.line
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = _at(mark, origin) if mark else Place(first_line)
        report.add(place, "DM006", f"{what} is not valid YAML: {problem.problem or problem.context}", _YAML_HINT)
        return None
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + first_line
        report.add(Place(line), "DM034", f"{what} holds the control character U+{_code(problem):04X}", "delete it")
        return None
    except (ValueError, OverflowError):  # PyYAML leaves the numbers of escapes and directives to Python
        report.add(Place(first_line), "DM006", f"{what} holds an escape or a number that cannot be", _YAML_HINT)
        return None
    except RecursionError:
        report.add(Place(first_line), "DM006", f"{what} is nested too deeply", _YAML_HINT)
        return None
    if node is None:
        return Fields(report, {}, Place(first_line), origin)
    return _fields(node, report, origin, allowed, what)


_YAML_HINT = 'put a value that holds ": " or starts with a special character in double quotes'


def _code(problem: yaml.reader.ReaderError) -> int:
    return problem.character if isinstance(problem.character, int) else ord(problem.character)


def _fields(node: yaml.Node, report: Report, origin: Place, allowed: Sequence[str], what: str) -> Fields | None:
    place = _place(node, origin)
    if not isinstance(node, yaml.MappingNode):
        report.add(place, "DM005", f"{what} should be lines of the form `name: value`")
        return None
    nodes: dict[str, tuple[yaml.Node, Place]] = {}
    for key_node, value_node in node.value:
        key, key_place = str(key_node.value), _place(key_node, origin)
        if not isinstance(key_node, yaml.ScalarNode):
            report.add(key_place, "DM005", f"{what} has a field name that is not a word")
        elif key not in allowed:
            hint = did_you_mean(key, allowed) or f"fields are: {', '.join(allowed)}"
            report.add(key_place, "DM007", f'unknown field "{key}"', hint)
        elif key in nodes:
            report.add(key_place, "DM009", f'field "{key}" stands twice', f"first in line {nodes[key][1].line}")
        else:
            nodes[key] = (value_node, key_place)
    return Fields(report, nodes, place, origin)


def _is_null(node: yaml.Node) -> bool:
    """A field with nothing behind its colon."""
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null")


def _place(node: yaml.Node, origin: Place) -> Place:
    return _at(node.start_mark, origin)


def _at(mark: yaml.Mark, origin: Place) -> Place:
    """The mark in the file. YAML ends lines at characters that the rest of the program does not, so count again."""
    before = str(mark.buffer)[: mark.pointer]
    return Place(origin.line + before.count("\n"), origin.col + len(before) - (before.rfind("\n") + 1))
