"""The settings of the projector."""

import math
from dataclasses import dataclass, fields

from latentlab.checks import check_choice, check_number, check_whole
from latentlab.errors import SettingsError

PUBLISHED, LIMITED_MEMORY = "published", "l-bfgs"
STEPS = {PUBLISHED: 1000, LIMITED_MEMORY: 200}  # of each, where nobody says
# So many sampled w are looked at where nobody says: a closer start saves steps.
STARTS = {PUBLISHED: 0, LIMITED_MEMORY: 100}
# What the published schedule alone has: the other steers itself, and holds the penalty of
# the noise maps at 0, as if its weight were without bounds.
_OF_SCHEDULE = (
    "learning_rate", "ramp_up", "ramp_down", "w_noise", "w_noise_ramp", "noise_weight",
)  # fmt: skip


@dataclass(frozen=True)
class ProjectorSettings:
    """Constants of the optimisation; defaults as published (appendix D, Karras et al. 2020)."""

    space: str = "w"
    # 0 leaves a given start as it is; None becomes the algorithm's own number.
    steps: int = None  # type: ignore[assignment]
    seed: int = 0
    w_samples: int = 10_000  # z drawn for the mean and deviation of w
    learning_rate: float = 0.1
    ramp_up: float = 0.05  # share of the steps in which the learning rate rises
    ramp_down: float = 0.25  # share of the steps in which it falls
    w_noise: float = 0.05  # noise added to w, in deviations of w
    w_noise_ramp: float = 0.75  # share of the steps until it has vanished
    noise_weight: float = 1e5  # of the noise regulariser
    # Starts from the closest of this many sampled w; 0: from the mean; None: the algorithm's own.
    start_samples: int = None  # type: ignore[assignment]
    # Weights of what the published projector lacks; 0: none.
    w_plus_pull: float = 0.0  # the pull of W+ towards W
    pixel_weight: float = 0.0  # the mean squared difference of images in [-1,1]
    identity_weight: float = 0.0  # 1 - the cosine of a face-recognition network's vectors
    p_norm_weight: float = 0.0  # how far w lies from the generator's own, see Whitening
    anchor: bool = False  # of StyleGAN3 in W+: hold the row that places the picture at the mean w
    algorithm: str = PUBLISHED  # or "l-bfgs", which needs far fewer steps

    def __post_init__(self) -> None:
        check_choice(self.algorithm, "algorithm", tuple(STEPS))
        for name, own in (("steps", STEPS), ("start_samples", STARTS)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, own[self.algorithm])
        check_choice(self.space, "space", ("w", "w+", "z"))
        for name, least in (("steps", 0), ("w_samples", 1), ("seed", 0), ("start_samples", 0)):
            check_whole(getattr(self, name), name, least)
        for name in ("learning_rate", "w_noise_ramp"):
            check_number(getattr(self, name), name, above=0)
        weights = (
            "noise_weight",
            "w_plus_pull",
            "pixel_weight",
            "identity_weight",
            "p_norm_weight",
        )
        for name in ("ramp_up", "ramp_down", "w_noise", *weights):
            check_number(getattr(self, name), name, 0)
        if self.p_norm_weight and self.space == "z":
            raise SettingsError(
                "`p_norm_weight` keeps w where the generator puts it; w of z lies there anyway",
                advice=["leave it out with `space` z"],
            )
        if self.w_plus_pull and self.space != "w+":
            raise SettingsError(
                "`w_plus_pull` pulls W+ towards W", advice=["give it with `space` w+"]
            )
        if self.anchor and self.space != "w+":
            raise SettingsError("`anchor` holds a row of W+", advice=["give it with `space` w+"])
        if self.algorithm != PUBLISHED:
            self._check_schedule()

    def _check_schedule(self) -> None:
        """Raise SettingsError for constants that only the published schedule has."""
        default = {field.name: field.default for field in fields(self)}
        for name in _OF_SCHEDULE:
            if getattr(self, name) != default[name]:
                raise SettingsError(
                    f"`{name}` is of `algorithm` {PUBLISHED}; {self.algorithm} has no use for it",
                    advice=[f"leave `{name}` out"],
                )

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of a step: linear rise, then flat, then a cosine fall."""
        t = step / self.steps
        fall = min(1.0, (1.0 - t) / self.ramp_down) if self.ramp_down else 1.0
        rise = min(1.0, t / self.ramp_up) if self.ramp_up else 1.0
        return self.learning_rate * (0.5 - 0.5 * math.cos(math.pi * fall)) * rise

    def w_noise_at(self, step: int) -> float:
        """Standard deviation of the noise on w at a step, in deviations of w."""
        return self.w_noise * max(0.0, 1.0 - step / self.steps / self.w_noise_ramp) ** 2
