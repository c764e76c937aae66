"""Sound files of every kind, as small as they can be; genuine ones where the reference data is."""

import bz2
import gzip
import io
import json
import lzma
import tempfile
from collections.abc import Callable, Mapping
from contextlib import chdir
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import latentlab
from tests import conftest as made
from tests.conftest import SHARED
from tests.fuzzing.pieces import SOUND_ARCHIVES, SOUND_PICKLES, SOUND_STREAMS
from tests.support import attacks, foreign
from tests.support.encoders import write_encoder
from tests.support.picture_bytes import encode, grey_tiff
from tests.support.picture_bytes import noise as pixels

Files = Mapping[str, bytes]
IDENTITY = {"model": "a", "seed": 0}  # of a measurement
PROJECT = (
    "project", "g.safetensors", "photos", "--distance", "builtin:digits", "--steps", "1",
    "--device", "cpu", "--threads", "1", "-o", "out",
)  # fmt: skip
_GENUINE = (".pkl", ".pt", ".pth", ".model", ".safetensors")
# Refused as they are: what is said of them is fuzzed with the rest.
_NO_CHECKPOINTS = ("vgg16_standin.pt",)


def _written(write: Callable[[Path], object], name: str) -> Files:
    """Return what a function writes into a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path)
        return {name: _in_order(path.read_bytes())}


def _in_order(content: bytes) -> bytes:
    """Return a safetensors file with its header in one order: the same bytes in every run."""
    size = int.from_bytes(content[:8], "little")
    if content[8:9] != b"{" or size > len(content):
        return content
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def _torch(value: object, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@cache
def checkpoints() -> Files:
    """Networks of every architecture in our format, in others', packed, and genuine ones."""
    found: dict[str, bytes] = {}
    networks = {
        "stylegan2": made.make_generator(resolution=8),
        "stylegan1": made.make_stylegan1(resolution=8),
        "stylegan3": made.make_stylegan3(), "progan": made.make_progan(resolution=8),
        "xl": made.make_stylegan_xl(), "lucidrains": made.make_lucidrains(),
    }  # fmt: skip
    for name, network in networks.items():
        found |= _written(lambda path, g=network: latentlab.save(g, path), f"{name}.safetensors")
    exports = (
        ("stylegan2", "rosinality"),
        ("stylegan1", "rosinality"),
        ("stylegan2", "nvidia-state"),
    )
    for name, to in exports:
        write = lambda path, g=networks[name], to=to: latentlab.export(g, path, to)  # noqa: E731
        try:
            found |= _written(write, f"{name}-{to}.pt")
        except latentlab.LatentlabError:  # that code has no network of this form
            continue
    found["yuuho.pth"] = _torch(foreign.yuuho2_g())
    state = {"g_ema": foreign.rosinality_g(), "d": foreign.rosinality_d()}
    found["rosinality.pt"], found["old.pt"] = _torch(state), _torch(state, zipped=False)
    for packer, suffix in ((bz2.compress, "bz2"), (lzma.compress, "xz")):
        found[f"packed.{suffix}"] = packer(found["rosinality.pt"])
    found["packed.gz"] = gzip.compress(found["old.pt"], mtime=0)
    return found | genuine()


@cache
def genuine() -> Files:
    """Checkpoints of the published systems, or none."""
    files = sorted(each for each in SHARED.rglob("*") if each.suffix in _GENUINE)
    return {
        f"{file.stem}-genuine{file.suffix}": file.read_bytes()
        for file in files
        if file.name not in _NO_CHECKPOINTS and not file.stem.endswith("_ref") and _opens(file)
    }


def _opens(file: Path) -> bool:
    try:
        latentlab.load(file)
    except latentlab.CheckpointError:
        return False
    return True


@cache
def pickles() -> Files:
    """Pickles of the parts that networks are made of, with payloads among them."""
    found = {f"{i}.pkl": content for i, content in enumerate(SOUND_PICKLES)}
    state = {"name": "G", "version": 4, "static_kwargs": {"resolution": 8},
             "variables": [("x", attacks.array()), ("y", attacks.buffer())]}  # fmt: skip
    network = attacks.network(**state)
    found["networks.pkl"] = attacks.finish(attacks.plain((network, network, network)), 2)
    module = attacks.module(_parameters={"w": attacks.tensor()}, _modules={"a": attacks.module()})
    found["module.pkl"] = attacks.finish(attacks.plain({"G_ema": module, "D": module}))
    return found


@cache
def torch_files() -> Files:
    """Small files of torch.save, in both layouts."""
    found = {f"{i}.pt": content for i, content in enumerate([*SOUND_ARCHIVES, *SOUND_STREAMS])}
    return found | {"g.pt": checkpoints()["rosinality.pt"], "g-old.pt": checkpoints()["old.pt"]}


@cache
def safetensors() -> Files:
    """Small files of tensors."""
    from safetensors.torch import save

    tensors = {"a": torch.arange(4.0), "b": torch.ones(2, 2, dtype=torch.float16)}
    return {"a.safetensors": _in_order(save(tensors, {"format": "x"})),
            "b.safetensors": checkpoints()["stylegan2.safetensors"]}  # fmt: skip


@cache
def classifiers() -> Files:
    """Our own classifier, and a published one."""
    from latentlab.models import builtin_path

    found = {"own.safetensors": builtin_path("builtin:digits-classifier").read_bytes()}
    return found | {name: raw for name, raw in genuine().items() if name.startswith("classifier")}


@cache
def encoders() -> Files:
    """A small encoder in both layouts."""
    found = _written(write_encoder, "encoder.pt")
    return found | {"old.pt": _torch(torch.load(io.BytesIO(found["encoder.pt"])), zipped=False)}


# Latents.


@cache
def _ws() -> torch.Tensor:
    g = made.make_generator(resolution=8)
    return torch.randn(2, g.num_ws, g.w_dim, generator=torch.Generator().manual_seed(0))


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@cache
def npz() -> Files:
    """Latents as we write them, and packed."""
    file = io.BytesIO()
    np.savez_compressed(file, w=_ws().numpy())
    return {"w.npz": _npz(w=_ws().numpy()), "packed.npz": file.getvalue()}


@cache
def noise() -> Files:
    """Noise maps of a picture."""
    from latentlab.latents import noise_from_seed, save_noise

    g = made.make_generator(resolution=8)
    return _written(lambda path: save_noise(path, noise_from_seed(0, g)), "noise.npz")


@cache
def latent_files() -> Files:
    """Latents as others write them, and as tables."""
    import pandas as pd
    from safetensors.torch import save

    ws = _ws()
    array = io.BytesIO()
    np.save(array, ws.numpy())
    found = {**npz(), "w.npy": array.getvalue(), "w.pt": _torch(ws), "old.pt": _torch(ws[0], False)}
    noise_maps = [torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 8)]
    found["named.pt"] = _torch({"a.png": {"latent": ws[0], "noise": noise_maps}})
    found["dict.npz"] = _npz(dlatents=ws.numpy())
    about = json.dumps({"pictures": ["a.png", "b.png"], "settings": {"space": "w+"}})
    found["w.safetensors"] = _in_order(save({"w": ws}, {"latentlab": about}))
    table = io.BytesIO()
    rows = pd.DataFrame(
        {"picture": ["a.png", "b.png"], "w": [ws[0, 0].tolist(), ws[1, 0].tolist()]}
    )
    rows.to_parquet(table)
    found["w.parquet"] = table.getvalue()
    return found


@cache
def directions() -> Files:
    """Three directions."""
    from latentlab.editing.directions import Directions, save_directions

    vectors = torch.eye(5)[:3]
    numbers = torch.tensor([2.0, 0.5, 3.0]).double()
    found = Directions(("smile", "0", "a/b"), vectors, numbers, numbers, "svm", (0, 2), "ab" * 32,
                       {"accuracy": (0.9, 0.8, 1.0)}, {"samples": 7})  # fmt: skip
    return _written(lambda path: save_directions(path, found), "directions.safetensors")


@cache
def tunings() -> Files:
    """A change of a generator."""
    from latentlab.projection.tuning_file import difference, save_tuning

    g, other = made.make_generator(resolution=8), made.make_generator(1, resolution=8)
    found = difference(g, other, "ab" * 32, {"steps": 1})
    return _written(lambda path: save_tuning(found, path), "tuning.safetensors")


# Pictures.


@cache
def pictures() -> Files:
    """A small picture in every format and in unusual forms."""
    picture = Image.fromarray(pixels(16, 16))
    alpha = picture.convert("RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = _profile()
    return {
        "a.png": encode(picture, "PNG"), "a.jpg": encode(picture, "JPEG"),
        "a.webp": encode(picture, "WEBP"), "a.bmp": encode(picture, "BMP"),
        "a.tif": encode(picture, "TIFF"), "lzw.tif": encode(picture, "TIFF",
        compression="tiff_lzw"),
        "jpeg.tif": encode(picture, "TIFF", compression="jpeg"),
        "grey.tif": grey_tiff(8, True, bytes(range(16))),
        "alpha.png": encode(alpha, "PNG"), "alpha.webp": encode(alpha, "WEBP", lossless=True),
        "palette.png": encode(picture.quantize(8), "PNG"),
        "wide.png": encode(picture.convert("I;16"), "PNG"),
        "turned.jpg": encode(picture, "JPEG", exif=exif.tobytes(), icc_profile=profile),
        "cmyk.jpg": encode(picture.convert("CMYK"), "JPEG"),
        "waves.jpg": encode(picture, "JPEG", progressive=True),
        "told.png": encode(picture, "PNG", icc_profile=profile, exif=exif.tobytes()),
    }  # fmt: skip


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@cache
def masks() -> Files:
    """Grey pictures."""
    picture = Image.fromarray(pixels(16, 16)).convert("L")
    return {"m.png": encode(picture, "PNG"), "m.jpg": encode(picture, "JPEG")}


@cache
def landmarks() -> Files:
    """Faces of two pictures, in both forms."""
    points = [[30.0, 40.0], [70.0, 40.0], [50.0, 60.0], [35.0, 80.0], [65.0, 80.0]]
    from latentlab.faces.landmarks import _NAMED_COLUMNS, _NAMES

    cells = [str(each) for pair in points[: len(_NAMES)] for each in pair]
    rows = [f"{name},1,{','.join(cells)}" for name in ("a.png", "b.png")]
    table = "\n".join([",".join(["picture", "face", *_NAMED_COLUMNS]), *rows]) + "\n"
    whole = [[float(i), float(i * 7 % 50)] for i in range(68)]
    many = ",".join(["picture", *(f"{axis}{i}" for i in range(68) for axis in "xy")])
    full = f"{many}\na.png,{','.join(str(n) for pair in whole for n in pair)}\n"
    named = dict(zip(_NAMES, points, strict=False))
    faces = {"a.png": points, "b.png": [points, points], "c.png": named, "d.png": None}
    return {"l.csv": table.encode(), "all.csv": full.encode(), "l.json": json.dumps(faces).encode()}


@cache
def alignments() -> Files:
    """A face that was cut out."""
    from latentlab.faces.geometry import face_points, face_quad
    from latentlab.faces.record import Alignment, save_alignment

    points = face_points([[30.0, 40.0], [70.0, 40.0], [50.0, 60.0], [35.0, 80.0], [65.0, 80.0]])
    found = Alignment("a.png", points, face_quad(points), 16, "ab" * 32)
    return _written(lambda path: save_alignment(path, found), "alignment.json")


_SET_LABELS = json.dumps({"labels": [["a.png", 0], ["b/b.png", 1]]}).encode()


@cache
def data_sets() -> Files:
    """A zip of pictures with labels, stored and packed; and the labels of a folder."""
    import zipfile

    members = {"a.png": pictures()["a.png"], "b/b.png": pictures()["alpha.png"]}
    members |= {"dataset.json": _SET_LABELS}
    vectors = {"labels": {"a.png": [0.5, 1], "b/b.png": [1, 2.5]}}
    return {
        "set.zip": attacks.zipped(members),
        "packed.zip": attacks.zipped(members, zipfile.ZIP_DEFLATED),
        "classes/dataset.json": _SET_LABELS, "vectors/dataset.json": json.dumps(vectors).encode(),
    }  # fmt: skip


def beside_labels() -> Files:
    """The pictures of a folder."""
    both = {"a.png": pictures()["a.png"], "b/b.png": pictures()["alpha.png"]}
    return {
        f"{folder}{name}": raw for folder in ("classes/", "vectors/") for name, raw in both.items()
    }


@cache
def labels() -> Files:
    """Attributes of two latents."""
    return {"a.csv": b"smile,hat\n1,0\n0,1\n", "b.csv": b"smile;age\n1;0.5\n;2.5\n"}


def beside_attributes() -> Files:
    """The latents that the attributes are of."""
    return {"z.npz": _npz(z=np.ones((2, 4), np.float32))}


# What earlier runs have left.


@cache
def trainer() -> object:
    """A trainer of tiny networks."""
    from tests.training.trainers import make_trainer

    return make_trainer()


@cache
def snapshots() -> Files:
    """The folder of a training run."""
    from latentlab.training.run import RunSettings, train

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from tests.training.trainers import make_trainer

        train(make_trainer(), RunSettings(folder, 8, 8))
        files = [each for each in folder.iterdir() if each.suffix in (".safetensors", ".csv")]
        return {each.name: _in_order(each.read_bytes()) for each in files}


def snapshot_files() -> Files:
    """The files of it that are read again."""
    return snapshots()


@cache
def records() -> Files:
    """What is said of a projected picture."""
    from cli.pictures.records import Record, Source

    row = {"picture": "a.png", "status": "ok", "note": "", "distance": 0.5, "sha256": "ab" * 32}
    identity = {"seed": 0, "checkpoint": "g.pkl", "space": "w"}
    record = Record(
        identity, Source("a.png", 10, 1, "cd" * 32), row, {"projected_w.npz": "ef" * 32}
    )
    return _written(record.write, "projection.json")


@cache
def manifests() -> Files:
    """What is said of a folder."""
    facts = {"settings": {"checkpoint": "g.pkl", "sha256": "ab" * 32, "converted_from": None},
             "files": {"w.npz": "ef" * 32, "report.csv": "01" * 32}}  # fmt: skip
    return {"manifest.json": json.dumps(facts).encode()}


@cache
def measurements() -> Files:
    """The numbers of a measurement."""
    from cli.measuring.saved import NAME, save
    from tests.cli.measuring.test_saved import measurement, result

    with tempfile.TemporaryDirectory() as folder:
        return {NAME: save(Path(folder), measurement(result())).read_bytes()}


@cache
def batches() -> Files:
    """Some batches of a measurement that was interrupted."""
    from cli.measuring.partial import PartialResults

    with tempfile.TemporaryDirectory() as name:
        partial = PartialResults(Path(name), IDENTITY)
        for start in (0, 4):
            partial[range(start, start + 4)] = {"w": np.ones((4, 2)), "kept": np.zeros(4, np.bool_)}
        partial.write()
        (file,) = partial.folder.iterdir()
        return {f"{partial.folder.name}/{file.name}": file.read_bytes()}


@cache
def projections() -> Files:
    """A folder of projections that is whole."""
    from click.testing import CliRunner

    from cli.main import main

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        (folder / "photos/a.png").write_bytes(pictures()["a.png"])
        latentlab.save(made.make_generator(resolution=32), folder / "g.safetensors")
        with chdir(folder):
            done = CliRunner().invoke(main, list(PROJECT))
        assert done.exit_code == 0, done.output
        files = [each for each in folder.rglob("*") if each.is_file() and each.name != ".lock"]
        return {each.relative_to(folder).as_posix(): each.read_bytes() for each in files}


def projection_files() -> Files:
    """The files of it that a later run reads."""
    return {name: raw for name, raw in projections().items()
            if name.startswith("out/") and name.endswith(("json", "npz", "csv"))}  # fmt: skip
