"""Static files: pinned, kept as long as they stand, bundled and packed."""

import gzip
import re
from pathlib import Path

import esprima
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from scripts import vendor_assets
from tests.flows.company import Company
from wecom_app.web import assets

CSS = "body { color: #14181f; }\n" * 100
MORE = "p { margin: 0; }\n"
PAGE = "<p>a page</p>" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "app.css").write_text(CSS)
    (tmp_path / "vendor/library-1.0.js").write_text("void 0;\n" * 200)
    (tmp_path / "more.css").write_text(MORE)
    (tmp_path / "picture.png").write_bytes(bytes(2000))
    return tmp_path


@pytest.fixture
def app(folder: Path) -> Flask:
    app = Flask("tests", static_folder=str(folder), static_url_path="/static")
    assets.install(app, {"both.css": ("app.css", "more.css")})
    app.add_url_rule("/long", "long", lambda: PAGE)
    app.add_url_rule("/short", "short", lambda: "<p>short</p>")
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def get(client: FlaskClient, path: str, **headers: str) -> Response:
    """Return an answer whose file has been read and closed."""
    with client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}) as answer:
        answer.get_data()
    return answer


def get_packed(client: FlaskClient, path: str, **headers: str) -> Response:
    return get(client, path, accept_encoding="gzip, br", **headers)


def address(app: Flask, name: str) -> str:
    with app.test_request_context():
        found: str = app.jinja_env.globals["asset"](name)
    return found


@pytest.mark.parametrize("vendor", [vendor_assets.SHIPPED, vendor_assets.FOR_TESTS], ids=lambda path: path.parent.name)
def test_vendored_files_are_those_that_were_pinned(vendor: Path) -> None:
    assert vendor_assets.problems(vendor) == []


def test_a_changed_vendored_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in vendor_assets.FOR_TESTS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "axe-4.14.1.js").write_text("void 0;")
    assert vendor_assets.problems(tmp_path) != []


def test_an_address_changes_with_its_file(app: Flask, folder: Path) -> None:
    before = address(app, "app.css")
    (folder / "app.css").write_text(CSS + "p { margin: 0; }")
    assert address(app, "app.css") != before


def test_a_missing_asset_is_an_error_and_not_a_dead_link(app: Flask) -> None:
    with pytest.raises(FileNotFoundError):
        address(app, "css/forgotten.css")


@pytest.mark.parametrize("name", ["app.css", "vendor/library-1.0.js"])
def test_a_file_under_its_address_is_kept_for_ever(app: Flask, client: FlaskClient, name: str) -> None:
    assert get(client, address(app, name)).headers["Cache-Control"] == assets.FOR_EVER


@pytest.mark.parametrize("path", ["/static/app.css", "/static/app.css?v=000000000000", "/static/picture.png"])
def test_a_file_without_its_hash_is_asked_for_again(client: FlaskClient, path: str) -> None:
    answer = get(client, path)
    assert answer.headers["Cache-Control"] == assets.ASK_AGAIN
    assert get(client, path, if_none_match=answer.headers["ETag"]).status_code == 304


def test_a_packed_file_is_the_file(client: FlaskClient) -> None:
    packed, plain = get_packed(client, "/static/app.css"), get(client, "/static/app.css")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data == CSS.encode()
    assert len(packed.data) == packed.content_length < len(CSS) / 5
    assert get_packed(client, "/static/app.css", if_none_match=packed.headers["ETag"]).status_code == 304


def test_pictures_and_parts_of_files_are_not_packed(client: FlaskClient) -> None:
    assert "Content-Encoding" not in get_packed(client, "/static/picture.png").headers
    part = get_packed(client, "/static/app.css", range="bytes=0-9")
    assert (part.status_code, part.data) == (206, CSS[:10].encode())


def test_a_bundle_is_its_files_in_order_and_changes_with_each(app: Flask, client: FlaskClient, folder: Path) -> None:
    before = address(app, "both.css")
    packed, plain = get_packed(client, before), get(client, before)
    assert gzip.decompress(packed.data) == plain.data == (CSS + MORE).encode()
    assert packed.mimetype == plain.mimetype == "text/css"
    assert plain.headers["Cache-Control"] == assets.FOR_EVER
    assert get(client, before, if_none_match=plain.headers["ETag"]).status_code == 304
    (folder / "more.css").write_text("p { margin: 1px; }\n")
    assert address(app, "both.css") != before


def test_an_answer_is_packed_unless_it_is_short(client: FlaskClient) -> None:
    assert gzip.decompress(get_packed(client, "/long").data).decode() == PAGE
    assert "Content-Encoding" not in get(client, "/long", accept_encoding="gzip;q=0").headers
    assert "Content-Encoding" not in get_packed(client, "/short").headers


def test_the_callback_s_answer_stays_as_it_is(standing_company: Company) -> None:
    answer = get_packed(standing_company.client, "/wecom/callback")
    assert (answer.status_code, answer.data) == (403, b"")
    assert "Content-Encoding" not in answer.headers
    assert "Vary" not in answer.headers


def test_the_files_that_templates_name_are_there() -> None:
    """A page whose file is missing fails as it is rendered; this finds it before somebody opens the page."""
    parts = {part for parts in assets.BUNDLES.values() for part in parts}
    for template in (vendor_assets.ROOT / "templates").rglob("*.html"):
        parts |= set(re.findall(r"asset\('([^']+)'\)", template.read_text(encoding="utf-8")))
    for name in parts - set(assets.BUNDLES):
        assert (vendor_assets.ROOT / "static" / name).is_file(), name


@pytest.mark.parametrize("name", [part for name in ("js/sidebar.js", "js/diag.js") for part in assets.BUNDLES[name]])
def test_the_sidebar_s_scripts_are_of_2017(name: str) -> None:
    """Some WeCom clients carry a web view of that age; the parser knows nothing younger."""
    esprima.parseScript((vendor_assets.ROOT / "static" / name).read_text(encoding="utf-8"))


def test_the_parser_would_notice_a_younger_word() -> None:
    with pytest.raises(esprima.Error):
        esprima.parseScript("const name = customer?.name;")
