"""Names as ASCII words, for keys; the dictionary is loaded at the first Chinese name."""

import os
import re
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from unicodedata import combining, normalize

REMEMBERED = 20_000
"""Names that are transcribed once and not for every search: twice as many as WeCom has tags."""


class PinyinSlugify:
    """Turns 高意向客户 into gao_yi_xiang_ke_hu; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lazy_pinyin: Callable[[str], list[str]] | None = None
        self._remembered = lru_cache(REMEMBERED)(self._slugify)

    def __call__(self, name: str) -> str:
        """Return lower-case ASCII words joined by underscores; "" where nothing can be transcribed."""
        return self._remembered(name)

    def _slugify(self, name: str) -> str:
        # Full-width letters, circled digits and accents are typed as what they stand for.
        name = "".join(letter for letter in normalize("NFKD", name) if not combining(letter))
        if not name.isascii():
            name = " ".join(self._transcribe(name))
        return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")

    def _transcribe(self, name: str) -> list[str]:
        with self._lock:
            if self._lazy_pinyin is None:
                # The phrase dictionary costs 30 MB and a second; single characters are enough for a key.
                os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
                self._lazy_pinyin = import_module("pypinyin").lazy_pinyin
            return self._lazy_pinyin(name)
