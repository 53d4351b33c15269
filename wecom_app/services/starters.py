"""Starter trees: libraries to begin with, one a trade, as files of the package; carried in like any other file."""

from importlib.resources import files

from wecom_app.errors import NotFound
from wecom_app.services import library_reading
from wecom_app.services.library_files import LibraryFile

NAMES = {"retail": "零售", "mother_baby": "母婴", "beauty": "美妆", "education": "教育", "b2b": "企业服务"}


def read(key: str) -> LibraryFile:
    """Return the starter tree of a trade; raise NotFound."""
    return library_reading.read(text(key).encode(), f"{key}.yaml")


def text(key: str) -> str:
    """Return the starter tree of a trade as the file that it is; raise NotFound."""
    if key not in NAMES:
        raise NotFound(f"没有这套起步标签，可选：{'、'.join(NAMES)}")
    return files("wecom_app").joinpath("starters", f"{key}.yaml").read_text(encoding="utf-8")
