"""Whether two pictures show the same person: the cosine of a face-recognition network's vectors.

The network is a TorchScript file that the user names, such as the ArcFace of pSp and e4e (Deng et
al. 2019, "ArcFace"). Faces reach it as these encoders' identity loss crops them: of a picture that
is aligned as FFHQ is, at 256 pixels, the square of rows 35 to 222 and columns 32 to 219, brought
to 112x112 (Richardson et al. 2021, "Encoding in Style", Eq. 3).
"""

from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.checks import check_choice
from latentlab.errors import CheckpointError, ImageError, NumericalError
from latentlab.images import as_rgb
from latentlab.torchscript import open_torchscript, run_program

FaceCrop = Literal["ffhq", "none"]

FACE_SIDE = 112  # pixels that the network looks at
CROPPED_FROM = 256  # pixels of the picture that the crop is of
_TOP, _BOTTOM, _LEFT, _RIGHT = 35, 223, 32, 220


class FaceIdentity(nn.Module):
    """Similarity of faces: two batches of images [N,C,H,W] in [-1,1] give cosines [N] in [-1,1].

    The file must take faces [N,3,112,112], float32, red, green and blue in [-1,1], and give vectors
    [N,D] of any length but zero. Gradients reach the images. A TorchScript file is a program: use
    one whose origin you trust.
    """

    def __init__(
        self,
        path: Path | str,
        crop: FaceCrop = "ffhq",
        device: torch.device | str = "cpu",
        *,
        trust: bool = True,
    ) -> None:
        """Open a network.

        Args:
            path: The TorchScript file.
            crop: "ffhq" cuts the face out of pictures that are aligned as FFHQ is; "none" takes
                the whole picture, for those that are 112x112 crops of the network's own alignment.
            device: Where it computes.
            trust: Run the file, which is a program and may do whatever you may.

        Raises:
            CheckpointError: If the file is missing or something else; UnsafeCheckpoint without
                ``trust``.
            SettingsError: If the crop is unknown.
        """
        super().__init__()
        check_choice(crop, "crop", get_args(FaceCrop))
        self.name, self.crop = str(path), crop
        self._network = open_torchscript(Path(path), trust, "leave `identity` out")
        self.eval().requires_grad_(False).to(device)
        self._device = torch.device(device)

    def faces(self, images: Tensor) -> Tensor:
        """Return what the network looks at [N,3,112,112] of images [N,C,H,W] in [-1,1]."""
        if images.ndim != 4:
            rule = "images must have shape [N,C,H,W]"
            raise ImageError(f"{self.name}: {rule}, but got {list(images.shape)}")
        images = as_rgb(images).to(self._device, torch.float32)
        if self.crop == "none":
            return _brought_to(images, FACE_SIDE)
        whole = _brought_to(images, CROPPED_FROM)
        return F.adaptive_avg_pool2d(whole[:, :, _TOP:_BOTTOM, _LEFT:_RIGHT], FACE_SIDE)

    def embeddings(self, images: Tensor) -> Tensor:
        """Return a vector of length 1 for each image: [N,D].

        Raises:
            CheckpointError: If the network cannot be called with faces, or returns another shape.
            NumericalError: If a vector is zero, or not finite.
        """
        faces = self.faces(images)
        refusal = f"{self.name}: cannot be called with faces {list(faces.shape)}"
        vectors = run_program(self._network, faces, refusal)
        if not isinstance(vectors, Tensor) or vectors.ndim != 2 or len(vectors) != len(faces):
            found = list(vectors.shape) if isinstance(vectors, Tensor) else type(vectors).__name__
            raise CheckpointError(
                f"{self.name}: returned {found} for {len(faces)} faces; a face-recognition network "
                "returns vectors [N,D]"
            )
        lengths = vectors.norm(dim=1, keepdim=True)
        if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
            raise NumericalError(f"{self.name}: a face's vector is zero, or not finite")
        unit: Tensor = vectors / lengths
        return unit

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return cosine similarities [N] of two image batches: 1 is the same face."""
        return (self.embeddings(first) * self.embeddings(second)).sum(dim=1)


def _brought_to(images: Tensor, side: int) -> Tensor:
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True)
