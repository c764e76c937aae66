"""Scores of linear separability, and what each attribute adds to them, with their intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentlab import NumericalError
from metrics.scheme import LOWER, TWO_TO_BITS
from metrics.separability.entropy import (
    conditional_entropy,
    entropy,
    joint_tables,
    resampled_entropies,
)
from metrics.separability.limits import limits, together
from metrics.separability.planes import OK, ONE_CLASS, Planes
from metrics.statistics import CONFIDENCE, Uncertainty

TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
_ERRORS = 1.96  # standard errors that a 95 % interval reaches to each side
CROSS_FITTED = "cross_fitted"  # column of the attributes, which earlier versions had not


def summarise(
    planes: Planes, names: Sequence[str], dimensions: Mapping[str, int], seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return two rows per space with its scores, and a row for each attribute and space.

    The intervals draw samples again, all attributes together, and keep the planes. The entropies
    of all draws come third: RESAMPLES rows, and a column for each row of the second table, first
    those of the fitted planes and then the cross-fitted ones.

    Args:
        planes: From ``fit_planes``.
        names: Of the attributes.
        dimensions: Of the latents, by space.
        seed: Of the resampling.
    """
    fitted, held_out = joint_tables(planes.cells), joint_tables(planes.held_out)
    size = [dimensions[space] for space in planes.spaces for _ in names]
    where = limits(fitted, held_out, np.array(size))
    drawn = resampled_entropies(np.concatenate([planes.cells, planes.held_out]), seed)
    draws, drawn_held_out = np.split(drawn, 2, axis=1)
    best = draws + where.weight * (drawn_held_out - draws)
    labels = [(name, space) for space in planes.spaces for name in names]
    attributes = pd.DataFrame([
        {
            "attribute": name, "space": space, **_attribute(fitted[i], draws[:, i]),
            "converged": bool(planes.converged[i]), "iterations": int(planes.iterations[i]),
            **_cross_fitted(fitted[i], held_out[i], best[:, i], [float(x[i]) for x in where],
                            planes.whitened[i], size[i]),
            "folds_converged": bool(planes.folds_converged[i]),
            "scales": float(planes.scales[i]),
        }
        for i, (name, space) in enumerate(labels)
    ])  # fmt: skip
    both = np.concatenate([draws, best], axis=1)
    replicates = pd.DataFrame(both, columns=[str(i) for i in range(both.shape[1])])
    return scores(attributes, replicates), attributes, replicates


def scores(attributes: pd.DataFrame, replicates: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each space with the score of its attributes, and then the cross-fitted ones.

    Models are ranked by the cross-fitted scores; by the others where there are none.

    Args:
        attributes: As ``summarise`` gives them, of all attributes or of some; of an earlier
            version, without cross-fitted ones.
        replicates: Their entropies in all draws, as ``summarise`` gives them. Where it is empty,
            intervals are the widest that those of the attributes allow.
    """
    spaces = attributes["space"].to_numpy()
    draws, best = split(replicates, len(attributes))
    rows, honest = [], []
    for space in dict.fromkeys(spaces):
        mine = spaces == space
        row = _score(attributes[mine], _columns(draws, mine))
        if CROSS_FITTED in attributes:
            fitted = _cross_fitted_score(attributes[mine], _columns(best, mine))
            row |= {"better_when": "", "bias": row["value"] / fitted["value"] - 1}
            honest.append(fitted)
        rows.append(row)
    return pd.DataFrame([*rows, *honest])


def split(replicates: pd.DataFrame, attributes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the draws of the fitted planes' entropies, and of the cross-fitted ones."""
    return replicates.iloc[:, :attributes], replicates.iloc[:, attributes:]


def _columns(draws: pd.DataFrame, mine: NDArray[np.bool_]) -> pd.DataFrame:
    return draws.loc[:, mine] if draws.size else draws


def faults(attributes: pd.DataFrame) -> dict[str, int]:
    """Count attributes, those of one class, and SVMs that did not converge."""
    names = attributes[attributes["space"] == attributes["space"].iloc[0]]
    return {
        "attributes": len(names),
        "one_class": int((names["status"] == ONE_CLASS).sum()),
        "not_converged": int((~attributes["converged"]).sum()),
    }


def score(entropies: Any) -> Any:
    """Return the score, 2^(sum over attributes) of entropies [...,A] in bits."""
    with np.errstate(over="ignore"):  # MetricResult refuses infinity
        return np.exp2(np.asarray(entropies).sum(axis=-1))


def _finite_score(bits: float) -> float:
    """Return the score of entropies that add up to so many bits.

    Raises:
        NumericalError: If no float is as large.
    """
    found = float(score([bits]))
    if math.isinf(found):
        raise NumericalError(
            f"separability: 2^({bits:,.0f} bits) is beyond all numbers; take fewer attributes"
        )
    return found


def score_in(space: str) -> str:
    """Return what the score in a space is called: "separability in W"."""
    return f"separability in {space.upper()}"


def cross_fitted_in(space: str) -> str:
    """Return what the score that planes have in the limit is called."""
    return f"cross-fitted {score_in(space)}"


def _attribute(table: NDArray[np.int64], draws: NDArray[np.float64]) -> dict[str, Any]:
    """Return what a joint table [output,class] says; class 0 is the positive one."""
    kept, classes = table.sum(), table.sum(axis=0) / table.sum()
    one_class = classes.max() == 1
    low, high = (math.nan, math.nan) if one_class else np.quantile(draws, TAILS)
    return {
        "status": ONE_CLASS if one_class else OK,
        "entropy": float(conditional_entropy(table)), "ci_low": float(low), "ci_high": float(high),
        "class_entropy": float(entropy(classes)), "accuracy": float(np.trace(table) / kept),
        "balance": float(classes[0]), "kept": int(kept),
    }  # fmt: skip


def _cross_fitted(
    fitted: NDArray[np.int64],
    held_out: NDArray[np.int64],
    draws: NDArray[np.float64],
    where: list[float],
    whitened: NDArray[np.int64],
    dimensions: int,
) -> dict[str, Any]:
    """Return what planes of other samples say of an attribute, and what the best one would."""
    own, other = float(conditional_entropy(fitted)), float(conditional_entropy(held_out))
    weight, error, below, above = where
    value, low, high = own + weight * (other - own), math.nan, math.nan
    if fitted.sum(axis=0).min() > 0:  # two classes
        low, high = _reach(value, np.quantile(draws, TAILS), error, below, above)
    white, white_error = _best(whitened, dimensions) if whitened.any() else (math.nan, math.nan)
    if better := bool(white < low):
        # The penalty keeps the plane from being as good as that: so may the limit be.
        below = max(value - white + _ERRORS * white_error, below)
        low, high = _reach(value, np.quantile(draws, TAILS), error, below, above)
    return {
        CROSS_FITTED: value, "cross_fitted_low": low, "cross_fitted_high": high,
        "held_out": other, "held_out_accuracy": float(np.trace(held_out) / held_out.sum()),
        "fit_error": error, "doubt_below": below, "doubt_above": above,
        "whitened": white, "better_whitened": better,
    }  # fmt: skip


def _best(tables: NDArray[np.int64], dimensions: int) -> tuple[float, float]:
    """Return the entropy of the best plane by joint counts [2,output,class], and its fit error."""
    own, other = conditional_entropy(tables)
    where = limits(tables[:1], tables[1:], dimensions)
    return float(own + where.weight[0] * (other - own)), float(where.fit_error[0])


def _reach(
    value: float, ends: Any, error: float, below: float, above: float
) -> tuple[float, float]:
    """Return the ends of an interval that chance and doubt give together, all in bits."""
    low = value - math.hypot(max(value - ends[0], 0), _ERRORS * error, below)
    return max(low, 0.0), value + math.hypot(max(ends[1] - value, 0), _ERRORS * error, above)


def _score(attributes: pd.DataFrame, replicates: pd.DataFrame) -> dict[str, Any]:
    space, known = str(attributes["space"].iloc[0]), attributes["status"] == OK
    value, spread = _finite_score(float(attributes["entropy"].sum())), [math.nan] * 3
    if known.any() and replicates.size:
        found = score(replicates)
        spread = [found.std(ddof=1), *np.quantile(found, TAILS)]
    elif known.any():
        spread = [math.nan, *(score(attributes[e].fillna(0)) for e in ("ci_low", "ci_high"))]
    return {
        "quantity": score_in(space), "unit": TWO_TO_BITS, "better_when": LOWER,
        "value": value,
        **Uncertainty(*map(float, spread)).columns(),
        "space": space, "attributes": int(known.sum()),
    }  # fmt: skip


def _cross_fitted_score(attributes: pd.DataFrame, replicates: pd.DataFrame) -> dict[str, Any]:
    space, known = str(attributes["space"].iloc[0]), attributes["status"] == OK
    bits, spread = float(attributes[CROSS_FITTED].sum()), [math.nan] * 3
    value = _finite_score(bits)
    error = float(np.sqrt((attributes["fit_error"] ** 2).sum()))
    above = together(attributes["doubt_above"].to_numpy())
    below = together(attributes["doubt_below"].to_numpy())
    if "better_whitened" in attributes:  # the penalty has kept all of these too high alike
        biased = attributes["better_whitened"].to_numpy(dtype=bool)
        doubts = attributes["doubt_below"].to_numpy()
        below = float(doubts[biased].sum()) + together(doubts[~biased])
    if known.any() and replicates.size:
        ends = np.quantile(replicates.to_numpy().sum(axis=1), TAILS)
        deviation = math.hypot(score(replicates).std(ddof=1), value * math.log(2) * error)
        spread = [deviation, *np.exp2(_reach(bits, ends, error, below, above))]
    elif known.any():
        ends = [attributes[f"cross_fitted_{end}"].fillna(0).sum() for end in ("low", "high")]
        spread = [math.nan, *np.exp2(ends)]
    return {
        "quantity": cross_fitted_in(space), "unit": TWO_TO_BITS, "better_when": LOWER,
        "value": value, **Uncertainty(*map(float, spread)).columns(),
        "space": space, "attributes": int(known.sum()), "bias": math.nan,
    }  # fmt: skip
