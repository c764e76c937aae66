"""The linear support vector machine of linear separability, as the published code sets it."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PENALTY, TOLERANCE, ITERATIONS = 1.0, 1e-4, 1000


@dataclass(frozen=True)
class Separation:
    """What a machine says of the samples that it was fitted to.

    Attributes:
        outputs: Class 0 or 1 of each sample [N].
        converged: Whether the solver reached its tolerance.
        iterations: Of the solver; 0 where there was nothing to fit.
        normal: Of the hyperplane, towards class 1 [D], of any length; None where there is none.
        offset: Class 1 is where the product with the normal is above minus this.
    """

    outputs: NDArray[np.int8]
    converged: bool
    iterations: int
    normal: NDArray[np.float64] | None = None
    offset: float = 0.0

    def classify(self, latents: NDArray[Any]) -> NDArray[np.int8]:
        """Return class 0 or 1 of other samples [N,D]; without a plane, the only class there is."""
        if self.normal is None:
            return np.full(len(latents), self.outputs[0], dtype=np.int8)
        return np.asarray(latents @ self.normal + self.offset > 0, dtype=np.int8)


def separate(
    latents: NDArray[Any], targets: NDArray[np.integer], *, dual: bool = False, seed: int = 0
) -> Separation:
    """Fit a hyperplane between two classes, and classify the same samples with it.

    A single class needs no plane: every sample is taken to be on its right side, as published.

    Args:
        latents: The samples [N,D].
        targets: Class 0 or 1 of each [N].
        dual: Solve the dual problem, as published: it depends on the seed, and large or unscaled
            problems do not converge. The primal solver has one answer.
        seed: Of the dual solver.
    """
    if targets.min() == targets.max():
        return Separation(targets.astype(np.int8), True, 0)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        C=PENALTY, tol=TOLERANCE, max_iter=ITERATIONS, dual=dual, random_state=seed % 2**32
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        machine.fit(latents, targets)
    converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    outputs, iterations = machine.predict(latents).astype(np.int8), int(machine.n_iter_)
    normal, offset = np.asarray(machine.coef_[0], dtype=np.float64), float(machine.intercept_[0])
    return Separation(outputs, converged, iterations, normal, offset)
