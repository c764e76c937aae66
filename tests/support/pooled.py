"""A stand-in for Inception that torch-fidelity knows by name, and whose features are plain."""

import torch
import torch.nn.functional as F
import torch_fidelity
from torch import Tensor

NAME = "test-pooled"


class Pooled(torch_fidelity.FeatureExtractorBase):
    """Features are a picture's mean colours in 4x4 parts, in 0..1; calls are counted."""

    calls = 0

    def __init__(self, name: str, features_list: list[str], **_: object) -> None:
        super().__init__(name, features_list)

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        assert pixels.dtype == torch.uint8
        assert pixels.shape[1] == 3
        Pooled.calls += 1
        return (F.adaptive_avg_pool2d(pixels.float() / 255, 4).flatten(1),)

    @staticmethod
    def get_provided_features_list() -> tuple[str]:
        return ("pooled",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "pooled"

    @staticmethod
    def can_be_compiled() -> bool:
        return False


torch_fidelity.register_feature_extractor(NAME, Pooled)
