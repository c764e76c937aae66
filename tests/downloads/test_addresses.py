import tomllib

import pytest

from latentlab import SettingsError
from latentlab.downloads import is_address, parse_address, public_names
from latentlab.downloads.addresses import _NAMES

DIGEST = "0" * 64


class TestWhatIsAnAddress:
    @pytest.mark.parametrize(
        "text",
        ["https://a.org/x.pkl", "hf://a/b/c.pkl", "ngc:x", "ada:ffhq", "gdrive://x", "s3://a/b"],
    )
    def test_a_scheme_or_a_family_of_public_names(self, text):
        assert is_address(text)

    @pytest.mark.parametrize(
        "text", ["x.pkl", "a/b.pkl", "builtin:digits-stylegan2", r"C:\models\x.pkl", "", "a:b"]
    )
    def test_anything_else_is_a_file(self, text):
        assert not is_address(text)


class TestUrls:
    def test_the_file_is_called_as_it_is_there(self):
        found = parse_address("https://a.org/models/network%20snapshot.pkl?download=1")
        assert found.file_name == "network_snapshot.pkl"
        assert found.url == "https://a.org/models/network%20snapshot.pkl?download=1"

    @pytest.mark.parametrize("url", ["https://a.org", "https://a.org/", "https://a.org/.."])
    def test_it_has_a_name_in_any_case(self, url):
        assert parse_address(url).file_name == "checkpoint"

    def test_no_name_leaves_the_folder(self):
        assert parse_address("https://a.org/..%2F..%2Fetc").file_name == "etc"

    def test_the_digest_that_it_must_have(self):
        found = parse_address(f"https://a.org/x.pkl#sha256={DIGEST}")
        assert (found.text, found.url, found.sha256) == (
            "https://a.org/x.pkl", "https://a.org/x.pkl", DIGEST
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("http://a.org/x.pkl", "not encrypted"),
            ("ftp://a.org/x.pkl", "ftp:// is not fetched"),
            ("file:///etc/passwd", "no address"),
            ("gdrive://x", "gdrive:// is not fetched"),
            ("gdrive:networks/x.pkl", "is on Google Drive"),
            ("https:///x.pkl", "no address"),
            ("https://[x/y", "no address"),
            ("https://a.org:x/y", "no address"),
            ("https://me:secret@a.org/x.pkl", "password"),
            ("https://a.org/x.pkl#top", "sha256=DIGEST"),
            ("https://a.org/x\n.pkl", "no address"),
            ("https://a.org/" + "x" * 3000, "no address"),
            ("hf://owner/repo", "hf://owner/repo/file"),
            ("hf://owner/../x", "hf://owner/repo/file"),
            ("hf://owner/repo/a/../x", "hf://owner/repo/file"),
        ],
    )
    def test_what_is_refused(self, text, says):
        with pytest.raises(SettingsError, match=says) as caught:
            parse_address(text)
        assert "secret" not in str(caught.value)

    def test_this_machine_may_be_asked_without_encryption(self):
        assert parse_address("http://127.0.0.1:8000/x.pkl").url.startswith("http://")


class TestTheHub:
    def test_a_file_of_the_main_branch(self):
        found = parse_address("hf://owner/repo/folder/x.safetensors")
        assert found.on_hub
        assert found.url == ("https://huggingface.co/owner/repo/resolve/main/folder/x.safetensors")

    def test_a_revision(self):
        found = parse_address("hf://owner/repo@v1.0/x.pkl")
        assert found.url == "https://huggingface.co/owner/repo/resolve/v1.0/x.pkl"

    def test_another_server_by_the_variable_of_its_own_tools(self, monkeypatch):
        monkeypatch.setenv("HF_ENDPOINT", "https://mirror.org/")
        assert parse_address("hf://o/r/x.pkl").url == "https://mirror.org/o/r/resolve/main/x.pkl"


class TestPublicNames:
    def test_each_is_an_encrypted_address_of_its_own(self):
        names = public_names()
        urls = {name: parse_address(name).url for name in names}
        assert len(set(urls.values())) == len(names) > 50
        assert all(url.startswith("https://") and url.endswith(".pkl") for url in urls.values())
        assert urls["ngc:stylegan2-ffhq-1024x1024"] == (
            "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files/"
            "stylegan2-ffhq-1024x1024.pkl"
        )

    def test_the_table_has_nothing_else(self):
        rows = [row for rows in tomllib.loads(_NAMES.read_text()).values() for row in rows]
        assert all(set(row) == {"address", "names"} for row in rows)
        assert all(row["address"].count("{name}") == 1 for row in rows)

    def test_the_suffix_may_be_given(self):
        assert parse_address("ada:ffhq.pkl").url == parse_address("ada:ffhq").url

    def test_close_ones_are_named(self):
        with pytest.raises(SettingsError, match="ngc:stylegan2-ffhq-1024x1024"):
            parse_address("ngc:stylegan2-ffhq-1024")
