"""Files of pSp, e4e and ReStyle: encoders with the generator of rosinality that they feed.

``state_dict`` holds the generator's weights behind ``decoder.`` and the encoder's behind
``encoder.``; ``latent_avg``, the mean of w, may be repeated for each layer.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from latentlab.checkpoints.assemble import Contents
from latentlab.checkpoints.systems import rosinality2
from latentlab.errors import CheckpointError

ROLES = {"decoder": "G_ema"}
PREFIXES = {"decoder.": "decoder", "encoder.": "encoder"}

_VARYING = (
    "latent_avg differs from layer to layer, so it is no mean of w; an encoder starts from it, and "
    "truncation does not."
)


def read(found: Mapping[Any, Any], where: str, allow_nonfinite: bool = False) -> Contents:
    """Build the generator of a file of pSp, e4e or ReStyle, see ``foreign.Reader``.

    Metadata are as those of rosinality's files. The encoder is left aside.
    """
    parts = {key: value for key, value in found.items() if key not in ("decoder", "latent_avg")}
    rows = found.get("latent_avg")
    if type(rows) is Tensor and rows.ndim == 3 and len(rows) == 1:
        rows = rows[0]
    mean, notes = _mean(rows)
    generator = {"g_ema": found["decoder"], "latent_avg": mean}
    networks, facts = rosinality2.read({**parts, **generator}, where, allow_nonfinite)
    config: Any = networks["G_ema"].config
    _check_rows(rows, config.num_ws, where)
    if type(found.get("encoder")) is dict:
        notes.append(
            "The encoder in the file is left aside; `latentlab project --encoder` takes those of "
            "pSp and e4e."
        )
    return networks, {**facts, "notes": [*notes, *facts["notes"]]}


def _check_rows(mean: Any, num_ws: int, where: str) -> None:
    """Refuse a mean for more layers than the generator has: its last ones are not in the file."""
    if type(mean) is Tensor and mean.ndim == 2 and len(mean) not in (1, num_ws):
        raise CheckpointError(
            f"{where}: latent_avg has {len(mean)} rows, and the generator takes {num_ws}: weights "
            "of the decoder are missing"
        )


def _mean(mean: Any) -> tuple[Any, list[str]]:
    """Return the mean of w [w_dim] that is repeated in rows, or None where they differ."""
    if type(mean) is not Tensor or mean.ndim != 2 or len(mean) == 0:
        return mean, []
    if bool((mean == mean[0]).all()):
        return mean[0], []
    return None, [_VARYING]
