#!/usr/bin/env bash
# From a photo to a filmstrip: align, project, edit, and put the result back into the photo.
#
#     docs/photo_to_filmstrip.sh [PHOTO LANDMARKS]
#
# The twin of photo_to_filmstrip.py for the shell. No model of faces comes with latentlab, so the
# "face" is a handwritten digit that lies askew on a desk, with four points where a face would have
# eyes and mouth corners. With a model of faces, set MODEL and DISTANCE, give a photo of your own
# and its points, and find directions without the classifier of digits (--method pca).
set -euo pipefail

docs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
photo=${1:-$docs/desk.jpg}
points=${2:-$docs/desk.csv}
out=${OUT:-filmstrip}
model=${MODEL:-builtin:digits-stylegan2}
distance=${DISTANCE:-builtin:digits}
becomes=7 # what the digit is moved towards

echo "# Align: the square comes out upright"
latentlab align "$photo" --landmarks "$points" --size 256 -o "$out/aligned" --overwrite

echo "# Project: --crop face aligns to the generator's own size, and keeps where the face was"
latentlab project "$model" "$photo" --crop face --landmarks "$points" --space w \
    --distance "$distance" --steps "${STEPS:-300}" -o "$out/projection" --overwrite

echo "# Directions: the planes that divide the digits in W"
latentlab directions "$model" --method svm --classifier builtin:digits-classifier \
    --samples "${SAMPLES:-4000}" -o "$out/directions" --overwrite

echo "# Edit: a filmstrip, and each frame for itself; alignment.json comes along"
latentlab edit "$model" --projected-w "$out/projection" \
    --directions "$out/directions/directions.safetensors" --direction "$becomes" \
    --strengths 0,1,2,3,4,5 -o "$out/edit" --overwrite

echo "# Put the projection and the strongest edit back into the photo"
latentlab paste-back "$out/projection" -o "$out/pasted" --overwrite
latentlab paste-back "$out/edit" --direction "$becomes" --strengths 5 -o "$out/pasted" --overwrite

echo "Look at $out/edit/projection.png and the pictures in $out/pasted"
