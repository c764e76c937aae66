import hashlib
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

import latentlab
from latentlab import CheckpointError, OutputError, UnsupportedCheckpoint
from latentlab.downloads import fetch, fetched, transfer
from latentlab.downloads.cache import origin_of
from tests.conftest import scarce_memory


def digest(content):
    return hashlib.sha256(content).hexdigest()


class TestTheFirstTime:
    def test_the_file_comes_as_it_is_there(self, address, content, cache):
        file = fetch(address)
        assert file.read_bytes() == content
        assert file.name == "digits.safetensors"
        assert file.parent.parent == cache
        assert latentlab.load(address).sha256 == digest(content)

    def test_where_it_came_from_is_kept(self, address, content):
        record = origin_of(fetch(address))
        assert (record["url"], record["sha256"], record["size"]) == (
            address, digest(content), len(content)
        )  # fmt: skip
        assert record["date"].endswith("+00:00")

    def test_nothing_else_is_left(self, address):
        names = {file.name for file in fetch(address).parent.iterdir()}
        assert names - {"lock"} == {"digits.safetensors", "fetched.json"}

    def test_progress_is_told(self, address, content, monkeypatch):
        monkeypatch.setattr(transfer, "_CHUNK", 10_000)
        told = []
        fetch(address, lambda there, whole: told.append((there, whole)))
        assert told[-1] == (len(content), len(content))
        assert [there for there, _ in told] == sorted(there for there, _ in told)
        assert len(told) > 5

    def test_a_length_that_is_not_said(self, server, address, content):
        server.says_length = False
        assert fetch(address).read_bytes() == content

    def test_of_several_at_once_one_fetches(self, server, address):
        with ThreadPoolExecutor(4) as pool:
            files = list(pool.map(fetch, [address] * 4))
        assert len(set(files)) == 1
        assert len(server.asked) == 1


class TestTheSecondTime:
    def test_the_network_is_left_alone(self, server, address):
        assert fetched(address) is None
        first = fetch(address)
        server.files.clear()
        assert fetch(address) == fetched(address) == first
        assert len(server.asked) == 1

    def test_a_changed_file_is_refused(self, address):
        file = fetch(address)
        file.write_bytes(file.read_bytes()[:-1] + b"x")
        with pytest.raises(CheckpointError, match="is not as it came; delete"):
            fetch(address)

    def test_without_its_record_too(self, address):
        file = fetch(address)
        file.with_name("fetched.json").unlink()
        with pytest.raises(CheckpointError, match="is not as it came"):
            fetched(address)


class TestBrokenConnections:
    def test_the_rest_is_asked_for(self, server, address, content):
        server.breaks = [100_000, 50_000]
        assert fetch(address).read_bytes() == content
        assert [headers.get("Range") for _, headers in server.asked] == [
            None, "bytes=100000-", "bytes=150000-"
        ]  # fmt: skip

    def test_what_came_is_kept_for_the_next_time(self, server, address, content):
        server.breaks = [100_000, 0, 0, 0]
        with pytest.raises(CheckpointError, match="100,000 bytes are kept, and the same command"):
            fetch(address)
        assert fetched(address) is None
        server.asked.clear()
        server.breaks = []
        assert fetch(address).read_bytes() == content
        assert server.asked[0][1]["Range"] == "bytes=100000-"

    def test_a_file_that_is_another_by_now_comes_whole(self, server, address, content):
        server.breaks = [100_000, 0, 0, 0]
        with pytest.raises(CheckpointError):
            fetch(address)
        server.breaks, changed = [], content[::-1]
        server.files["/models/digits.safetensors"] = changed
        assert fetch(address).read_bytes() == changed

    def test_so_does_one_of_a_server_that_gives_no_parts(self, server, address, content):
        server.ranges, server.breaks = False, [100_000]
        assert fetch(address).read_bytes() == content

    def test_a_part_that_is_whole_already(self, address, server, content):
        server.breaks = [100_000, 0, 0, 0]
        with pytest.raises(CheckpointError):
            fetch(address)
        server.breaks = []
        (part,) = fetched_parts(address)
        part.write_bytes(content)
        assert fetch(address).read_bytes() == content

    def test_a_busy_server_is_asked_again(self, server, address, content):
        server.statuses = [503, 429]
        assert fetch(address).read_bytes() == content

    def test_but_not_for_ever(self, server, address):
        server.statuses = [503] * 10
        with pytest.raises(CheckpointError, match="the server answers 503"):
            fetch(address)
        assert len(server.asked) == 3

    def test_j17_no_server_at_all(self):
        with pytest.raises(CheckpointError, match="cannot be fetched"):
            fetch("http://127.0.0.1:1/x.pkl")


def fetched_parts(address):
    from latentlab.downloads.addresses import parse_address
    from latentlab.downloads.cache import _folder

    return list(_folder(parse_address(address)).glob("*.part"))


class TestRefusals:
    def test_a_file_that_is_not_there(self, server):
        with pytest.raises(CheckpointError, match="no such file"):
            fetch(f"{server.url}/other.pkl")

    def test_one_that_is_not_public(self, server, address):
        server.statuses = [403]
        with pytest.raises(CheckpointError, match="those who may have it"):
            fetch(address)

    def test_a_web_page(self, server, address):
        server.content_type = "text/html; charset=utf-8"
        with pytest.raises(CheckpointError, match="a web page"):
            fetch(address)
        assert fetched_parts(address) == []

    def test_j17_another_digest_than_it_must_have(self, address, content):
        wrong = "1" * 64
        with pytest.raises(CheckpointError, match=f"not {wrong}"):
            fetch(f"{address}#sha256={wrong}")
        assert fetched_parts(address) == []
        assert fetched(address) is None
        assert fetch(f"{address}#sha256={digest(content)}").read_bytes() == content
        with pytest.raises(CheckpointError, match=f"not {wrong}"):
            fetch(f"{address}#sha256={wrong}")

    def test_more_than_a_checkpoint_has(self, server, address, monkeypatch):
        monkeypatch.setattr(transfer, "_LARGEST", 100_000)
        with pytest.raises(CheckpointError, match="more than any checkpoint"):
            fetch(address)
        server.says_length = False
        with pytest.raises(CheckpointError, match="more than it announced"):
            fetch(address)

    def test_more_than_there_is_room_for(self, address, monkeypatch):
        monkeypatch.setattr(transfer, "_SPARE", 2**62)
        with pytest.raises(OutputError, match="make room"):
            fetch(address)

    def test_it_leads_to_no_place_without_encryption(self, server, address):
        server.redirects["/models/digits.safetensors"] = "http://a.org/x.pkl"
        with pytest.raises(CheckpointError, match="not encrypted"):
            fetch(address)

    def test_nor_to_a_file_of_this_machine(self, server, address):
        server.redirects["/models/digits.safetensors"] = "file:///etc/passwd"
        with pytest.raises(CheckpointError):
            fetch(address)

    def test_a_pickle_that_is_code_is_data_here_too(self, server):
        server.files["/x.pkl"] = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R."
        with pytest.raises(latentlab.UnsafeCheckpoint):
            latentlab.load(f"{server.url}/x.pkl")

    def test_what_is_no_checkpoint_is_named_by_its_file(self, server):
        server.files["/x.pkl"] = b"nothing of the kind"
        with pytest.raises(UnsupportedCheckpoint, match=r"x\.pkl: "):
            latentlab.load(f"{server.url}/x.pkl")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BLOCK = b"x" * 2**16


class TestServersThatMeanHarm:
    @pytest.mark.parametrize("raw", [
        (HEAD + b"\r\n", BLOCK),
        (CHUNKED, b"10000\r\n" + BLOCK + b"\r\n"),
        (CHUNKED + b"-1\r\n", BLOCK),
        (CHUNKED + b"-5\r\n", BLOCK),
        (CHUNKED + b"zz\r\n", b""),
        (CHUNKED + b"f" * 30 + b"\r\nabc", b""),
        (HEAD, b"A: b\r\n" * 1000),
        (b"hello\r\n\r\n", b""),
    ])  # fmt: skip
    def test_answers_without_end_and_without_sense(self, raw, server, address, monkeypatch):
        monkeypatch.setattr(transfer, "_LARGEST", 2**23)
        server.raw = raw
        with scarce_memory(), pytest.raises(CheckpointError):
            fetch(address)

    @pytest.mark.parametrize("length", ["9" * 5000, "-5", "\u0663"])
    def test_lengths_that_are_none(self, length, server, address):
        said = f"Content-Length: {length}\r\n\r\n".encode()
        server.raw = (HEAD + said + b"abc", b"")
        assert fetch(address).read_bytes() == b"abc"

    @pytest.mark.parametrize("to", [
        "http://[::1/x", f"https://{'a' * 80}.com/x", "https://..../x", "https://ex\xe4mple:x/",
        "https://a b/x", "https:///x", "data:text/plain,abc", "ftp://localhost:1/x",
    ])  # fmt: skip
    def test_places_that_are_none(self, to, server, address):
        server.redirects["/models/digits.safetensors"] = to
        with pytest.raises(CheckpointError):
            fetch(address)

    def test_a_circle(self, server, address):
        server.redirects["/models/digits.safetensors"] = "/models/digits.safetensors"
        with pytest.raises(CheckpointError):
            fetch(address)
        assert len(server.asked) < 20

    @pytest.mark.parametrize("to", ["http://127.0.0.1:1/x", "https://localhost:1/x"])
    def test_the_network_leads_to_nothing_on_this_machine(self, to):
        request = urllib.request.Request("https://a.org/x.pkl")
        with pytest.raises(CheckpointError, match="on this machine"):
            transfer._Redirects().redirect_request(request, None, 302, "", {}, to)

    def test_another_part_than_was_asked_for(self, server, address, content):
        server.breaks, server.shift = [100_000], 7
        assert fetch(address).read_bytes() == content

    def test_names_of_what_the_cache_has_beside_a_file(self, server, content):
        for name in ("lock", "fetched.json"):
            server.files[f"/{name}"] = content
            assert fetch(f"{server.url}/{name}") == fetched(f"{server.url}/{name}")

    def test_a_link_in_place_of_a_part(self, server, address, content, tmp_path):
        server.statuses = [404]
        with pytest.raises(CheckpointError):
            fetch(address)
        (folder,) = (tmp_path / "torch" / "hub" / "latentlab").iterdir()
        (tmp_path / "mine").write_bytes(b"mine")
        (folder / "digits.safetensors.part").symlink_to(tmp_path / "mine")
        assert fetch(address).read_bytes() == content
        assert (tmp_path / "mine").read_bytes() == b"mine"


class TestTheHub:
    @pytest.fixture(autouse=True)
    def endpoint(self, server, content, monkeypatch):
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.files = {"/store/abc": content}
        server.redirects["/me/faces/resolve/main/x.safetensors"] = "/store/abc?signed=1"

    def test_a_file_is_fetched_through_its_redirect(self, content):
        file = fetch("hf://me/faces/x.safetensors")
        assert (file.name, file.read_bytes()) == ("x.safetensors", content)

    def test_the_token_goes_to_the_hub_alone(self, server, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "secret")
        fetch("hf://me/faces/x.safetensors")
        (_, first), (path, second) = server.asked
        assert first["Authorization"] == "Bearer secret"
        assert path.startswith("/store/")
        assert "Authorization" not in second

    def test_and_to_no_other_server(self, server, content, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "secret")
        server.files["/x.safetensors"] = content
        fetch(f"{server.url}/x.safetensors")
        assert "Authorization" not in server.asked[0][1]

    def test_from_pretrained(self, content):
        checkpoint = latentlab.from_pretrained("me/faces", "x.safetensors")
        assert checkpoint.sha256 == digest(content)

    def test_a_private_one_says_what_to_do(self, server):
        server.statuses = [401]
        with pytest.raises(CheckpointError, match="HF_TOKEN"):
            fetch("hf://me/faces/x.safetensors")


def test_the_record_is_plain_json(address):
    record = json.loads(fetch(address).with_name("fetched.json").read_text())
    assert set(record) == {"address", "url", "sha256", "size", "date"}
