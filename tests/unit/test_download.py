import gzip
import hashlib
import socket
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from stochastor.model import download
from stochastor.model.data import load_dataset
from stochastor.model.errors import DataError, ToolError

FEATURES = np.arange(60, dtype=np.uint8).reshape(10, 6)
LABELS = np.arange(10, dtype=np.int64) % 3
IMAGES_FILE, LABELS_FILE, TEST_IMAGES_FILE, TEST_LABELS_FILE = download.DOWNLOADS["mnist"].sha256


class Server(ThreadingHTTPServer):
    """Serves a directory on this machine; cuts the connection halfway through files of `cut`, counts requests."""

    def __init__(self, directory):
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=directory))
        self.directory = directory
        self.cut = set()
        self.requested = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        name = Path(self.path).name
        self.server.requested.append(name)
        if name not in self.server.cut:
            super().do_GET()
            return
        content = (Path(self.directory) / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def log_message(self, *_):
        pass


def idx_gz(array):
    header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4) for size in array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def write_set(directory):
    """Write a small set; returns the digests of its files."""
    directory.mkdir()
    contents = {
        IMAGES_FILE: idx_gz(FEATURES.reshape(10, 2, 3)),
        LABELS_FILE: idx_gz(LABELS),
        TEST_IMAGES_FILE: idx_gz(FEATURES[:4].reshape(4, 2, 3)),
        TEST_LABELS_FILE: idx_gz(LABELS[:4]),
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def offer(monkeypatch, name="mnist", **changes):
    monkeypatch.setitem(download.DOWNLOADS, name, replace(download.DOWNLOADS[name], **changes))


def unused_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def fault(source="mnist"):
    with pytest.raises(DataError) as caught:
        load_dataset(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def assert_holds_the_small_set(dataset):
    np.testing.assert_array_equal(dataset.train_features, FEATURES)
    np.testing.assert_array_equal(dataset.train_labels, LABELS)
    np.testing.assert_array_equal(dataset.test_features, FEATURES[:4])
    np.testing.assert_array_equal(dataset.test_labels, LABELS[:4])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(download.DATA_DIRECTORY, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "cache" / "mnist"


@pytest.fixture
def server(tmp_path, monkeypatch, cache):
    digests = write_set(tmp_path / "served")
    with Server(tmp_path / "served") as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        offer(monkeypatch, mirrors=(server.address,), sha256=digests)
        yield server
        server.shutdown()
        thread.join()


def test_a_set_is_downloaded_and_read(server, cache):
    dataset = load_dataset("mnist", inputs=6, outputs=3)
    assert dataset.name == "mnist"
    assert_holds_the_small_set(dataset)
    assert sorted(path.name for path in cache.iterdir()) == sorted(server.requested)


def test_a_set_in_the_cache_needs_no_network(server, monkeypatch):
    load_dataset("mnist")
    offer(monkeypatch, mirrors=(unused_address(),))
    assert_holds_the_small_set(load_dataset("mnist"))
    assert len(server.requested) == 4


def test_a_file_damaged_in_the_cache_is_downloaded_again(server, cache):
    load_dataset("mnist")
    (cache / LABELS_FILE).write_bytes(b"damaged")
    assert_holds_the_small_set(load_dataset("mnist"))
    assert server.requested.count(LABELS_FILE) == 2
    assert len(server.requested) == 5


def test_a_file_of_another_digest_is_not_kept(server, cache):
    (server.directory / LABELS_FILE).write_bytes(idx_gz(LABELS[::-1]))
    message = fault()
    assert message.startswith(f"mnist: {server.address}{LABELS_FILE} is damaged: its SHA-256 is not ")
    assert message.endswith(
        "try again later, or fetch the four files in another way, put them into a directory and name it with idx:DIR"
    )
    assert [path.name for path in cache.iterdir()] == [IMAGES_FILE]


def test_half_a_file_is_not_kept(server, cache):
    server.cut.add(IMAGES_FILE)
    assert f"{IMAGES_FILE} broke off; try again later" in fault()
    assert list(cache.iterdir()) == []


def test_a_broken_download_goes_on_with_the_files_that_lack(server):
    server.cut.add(TEST_LABELS_FILE)
    fault()
    server.cut.clear()
    assert_holds_the_small_set(load_dataset("mnist"))
    assert sorted(server.requested) == sorted([*download.DOWNLOADS["mnist"].sha256, TEST_LABELS_FILE])


def test_a_server_out_of_reach_leads_to_the_way_without_network(cache, monkeypatch):
    address = unused_address()
    offer(monkeypatch, mirrors=(address,))
    message = fault()
    assert f"{address}{IMAGES_FILE} cannot be reached" in message
    assert "idx:DIR" in message
    assert list(cache.iterdir()) == []


def test_a_file_that_the_server_lacks_is_named(server):
    (server.directory / TEST_IMAGES_FILE).unlink()
    assert f"{TEST_IMAGES_FILE} is refused: 404 File not found" in fault()


@pytest.mark.parametrize("trouble", ["unreachable", "damaged"])
def test_the_next_mirror_helps_out(server, tmp_path, monkeypatch, trouble):
    first = unused_address()
    if trouble == "damaged":
        (server.directory / "bad").mkdir()
        (server.directory / "bad" / IMAGES_FILE).write_bytes(b"?")
        first = f"{server.address}bad/"
    offer(monkeypatch, mirrors=(first, server.address))
    assert_holds_the_small_set(load_dataset("mnist"))


def test_every_mirror_that_failed_is_named(cache, monkeypatch):
    addresses = unused_address(), unused_address()
    offer(monkeypatch, mirrors=addresses)
    message = fault()
    assert all(f"{address}{IMAGES_FILE} cannot be reached" in message for address in addresses)


def test_a_cache_that_cannot_be_is_named(server, cache):
    cache.parent.write_text("a file where the cache should be")
    assert f"mnist: {cache} cannot be used as cache: " in fault()


def test_without_pooch_the_extra_is_named(server, monkeypatch):
    monkeypatch.setattr(download, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pip install 'stochastor\[data\]'"):
        load_dataset("mnist")


def test_an_installed_set_needs_no_network(tmp_path, monkeypatch, cache):
    write_set(tmp_path / "installed")
    offer(monkeypatch, "fashion-mnist", installed=tmp_path / "installed", mirrors=())
    assert_holds_the_small_set(load_dataset("fashion-mnist"))
    assert not cache.parent.exists()


def test_half_an_installed_set_is_passed_over(server, tmp_path, monkeypatch):
    write_set(tmp_path / "installed")
    (tmp_path / "installed" / LABELS_FILE).unlink()
    offer(monkeypatch, installed=tmp_path / "installed")
    assert_holds_the_small_set(load_dataset("mnist"))
    assert len(server.requested) == 4


def test_without_a_setting_the_cache_is_the_users(server, tmp_path, monkeypatch):
    monkeypatch.setenv(download.DATA_DIRECTORY, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert download.fetch("mnist") == tmp_path / "home" / "stochastor" / "mnist"
