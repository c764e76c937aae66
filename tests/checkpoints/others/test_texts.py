"""Text in place of a checkpoint: what it is, what it says, and what to do."""

import json

import pytest
import torch

import latentlab
from latentlab import UnsupportedCheckpoint
from tests.support import attacks, foreign

PAGES = {
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title>": [
        "an HTML page ('Google Drive - Virus scan warning')", "confirm, or use gdown"],
    "\n\n  <HTML><HEAD><TITLE>\n404 Not\n Found </TITLE>": ["an HTML page ('404 Not Found')"],
    "\ufeff<!doctype HTML><body>no title</body>": ["an HTML page, which a download gave"],
    "<!-- saved --><html lang=en><title lang='en'>A &amp; B</title>": ["('A & B')"],
    '<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html><title>Old</title>': ["('Old')"],
    "<html><title>a/model.pkl at main</title>https://huggingface.co/a": ["/resolve/"],
    "<html><title>repo</title><a href='https://github.com/a/b'>": ["/raw/ in place of /blob/"],
    "<html><title>red\u202e" + "x" * 900 + "</title>": ["an HTML page"],
    "<html><title><script>alert(1)</script></title>": ["an HTML page, which"],
    "<html>" + "<title" * 10_000: ["an HTML page, which"],
    "<html><title>" + "&" * 60_000: ["an HTML page, which"],
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: ascii(page[:40]))
def test_pages(page, told):
    message = told(page, kind=UnsupportedCheckpoint)
    assert [words for words in PAGES[page] if words not in message] == [], message


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_pages_in_other_alphabets(encoding, told):
    page = "<html><title>Téléchargement échoué</title>" + "é" * 70_000
    assert "an HTML page ('T" in told(page.encode(encoding))


ANSWERS = {
    '{"error":"Repository not found"}': "(JSON) in place of the file: 'Repository not found'",
    '{"error": {"code": 403, "message": "quota exceeded"}}': "'quota exceeded'",
    '{"err": {"a": 1}}': "a JSON file with the keys 'err'",  # a brace where safetensors has one
    '{"errors": [{"message": "bad token"}]}': "'bad token'",
    '{"Message": "Forbidden"}': "'Forbidden'",
    '{"detail": "Not here\\nError: all is well"}': "'Not here\\nError: all is well'",
    '{"weight_map": {}}': "a list of files that hold a model's weights",
    '{"G_kwargs": {}, "batch_size": 4}': "a JSON file with the keys 'G_kwargs', 'batch_size'",
    "{}": "a JSON file with the keys (none)",
    '[{"a": 1}]': "JSON text",
    '{"a": ': "JSON text",
    '{"a":' * 9_000: "JSON text",
    "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>":
        "(XML) in place of the file: 'AccessDenied: Access Denied'; the address is wrong",
    "<Error><Code>NoSuchKey</Code>": "'NoSuchKey'",
    "<?xml version='1.0'?><svg/>": "an XML file",
    "404: Not Found": "(text) in place of the file: '404: Not Found'",
    "Access to model a/b is restricted.\n": "'Access to model a/b is restricted.'",
    "[InternetShortcut]\r\nURL=https://example.org/x": "a link to a web page",
    "model_checkpoint_path: \"model.ckpt-100\"\n": "a TensorFlow training run",
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), ANSWERS.items(), ids=lambda item: ascii(item[:30]))
@pytest.mark.parametrize("name", ["x.pkl", "x.safetensors"])
def test_messages_of_servers_and_settings(text, words, name, told):
    assert words in told(text, name, UnsupportedCheckpoint)


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 381624121\n"
POINTERS = {
    LFS: ["a Git-LFS pointer to a file of 381,624,121 bytes", "`git lfs pull`"],
    LFS.replace("git-lfs.github", "hawser.github"): ["a Git-LFS pointer"],
    "version https://git-lfs.github.com/spec/v1\n": ["a Git-LFS pointer, and not the file"],
    LFS.replace("381624121", "9" * 5000): ["a Git-LFS pointer, and not the file"],
    "/annex/objects/SHA256E-s381624121--4d7a.pkl\n": [
        "a git-annex pointer to a file of 381,624,121 bytes", "`git annex get`"],
    "/annex/objects/WORM--x\n": ["a git-annex pointer; run"],
    "outs:\n- md5: ab\n  size: 3\n  path: x.pkl\n": ["a pointer of DVC", "`dvc pull`"],
}  # fmt: skip


@pytest.mark.parametrize("text", POINTERS, ids=lambda text: ascii(text[:60]))
def test_pointers(text, told):
    message = told(text, kind=UnsupportedCheckpoint)
    assert [words for words in POINTERS[text] if words not in message] == [], message


@pytest.mark.parametrize(
    "text", ["# a model\n", "name: x\nlayers: 8\n", "import torch\n", "a b c d e"]
)
def test_other_text_is_shown_by_its_start(text, told):
    assert f"starts with {text.encode()[:8]!r}" in told(text)


def test_a_pickle_in_text_is_not_taken_for_a_message(told):
    for protocol in (0, 1):
        assert "not a checkpoint" in told(
            attacks.finish(b"cos\nsystem\n(S'x'\ntR")[2:], f"{protocol}"
        )


def test_a_file_that_begins_like_json_may_be_a_checkpoint(tmp_path):
    """A header of 0x7b bytes has the length of a brace."""
    torch.save(foreign.rosinality_g(), tmp_path / "{.json")
    assert latentlab.load(tmp_path / "{.json").kind == "stylegan2-rosinality"
    header = json.dumps({"__metadata__": {"a": "x" * 90}}).ljust(0x7B)
    content = len(header).to_bytes(8, "little") + header.encode()
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UnsupportedCheckpoint, match="safetensors"):
        latentlab.load(tmp_path / "x.json")
