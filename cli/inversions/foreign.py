"""Pairs of folders of other tools: pSp, e4e, ReStyle, HyperStyle, GANInverter, or any."""

from collections.abc import Sequence
from pathlib import Path

from cli.inversions.matching import matched
from cli.inversions.methods import Inversions, PicturePair, name_of
from cli.projecting.files import PROJECTED, projections_in
from cli.text import counted, plain_text
from latentlab import DataError
from latentlab.errors import shown
from latentlab.images.listing import find_pictures

# Where tools put their results in the folder that they are given: pSp, ReStyle and HyperStyle;
# e4e; GANInverter, which has it within the first.
_INSIDE = ("inference_results", "inversions", "inversion")
_NAMED = 5  # files


def read_pairs(targets: Path, results: Path) -> Inversions:
    """Find the results of another tool, and their targets.

    Args:
        targets: Folder of the pictures as the tool saw them.
        results: Folder of what it made of them, or the tool's own output folder.

    Raises:
        DataError: If a folder is missing, or no result has a target.
        ImageError: If a folder has no pictures.
    """
    for folder in (targets, results):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected one of pictures")
    if (results / PROJECTED).is_file() or projections_in(results, PROJECTED):
        raise DataError(f"{results}: was written by `latentlab project`", advice=[
            "give it without `targets` and `results`"])  # fmt: skip
    inside = results_in(results)
    wanted, made = find_pictures([targets]), find_pictures([inside])
    found = matched([file.relative_to(targets) for file in wanted],
                    [file.relative_to(inside) for file in made])  # fmt: skip
    if not found.pairs:
        raise DataError(
            f"{inside}: no picture has the name of one in {targets}; for example "
            f"{shown([made[0].name])} here, and {shown([wanted[0].name])} there"
        )
    pairs = [PicturePair(name_of(wanted[i].relative_to(targets)), wanted[i], made[j])
             for i, j in found.pairs]  # fmt: skip
    notes = [f"Results are in {plain_text(inside)}."] if inside != results else []
    doubts = []
    if found.by_order:
        first = f"{pairs[0].result.name} is of {pairs[0].target.name}"
        doubts.append("Results are numbers, and were taken to count the targets in the order of "
                     f"their names: {first}.")  # fmt: skip
    if found.targets:
        doubts.append(f"{counted(len(found.targets), 'target')} without result: "
                     f"{_named(wanted, found.targets)}.")  # fmt: skip
    left_out = [f"{plain_text(made[i])}: no target has this name" for i in found.results]
    return Inversions(str(results), "pictures", pairs, notes, doubts, left_out)


def results_in(folder: Path) -> Path:
    """Return where the results are in an output folder: of several steps, those of the last."""
    for name in _INSIDE:
        if (folder / name).is_dir():
            return results_in(folder / name)
    steps = [each for each in folder.iterdir() if each.name.isdecimal() and each.is_dir()]
    others = [each for each in folder.iterdir() if each.is_file()]
    return max(steps, key=lambda each: int(each.name)) if steps and not others else folder


def _named(files: Sequence[Path], numbers: Sequence[int]) -> str:
    names = [plain_text(files[i].name) for i in numbers[:_NAMED]]
    more = f" and {len(numbers) - _NAMED:,} more" if len(numbers) > _NAMED else ""
    return ", ".join(names) + more
