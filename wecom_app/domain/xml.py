"""A strict reader for WeCom's small XML documents; used for the envelope of callbacks and for what is inside.

Whatever can make a parser open files, expand entities or run long is refused before it takes effect.
"""

from typing import Any, NoReturn
from xml.parsers import expat

UTF8_NAMES = ("utf-8", "utf8")


def parse(text: str | bytes, *, max_depth: int = 8, max_elements: int = 1000) -> dict[str, Any]:
    """Return the root's children: leaves as text, elements with children as dicts, repeated ones as lists.

    The root's own name and all attributes are left out. Raises ValueError for everything that is not plain
    well-formed UTF-8 XML within the limits: DOCTYPE, entities, processing instructions, text beside elements.
    """
    if not isinstance(text, str | bytes):
        raise ValueError("not text")
    data = text.encode() if isinstance(text, str) else text
    return _Reader(max_depth, max_elements).read(data)


class _Element:
    """An element that is being read."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text: list[str] = []
        self.children: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        if name not in self.children:
            self.children[name] = value
            return
        present = self.children[name]
        if isinstance(present, list):
            present.append(value)
        else:
            self.children[name] = [present, value]

    def value(self) -> Any:
        text = "".join(self.text)
        if not self.children:
            return text
        if text.strip():
            raise ValueError("text beside elements")
        return self.children


class _Reader:
    """One run of expat."""

    def __init__(self, max_depth: int, max_elements: int) -> None:
        self._max_depth = max_depth
        self._elements_left = max_elements
        self._open: list[_Element] = []
        self._root: _Element | None = None

    def read(self, data: bytes) -> dict[str, Any]:
        data.decode()  # a byte sequence that is not UTF-8 is a ValueError here, whatever it declares
        if b"\0" in data:
            raise ValueError("NUL")  # expat takes `<` and NUL for UTF-16 even where it is told UTF-8
        # The given encoding overrules the declared one, so that UTF-7 and the like cannot hide anything.
        parser = expat.ParserCreate("utf-8")
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.ProcessingInstructionHandler = _refuse
        parser.ExternalEntityRefHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(data, True)
        except expat.ExpatError:
            raise ValueError("not well-formed") from None
        return self._fields()

    def _fields(self) -> dict[str, Any]:
        value = self._root.value() if self._root else {}
        if isinstance(value, dict):
            return value
        if value.strip():
            raise ValueError("text in place of elements")
        return {}

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in UTF8_NAMES:
            raise ValueError("not declared as UTF-8")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._elements_left -= 1
        if self._elements_left < 0 or len(self._open) >= self._max_depth:
            raise ValueError("too many elements or too deep")
        self._open.append(_Element(name))

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        if self._open:
            self._open[-1].add(element.name, element.value())
        else:
            self._root = element

    def _characters(self, text: str) -> None:
        self._open[-1].text.append(text)


def _refuse(*_: object) -> NoReturn:
    raise ValueError("document type, entity or processing instruction")
