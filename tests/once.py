"""What every application of a process makes in the same way is made once here: hundreds of tests build one each."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine
from werkzeug.routing.rules import Rule


def share_routes(patch: pytest.MonkeyPatch) -> None:
    """Compile what writes the addresses of a route once for all applications: two thirds of the making of one."""
    compile_builder = Rule._compile_builder
    made: dict[object, Any] = {}

    def look_up(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in made:
            made[key] = compile_builder(rule, append_unknown)
        return made[key]

    patch.setattr(Rule, "_compile_builder", look_up)


def share_templates(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keep compiled templates in a folder for the applications that come after."""
    cache = FileSystemBytecodeCache(str(folder))
    patch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": cache})


class Statements(dict[Any, Any]):
    """Compiled statements by what they say and by the kind of database, not by the engine that asked first."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_for_any_engine(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_for_any_engine(key), compiled)


def _for_any_engine(key: Any) -> Any:
    dialect, *rest = key
    return (dialect.name, *rest)


def share_statements(patch: pytest.MonkeyPatch) -> None:
    """Let all engines have one cache of compiled statements: each would compile the same hundreds again."""
    make, shared = Engine.__init__, Statements()

    # `create_engine` reads from the names of the parameters which options are the engine's.
    def make_sharing(
        engine: Engine,
        pool: Any,
        dialect: Any,
        url: Any,
        execution_options: Any = None,
        hide_parameters: bool = False,
    ) -> None:
        make(engine, pool, dialect, url, execution_options=execution_options, hide_parameters=hide_parameters)
        engine._compiled_cache = shared

    patch.setattr(Engine, "__init__", make_sharing)
