"""Fetches the front end's third-party files from npm, at pinned versions and integrities, into the repository.

`python scripts/vendor_assets.py` needs npm and the network, and is run by hand when a version changes; the files are
committed, so that neither a deployment nor a build needs npm. `--check` compares what is committed with the manifests,
offline; tests/web/test_assets.py calls it.
"""

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "static/vendor"
FOR_TESTS = ROOT / "tests/browser/vendor"
MANIFEST = "MANIFEST.json"
MIT = """The MIT License (MIT)

Copyright (c) {holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@dataclass(frozen=True)
class Package:
    """What is taken from one npm package.

    `files` maps a path in the package to the name that it gets here, in which the version stands: a file never changes
    under its name, and browsers may keep it for ever. `license_file` is the licence's path in the package; a package
    that declares the MIT licence without its text names the holder of the rights instead.
    """

    name: str
    version: str
    integrity: str
    files: dict[str, str]
    license_name: str
    license_file: str | None = None
    holder: str | None = None
    folder: Path = field(default=SHIPPED)

    @property
    def stem(self) -> str:
        return f"{self.name.removeprefix('@').replace('/', '-').removesuffix('.org')}-{self.version}"


PACKAGES = (
    Package(
        name="@wecom/jssdk",
        version="2.4.4",
        integrity="sha512-CoMxyTvlpR2sz+KC+0kfnbdJj19EjJg7HAU/52LUW6dPUDEvW3NV40LNhWUnvqFg49y3zJswyGVFeraDcKc0Kw==",
        files={"dist/wecom.global.prod.js": "wecom-jssdk-2.4.4.js"},
        license_name="MIT",
        holder="Tencent WeCom",
    ),
    Package(
        name="htmx.org",
        version="2.0.11",
        integrity="sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        files={"dist/htmx.min.js": "htmx-2.0.11.js"},
        license_name="0BSD",
        license_file="LICENSE",
    ),
    Package(
        name="@tabler/core",
        version="1.6.1",
        integrity="sha512-lgmR9gcxRp5JlLxcmRi9Rz85JrEvH6Bz71KnlcPVSa97wtwQNjgSs3g3fxwbAlulHyRMghhIV04QUuW3pqDsIg==",
        files={"dist/css/tabler.min.css": "tabler-1.6.1.css", "dist/js/tabler.min.js": "tabler-1.6.1.js"},
        license_name="MIT",
        holder="2018-2026 The Tabler Authors",
    ),
    Package(
        name="axe-core",
        version="4.14.1",
        integrity="sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        files={"axe.min.js": "axe-4.14.1.js"},
        license_name="MPL-2.0",
        license_file="LICENSE",
        folder=FOR_TESTS,
    ),
)


def fetch(package: Package) -> None:
    """Put the package's files and its licence into its folder."""
    with tempfile.TemporaryDirectory() as place:
        archive = _download(package, Path(place))
        with tarfile.open(archive) as tar:
            for inside, name in package.files.items():
                (package.folder / name).write_bytes(_member(tar, inside))
            text = _member(tar, package.license_file) if package.license_file else MIT.format(holder=package.holder)
    content = text if isinstance(text, bytes) else text.encode()
    (package.folder / f"{package.stem}.LICENSE.txt").write_bytes(content)


def _download(package: Package, place: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to fetch packages and was not found")
    wanted = f"{package.name}@{package.version}"
    subprocess.run([npm, "pack", wanted, "--silent"], cwd=place, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  npm by its path, and a version pinned above
    archive = next(place.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != package.integrity:
        raise SystemExit(f"{wanted}: the archive is not the one that was pinned (sha512-{digest})")
    return archive


def _member(tar: tarfile.TarFile, path: str) -> bytes:
    file = tar.extractfile(f"package/{path}")
    if file is None:
        raise SystemExit(f"{path} is not in the package")
    return file.read()


def manifest(folder: Path) -> list[dict[str, object]]:
    """Return what the folder's manifest says: each package with the SHA-256 of each file as it stands."""
    return [
        {
            "package": package.name,
            "version": package.version,
            "integrity": package.integrity,
            "license": package.license_name,
            "files": {
                name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
                for name in [*package.files.values(), f"{package.stem}.LICENSE.txt"]
            },
        }
        for package in PACKAGES
        if package.folder == folder
    ]


def problems(folder: Path) -> list[str]:
    """Return what differs between a folder and its manifest; nothing if all is as it was fetched."""
    written = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    listed = {name for package in written for name in package["files"]}
    present = {path.name for path in folder.iterdir() if path.name != MANIFEST}
    found = [f"{name}: missing" for name in sorted(listed - present)]
    found += [f"{name}: not in the manifest" for name in sorted(present - listed)]
    if found:
        return found
    return [] if written == manifest(folder) else [f"{folder.name}: files or pins differ from {MANIFEST}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare the files with the manifests, offline")
    if parser.parse_args().check:
        found = problems(SHIPPED) + problems(FOR_TESTS)
        sys.exit("\n".join(found) or 0)
    for folder in (SHIPPED, FOR_TESTS):
        folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        fetch(package)
    for folder in (SHIPPED, FOR_TESTS):
        text = json.dumps(manifest(folder), indent=2, ensure_ascii=False) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
