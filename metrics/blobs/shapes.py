"""Compact spots of a heat map: their peaks, and what hangs together around each."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Heat = NDArray[np.float32]

_EDGES = (0.5, 0.65)  # shares of its peak at which a spot may be cut out, widest first
_LARGEST = 0.05  # share of the map that a spot takes at most
_SMALL_MAP = (0.1, 6)  # or this share and so many pixels, whichever is less: what 8x8 can hold
_EXTENT = 0.45  # share of its bounding box that a spot fills at least; a disc fills 0.79
_REACH = 2.5  # radii of a spot within which a Gaussian falls below 1 % of its peak
_RING = (2.0, 3.5)  # radii of a spot between which its surroundings lie
_RING_WIDTH = 1.5  # pixels, at least
_MOST = 64  # parts of a map that are looked at, the hottest first
_WINDOW = 8  # pixels around a peak in which a part is looked for first
_AT_BORDER = 0.75  # share of its peak that a spot has on the map's edge, if it belongs there
_LEAST_GRID = 6  # spots that can make a grid
_GRID = 0.6  # share of the spots that have a neighbour at the same step
_ARM = 0.3  # share of its peak that an arm of a crossing has at least
_FLANK = 1.5  # radii of a spot, within which a Gaussian has more than that
_NEIGHBOURS = np.ones((3, 3))


class Shape(NamedTuple):
    """A compact spot: its peak (row and column), and the pixels [H,W] that are as hot as half."""

    peak: tuple[int, int]
    mask: Mask

    @property
    def radius(self) -> float:
        """Of a disc with as many pixels."""
        return math.sqrt(self.mask.sum() / math.pi)

    def surroundings(self) -> Mask:
        """Return the disc [H,W] in which the spot may change the scale of its map."""
        return np.asarray(self._squared() <= (_REACH * self.radius) ** 2) | self.mask

    def ring(self) -> Mask:
        """Return the ring [H,W] that the spot is compared with, which it leaves unchanged."""
        inner, outer = self._ring_radii()
        squared = self._squared()
        return np.asarray((squared > inner**2) & (squared <= outer**2))

    def near(self, radii: float) -> Mask:
        """Return the disc [H,W] of so many radii and a pixel around the spot."""
        return np.asarray(self._squared() <= (radii * self.radius + 1) ** 2) | self.mask

    def is_at_border(self, heat: Heat) -> bool:
        """Whether the spot is as good as hottest on the edge of its map [H,W].

        What zero padding makes has its peak in the outermost row or column, or a plateau that
        reaches it. A droplet whose peak is further inside has fallen off there.
        """
        edge = np.ones_like(self.mask)
        edge[1:-1, 1:-1] = False
        here = heat[edge & self.mask]
        return bool(here.size and here.max() >= _AT_BORDER * heat[self.peak])

    def arms(self, heat: Heat, level: float, elsewhere: Mask) -> int:
        """Return in how many places something hotter than a level crosses the ring.

        Beyond its edges the map goes on as it ends there, lest lines that cross beside an edge lack
        the arms that would run out of it.

        Args:
            heat: Of the map [H,W].
            level: Of the heat; 30 % of the spot's peak, where that is hotter.
            elsewhere: Places [H,W] that belong to no spot.
        """
        from scipy import ndimage

        inner, outer = self._ring_radii()
        centre = [float(places.mean()) for places in np.nonzero(self.mask)]
        down, right = (np.arange(int(x - outer), int(x + outer) + 2) for x in centre)
        places = [np.clip(x, 0, n - 1) for x, n in zip((down, right), heat.shape, strict=True)]
        within = np.ix_(*places)
        squared, of_edge = (
            np.add.outer((rows - centre[0]) ** 2, (columns - centre[1]) ** 2)
            for rows, columns in ((down, right), places)
        )
        hot = heat[within] >= max(level, _ARM * float(heat[self.peak]))
        hot &= elsewhere[within] & (squared > inner**2) & (squared <= outer**2)
        hot &= of_edge > (_FLANK * self.radius) ** 2
        return int(ndimage.label(hot, structure=_NEIGHBOURS)[1])

    def _ring_radii(self) -> tuple[float, float]:
        inner, outer = (radii * self.radius for radii in _RING)
        return inner, max(outer, inner + _RING_WIDTH)

    def _squared(self) -> NDArray[np.float64]:
        rows, columns = np.nonzero(self.mask)
        down, right = np.ogrid[: self.mask.shape[0], : self.mask.shape[1]]
        return np.asarray((down - rows.mean()) ** 2 + (right - columns.mean()) ** 2)


def compact_spots(heat: Heat, level: float) -> Iterator[Shape]:
    """Yield the compact spots of a heat map [H,W] that are hotter than a level, hottest first.

    Each is the hottest place of what hangs together around it down to half of its own heat, or to
    65 % where something else begins above that half. What lies beside it may be as hot or hotter.
    """
    taken = np.zeros(heat.shape, dtype=bool)
    looked_at = 0
    for peak in _peaks(heat, level):
        if taken[peak]:
            continue  # cut out at its own, lower edge, it would hold the hotter peak
        parts = {share: _part(heat, peak, share * float(heat[peak])) for share in _EDGES}
        taken |= parts[max(_EDGES)]
        for share, part in parts.items():
            # A Gaussian cut out at a higher edge takes less of the map.
            size = heat.size * math.log(share) / math.log(0.5)
            if heat[part].max() <= heat[peak] and _is_compact(part, size):
                yield Shape(peak, part)
                break
        looked_at += 1
        if looked_at == _MOST:
            return


def extended(heat: Heat, level: float) -> Mask:
    """Return the places [H,W] of what is hotter than a level and is not compact."""
    from scipy import ndimage

    parts, _ = ndimage.label(heat >= level, structure=_NEIGHBOURS)
    found = np.zeros(heat.shape, dtype=bool)
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        part = parts[box] == number
        if not _is_compact(part, heat.size):
            found[box] |= part
    return found


def is_grid(places: Sequence[tuple[int, int]]) -> bool:
    """Whether most places have a neighbour at one and the same distance and direction.

    Upsampling can leave such grids of spots; places of droplets have nothing to do with each other.
    """
    if len(places) < _LEAST_GRID:
        return False
    points = np.array(places)
    steps = (points[:, None] - points[None]).reshape(-1, 2)
    down, right = steps.T  # each pair once: those that run down, and of the level ones to the right
    steps = steps[(down > 0) | ((down == 0) & (right > 0))]
    _, counts = np.unique(steps, axis=0, return_counts=True)
    return bool(counts.max() >= _GRID * len(places))


def _peaks(heat: Heat, level: float) -> list[tuple[int, int]]:
    """Return the places that are hotter than a level and than all around, hottest first."""
    from scipy import ndimage

    hottest = ndimage.maximum_filter(heat, size=3, mode="nearest")
    rows, columns = np.nonzero((heat == hottest) & (heat > level))
    order = np.argsort(-heat[rows, columns], kind="stable")
    return [(int(rows[i]), int(columns[i])) for i in order]


def _part(heat: Heat, place: tuple[int, int], level: float) -> Mask:
    """Return what has a level of heat and hangs together with a place, as a mask [H,W].

    It is looked for in a window that grows while the part reaches out of it.
    """
    from scipy import ndimage

    reach = _WINDOW
    while True:
        window = tuple(slice(max(0, x - reach), x + reach + 1) for x in place)
        parts, _ = ndimage.label(heat[window] >= level, structure=_NEIGHBOURS)
        at = parts[place[0] - window[0].start, place[1] - window[1].start]
        here = np.asarray(parts == at)
        if not _reaches_out(here, window, heat.shape):
            mask = np.zeros(heat.shape, dtype=bool)
            mask[window] = here
            return mask
        reach *= 4


def _reaches_out(part: Mask, window: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Whether a part touches a side of its window that is no side of the map."""
    for axis in (0, 1):
        lines = np.asarray(part.any(axis=1 - axis))
        if window[axis].start > 0 and lines[0]:
            return True
        if window[axis].stop < shape[axis] and lines[-1]:
            return True
    return False


def _is_compact(mask: Mask, size: float) -> bool:
    """Whether a part of a map with so many pixels is small and roundish."""
    share, pixels = _SMALL_MAP
    largest = max(_LARGEST * size, min(share * size, pixels))
    area = int(mask.sum())
    if area > largest:
        return False
    height, width = (int(np.ptp(places)) + 1 for places in np.nonzero(mask))
    return max(height, width) <= 2 * min(height, width) + 1 and area >= _EXTENT * height * width
