"""Moving latents, and files of directions: what is written comes back, all else is refused."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import latentlab
from latentlab.editing.directions import (
    HEADER,
    Direction,
    Directions,
    load_directions,
    move,
    save_directions,
)
from latentlab.errors import LatentError, OutputError, SettingsError
from tests.conftest import make_generator

VECTORS = torch.tensor([[1.0, 0, 0, 0], [0, 0.6, 0.8, 0], [0, 0, 0, -1]])


def directions(**changes):
    settings = {
        "names": ("smile", "0", "a/b"), "vectors": VECTORS,
        "deviations": torch.tensor([2.0, 0.5, 3.0]).double(),
        "origins": torch.tensor([0.0, 1.0, -1.0]).double(), "method": "svm", "layers": (0, 2),
        "sha256": "ab" * 32, "facts": {"accuracy": (0.9, 0.8, 1.0)}, "settings": {"samples": 7},
    }  # fmt: skip
    return Directions(**{**settings, **changes})


class TestMove:
    ws = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))

    def test_a_strength_is_in_deviations_along_the_direction(self):
        moved = move(self.ws, directions()[1], -1.5)
        expected = self.ws + torch.tensor([0, -1.5 * 0.5 * 0.6, -1.5 * 0.5 * 0.8, 0])
        torch.testing.assert_close(moved, expected)

    def test_only_the_chosen_layers_move(self):
        moved = move(self.ws, directions()[0], 2, [2, 0])
        assert torch.equal(moved[:, 1], self.ws[:, 1])
        torch.testing.assert_close(moved[:, [0, 2], 0], self.ws[:, [0, 2], 0] + 4)

    def test_no_strength_leaves_every_bit_and_a_copy(self):
        ws = torch.tensor([[[-0.0, 1e-40, 1e30, 0.1]]])
        moved = move(ws, directions()[1], 0)
        assert moved.numpy().tobytes() == ws.numpy().tobytes()
        assert moved is not ws

    def test_positions_count_from_the_origin_in_the_same_unit(self):
        one = directions()[1]
        at = torch.tensor([[[9.0, 0.6, 0.8, 9.0]]])  # the product with the vector is the origin
        assert one.positions(at).item() == pytest.approx(0, abs=1e-6)
        torch.testing.assert_close(
            one.positions(move(self.ws, one, 2.5)), one.positions(self.ws) + 2.5,
            atol=1e-6, rtol=0,
        )  # fmt: skip

    @pytest.mark.parametrize(("arguments", "error", "words"), [
        ((torch.zeros(1, 3, 5), 1.0), LatentError, "any, any, 4"),
        ((torch.zeros(1, 4), 1.0), LatentError, "any, any, 4"),
        ((torch.zeros(1, 3, 4), float("nan")), SettingsError, "finite"),
        ((torch.zeros(1, 3, 4), 1.0, [3]), SettingsError, "within 0..2"),
        ((torch.zeros(1, 3, 4), 1.0, [-1]), SettingsError, "within 0..2"),
    ])  # fmt: skip
    def test_what_does_not_fit_is_refused(self, arguments, error, words):
        ws, *rest = arguments
        with pytest.raises(error, match=words):
            move(ws, directions()[0], *rest)


class TestFinding:
    def test_names_are_names_and_numbers_are_written_with_a_hash(self):
        found = directions()
        assert found.find("0").name == "0"
        assert torch.equal(found.find("0").vector, VECTORS[1])
        assert found.find("#0").name == "smile"
        assert found.find("#2").name == "a/b"
        assert isinstance(found.find("smile"), Direction)
        named = dataclasses.replace(found, names=("a", "#0", "b"))
        assert torch.equal(named.find("#0").vector, VECTORS[1])  # a name wins here, too

    @pytest.mark.parametrize("wanted", ["3", "-1", "", "Smile", "²", "9" * 400, "#3", "#", "#-1"])
    def test_others_are_refused_with_what_there_is(self, wanted):
        with pytest.raises(SettingsError, match=r"there are smile, 0, a/b, or by number #0 to #2$"):
            directions().find(wanted)

    def test_a_bare_number_is_never_taken_for_an_index(self):
        """No plane had been found for "1", and an edit went along the direction of number 1."""
        with pytest.raises(
            SettingsError, match=r"no direction '2'.*number 2 is 'a/b', written '#2'"
        ):
            directions().find("2")

    def test_what_was_not_found_is_told_with_the_reason(self, tmp_path):
        lost = dataclasses.replace(directions(), missing={"1": "only one class was there"})
        save_directions(tmp_path / "d.safetensors", lost)
        read = load_directions(tmp_path / "d.safetensors", 4)
        assert read.missing == {"1": "only one class was there"}
        with pytest.raises(SettingsError, match="no plane was found for '1': only one class was"):
            read.find("1")
        with pytest.raises(LatentError, match="names a direction that is there"):
            dataclasses.replace(directions(), missing={"smile": "?"})


class TestFiles:
    def test_what_is_written_comes_back(self, tmp_path):
        save_directions(tmp_path / "d.safetensors", directions())
        found = load_directions(tmp_path / "d.safetensors", 4)
        for name in ("vectors", "deviations", "origins"):
            assert torch.equal(getattr(found, name), getattr(directions(), name))
        same = dict.fromkeys(("vectors", "deviations", "origins"))
        plain = dataclasses.asdict(dataclasses.replace(found, **directions_tensors()))
        expected = dataclasses.asdict(directions())
        assert {**plain, **same} == {**expected, **same}

    def test_the_same_directions_give_the_same_bytes(self, tmp_path):
        for name in "ab":
            save_directions(tmp_path / name, directions())
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_all_layers_stay_all(self, tmp_path):
        save_directions(tmp_path / "d.safetensors", directions(layers=None))
        assert load_directions(tmp_path / "d.safetensors", 4).layers is None

    def test_other_tools_can_read_it(self, tmp_path):
        save_directions(tmp_path / "d.safetensors", directions())
        with safe_open(tmp_path / "d.safetensors", "np") as file:
            np.testing.assert_array_equal(file.get_tensor("vectors"), VECTORS.numpy())
            assert json.loads(file.metadata()[HEADER])["names"] == ["smile", "0", "a/b"]

    def test_another_w_is_refused(self, tmp_path):
        save_directions(tmp_path / "d.safetensors", directions())
        with pytest.raises(LatentError, match="w of 4 numbers, but this generator's has 5"):
            load_directions(tmp_path / "d.safetensors", 5)

    @pytest.mark.parametrize(("shapes", "words"), [
        ({"vectors": (200_000, 512)}, r"`vectors` has 200,000 rows, .* 100,000 directions"),
        ({"vectors": (100_001, 4), "deviations": (100_001,)}, "`vectors` has 100,001 rows"),
        ({"vectors": (1, 4), "origins": (40_000_000,)}, "`origins` has 40,000,000 rows"),
        ({"vectors": (3, 20_000_000)}, "a w of 20000000 numbers"),
    ])  # fmt: skip
    def test_large_files_are_refused_before_their_numbers_are_read(self, tmp_path, shapes, words):
        # Nothing but a header, and behind it a hole: whoever read the numbers would fill memory.
        header, end = {"__metadata__": {HEADER: "{}"}}, 0
        for name, shape in shapes.items():
            start, end = end, end + 4 * int(np.prod(shape))
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(header).encode()
        with (tmp_path / "d.safetensors").open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + end)
        with pytest.raises(LatentError, match=words):
            load_directions(tmp_path / "d.safetensors", 4)

    def test_a_mistake_of_ours_is_not_told_as_damage(self, tmp_path, monkeypatch):
        save_directions(tmp_path / "d.safetensors", directions())

        def mistaken(*_):
            raise KeyError("of ours")

        monkeypatch.setattr("latentlab.editing.directions.check_shape", mistaken)
        with pytest.raises(KeyError, match="of ours"):
            load_directions(tmp_path / "d.safetensors", 4)

    def test_as_many_directions_as_allowed_come_back_and_one_more_is_refused(self, tmp_path):
        def some(count):
            numbers = torch.ones(count, 1)
            names = tuple(map(str, range(count)))
            return Directions(names, numbers, numbers[:, 0].double(), numbers[:, 0].double(), "pca")

        save_directions(tmp_path / "d.safetensors", some(100_000))
        assert len(load_directions(tmp_path / "d.safetensors", 1)) == 100_000
        with pytest.raises(LatentError, match="100,000 directions at most, but got 100,001"):
            some(100_001)
        with pytest.raises(LatentError, match="100,000 layers at most, but got 100,001"):
            directions(layers=tuple(range(100_001)))

    def test_missing_files_and_others_are_refused(self, tmp_path):
        with pytest.raises(LatentError, match=r"none\.safetensors: cannot be read"):
            load_directions(tmp_path / "none.safetensors", 4)
        latentlab.save(make_generator(), tmp_path / "g.safetensors")
        with pytest.raises(LatentError, match="holds no directions"):
            load_directions(tmp_path / "g.safetensors", 4)
        (tmp_path / "text").write_text("smile")
        with pytest.raises(LatentError, match="text: "):
            load_directions(tmp_path / "text", 4)

    @pytest.mark.parametrize(("change", "words"), [
        ("{", "damaged"), ("[]", "damaged"), ("[" * 100_000, "damaged"), ("{}", "damaged"),
        ({"version": 9}, "directions of version 9"),
        ({"names": ["a", "a", "b"]}, "its own name"),
        ({"names": ["a", "b"]}, "`vectors` must have shape"),
        ({"names": "abc"}, "damaged"),
        ({"method": "magic"}, "`method` must be one of"),
        ({"layers": [0, -1]}, "damaged"),
        ({"layers": [True]}, "damaged"),
        ({"facts": {"accuracy": [1]}}, "`facts`"),
        ({"facts": {"accuracy": ["x", 1, 2]}}, "damaged"),
        ({"facts": {"accuracy": [10**400, 1, 2]}}, "damaged"),  # beyond the floats
        ({"settings": 3}, "damaged"),
    ])  # fmt: skip
    def test_damaged_headers_are_refused(self, tmp_path, change, words):
        path = tmp_path / "d.safetensors"
        save_directions(path, directions())
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()[HEADER])
        text = change if isinstance(change, str) else json.dumps({**about, **change})
        save_file(directions_tensors(), path, {HEADER: text})
        with pytest.raises(LatentError, match=words):
            load_directions(path, 4)

    @pytest.mark.parametrize(("name", "values", "words"), [
        ("vectors", VECTORS * 1.01, "length 1"), ("vectors", VECTORS * torch.nan, "length 1"),
        ("vectors", VECTORS[0], "shape"), ("deviations", torch.tensor([1.0, 0, 1]), "positive"),
        ("deviations", torch.tensor([1.0, torch.inf, 1]), "positive"),
        ("origins", torch.tensor([1.0, torch.nan, 1]), "finite"), ("origins", None, "damaged"),
    ])  # fmt: skip
    def test_damaged_numbers_are_refused(self, tmp_path, name, values, words):
        path = tmp_path / "d.safetensors"
        save_directions(path, directions())
        with safe_open(path, "pt") as file:
            header = dict(file.metadata())
        tensors = {**directions_tensors(), name: values}
        save_file({key: each for key, each in tensors.items() if each is not None}, path, header)
        with pytest.raises(LatentError, match=words):
            load_directions(path, 4)

    def test_flipped_and_missing_bytes_never_crash(self, tmp_path):
        path = tmp_path / "d.safetensors"
        save_directions(path, directions())
        content, rng = path.read_bytes(), np.random.default_rng(0)
        said = []
        for i in range(300):
            damaged = bytearray(content)
            if i % 3:
                damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
            else:
                del damaged[rng.integers(len(damaged)) :]
            path.write_bytes(damaged)
            try:
                load_directions(path, 4)
            except LatentError as error:
                said.append(str(error))
        assert len(said) > 150
        assert not [text for text in said if "\n" in text]

    def test_a_place_that_cannot_be_written_is_an_error(self, tmp_path):
        with pytest.raises(OutputError):
            save_directions(tmp_path / "none" / "d.safetensors", directions())


def directions_tensors():
    return {name: getattr(directions(), name) for name in ("vectors", "deviations", "origins")}
