"""The npm package: made from the module that the Django app ships, with types, small."""

import gzip
import json
import re
import shutil
import subprocess
import tarfile

import pytest

from django_websocket import __version__
from support.server import ROOT

MODULE = "app/django_websocket/static/django_websocket/websocket.js"
MOST = 4096  # bytes of the module, minified and compressed

pytestmark = pytest.mark.skipif(
    not shutil.which("npm"), reason="npm is missing: install nodejs and npm"
)


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def npm(tmp_path_factory):
    """A copy of ``npm/`` with its tools, and what it is made from beside it."""
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "npm", copy / "npm")
    (copy / MODULE).parent.mkdir(parents=True)
    for name in (MODULE, "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=copy / "npm")
    return copy / "npm"


@pytest.fixture(scope="module")
def package(npm):
    """What ``npm pack`` makes, unpacked where Node finds it. The types are checked meanwhile."""
    run("npm", "pack", "--silent", cwd=npm)
    (archive,) = npm.glob("*.tgz")
    place = npm.parent / "node_modules"
    with tarfile.open(archive) as files:
        files.extractall(place, filter="data")
    return (place / "package").rename(place / "django-gevent-websocket")


def test_it_has_the_module_and_its_types(package):
    names = {path.name for path in package.iterdir()}
    assert names == {"LICENSE", "README.md", "package.json", "websocket.d.ts", "websocket.js"}
    assert (package / "websocket.js").read_bytes() == (ROOT / MODULE).read_bytes()
    types = (package / "websocket.d.ts").read_text()
    assert "export function connect(" in types
    assert "request(data: unknown" in types
    assert "request(type: string, fields?: object" in types


def test_its_version_is_the_library_s():
    version = json.loads((ROOT / "npm/package.json").read_text())["version"]
    assert re.sub(r"-(\w+)\.", r"\1", version) == __version__


def test_a_server_can_import_it(package):
    code = """
        import { connect, Connection, RequestError } from "django-gevent-websocket";
        console.log(typeof connect, Connection.name, RequestError.name);
    """
    node = ("node", "--input-type=module", "--eval", code)
    assert run(*node, cwd=package.parent.parent) == "function Connection RequestError\n"


def test_without_a_websocket_it_says_where_there_is_one(package):
    code = """
        delete globalThis.WebSocket; // Node before 22 has none
        import("django-gevent-websocket")
          .then(({ connect }) => connect("wss://example.com/"))
          .catch((error) => console.log(error.message));
    """
    said = run("node", "--input-type=module", "--eval", code, cwd=package.parent.parent)
    assert said == "Expected a WebSocket, found none: connect in the browser, or in Node 22.\n"


@pytest.mark.parametrize(("module", "resolution"), [("es2022", "bundler"), ("nodenext",) * 2])
def test_a_compiler_knows_its_types(npm, package, module, resolution):
    shutil.copy(ROOT / "tests/support/npm_consumer.ts", npm.parent / "consumer.ts")
    (npm.parent / "package.json").write_text('{"type": "module"}')
    options = ("--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom")
    run(
        npm / "node_modules/.bin/tsc",
        *options,
        *("--module", module, "--moduleResolution", resolution, "../consumer.ts"),
        cwd=npm,
    )


def test_it_is_small(npm):
    terser = ("npx", "terser", "--module", "--compress", "--mangle", "--", str(ROOT / MODULE))
    assert len(gzip.compress(run(*terser, cwd=npm).encode(), 9)) <= MOST


def test_the_lock_file_names_no_registry():
    assert '"resolved"' not in (ROOT / "npm/package-lock.json").read_text()
