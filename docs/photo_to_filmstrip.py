"""From a photo to a filmstrip: align, project, edit, and put the result back into the photo.

Run it as it is (`python docs/photo_to_filmstrip.py`), or cell by cell in an editor that knows
`# %%`. No model of faces comes with latentlab, so the "face" is a handwritten digit that lies askew
on a desk, with four points where a face would have eyes and mouth corners. With a model of faces,
change MODEL and DISTANCE, take a photo of your own, and give its points, or let `--face-model` find
them. photo_to_filmstrip.sh is its twin for the shell.
"""

# %% What is used
import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import latentlab
from cli.main import main
from latentlab.datasets.digits import one_of_each
from latentlab.faces import load_alignment, paste_back

MODEL, DISTANCE = "builtin:digits-stylegan2", "builtin:digits"
CLASSIFIER = "builtin:digits-classifier"
DIGIT, BECOMES = 2, "7"

options = argparse.ArgumentParser()
options.add_argument("--output", type=Path, default=Path("filmstrip"))
options.add_argument("--steps", type=int, default=300)
options.add_argument("--samples", type=int, default=4000)
arguments, _ = options.parse_known_args()  # a notebook has arguments of its own
out = arguments.output
out.mkdir(parents=True, exist_ok=True)


def run(*words: object) -> None:
    """Run a command as a shell would: latentlab project ... ."""
    print("$ latentlab", *words)
    main([str(word) for word in words], prog_name="latentlab", standalone_mode=False)


# %% A photo: the digit, 180 pixels wide, turned by 25 degrees, on a desk of 640x480
SIDE, ANGLE, CENTRE = 180, np.radians(25), np.array([390.0, 230.0])
turn = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])

desk = np.random.default_rng(0).normal([150, 110, 70], 6, (480, 640, 3)).clip(0, 255)
photo = Image.fromarray(desk.astype(np.uint8))
digit = Image.fromarray(one_of_each("held-out")[DIGIT]).convert("RGB")
digit = digit.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
# Pillow asks where each pixel of the photo comes from: the way back, by the transposed turn.
offset = np.array([SIDE, SIDE]) / 2 - turn.T @ CENTRE
way_back = np.column_stack([turn.T, offset]).ravel().tolist()
lay = (photo.size, Image.Transform.AFFINE, way_back, Image.Resampling.BICUBIC)
photo.paste(digit.transform(*lay), mask=Image.new("L", digit.size, 255).transform(*lay))
photo.save(out / "photo.png")

# %% Four points, as shares of the square that the alignment shall cut out
EYES_AND_MOUTH = np.array([[0.375, 0.475], [0.625, 0.475], [0.4, 0.725], [0.6, 0.725]])
points = CENTRE + (EYES_AND_MOUTH - 0.5) * SIDE @ turn.T - 0.5
names = ["left_eye", "right_eye", "left_mouth", "right_mouth"]
header = ",".join(f"{name}_{axis}" for name in names for axis in "xy")
row = ",".join(f"{value:.3f}" for value in points.ravel())
(out / "points.csv").write_text(f"picture,{header}\nphoto.png,{row}\n")

# %% Align: the square comes out upright
run("align", out / "photo.png", "--landmarks", out / "points.csv", "--size", 256,
    "-o", out / "aligned", "--overwrite")  # fmt: skip

# %% Project: `--crop face` aligns to the generator's own size, and keeps where the face was
run("project", MODEL, out / "photo.png", "--crop", "face", "--landmarks", out / "points.csv",
    "--space", "w", "--distance", DISTANCE, "--steps", arguments.steps,
    "-o", out / "projection", "--overwrite")  # fmt: skip

# %% Directions: the planes that divide the digits in W
run("directions", MODEL, "--method", "svm", "--classifier", CLASSIFIER,
    "--samples", arguments.samples, "-o", out / "directions", "--overwrite")  # fmt: skip

# %% Edit: a filmstrip, and each frame for itself
run("edit", MODEL, "--projected-w", out / "projection",
    "--directions", out / "directions" / "directions.safetensors", "--direction", BECOMES,
    "--strengths", "0,1,2,3,4,5", "-o", out / "edit", "--overwrite")  # fmt: skip

# %% Put the last frame back into the photo
alignment = load_alignment(out / "projection" / "alignment.json")
frames = sorted((out / "edit" / "projection" / BECOMES).glob("*.png"))
edited = latentlab.images.read_picture(frames[-1])
paste_back(photo, edited, alignment.quad).save(out / "pasted.png")
print("Look at", out / "photo.png", out / "edit" / "projection.png", out / "pasted.png")
