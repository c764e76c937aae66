"""Command lines of NVIDIA's scripts, as their documentation has them, and the answers to them."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from cli.translations.draft import CONFIGS, RESUMED
from cli.translations.nvidia import OPTIONS, SCRIPTS
from cli.translations.translation import translated
from latentlab.downloads import parse_address, public_names
from tests.cli.conftest import AS_IN_GROUP

ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
FETCH = "fetch the network's file first"
LINES = [
    # stylegan2-ada-pytorch.
    (f"generate.py --outdir=out --trunc=1 --seeds=85,265,297,849 --network={ADA}/metfaces.pkl",
     f"generate {ADA}/metfaces.pkl --truncation-psi 1 --seeds 85,265,297,849 -o out", ""),
    (f"generate.py --outdir=out --trunc=0.7 --seeds=600-605 --network={ADA}/metfaces.pkl",
     f"generate {ADA}/metfaces.pkl --truncation-psi 0.7 --seeds 600-605 -o out", ""),
    (f"generate.py --outdir=out --seeds=0-35 --class=1 --network={ADA}/cifar10.pkl",
     f"generate {ADA}/cifar10.pkl --seeds 0-35 --class 1 -o out", ""),
    ("generate.py --outdir=out --projected-w=out/projected_w.npz --network=ffhq.pkl",
     "generate ffhq.pkl --projected-w out/projected_w.npz -o out", ""),
    ("generate.py --network ffhq.pkl --seeds 1,2 --noise-mode none --outdir 'my out'",
     "generate ffhq.pkl --seeds 1,2 --noise-mode none -o 'my out'", ""),
    ("style_mixing.py --outdir=out --rows=85,100,75,458,1500 --cols=55,821,1789,293 "
     "--network=metfaces.pkl",
     "mix metfaces.pkl --rows 85,100,75,458,1500 --cols 55,821,1789,293 --layers 0-6 -o out", ""),
    ("style_mixing.py --outdir=out --rows=1 --cols=2 --styles=0-3 --trunc=0.5 --network=a.pkl",
     "mix a.pkl --rows 1 --cols 2 --layers 0-3 --truncation-psi 0.5 -o out", ""),
    ("projector.py --outdir=out --target=~/mytargetimg.png --network=ffhq.pkl",
     "project ffhq.pkl ~/mytargetimg.png -o out", ""),
    ("projector.py --outdir=out --target=me.png --num-steps=500 --save-video=True --seed=303 "
     "--network_pkl=ffhq.pkl",
     "project ffhq.pkl me.png --steps 500 --video projection.mp4 --seed 303 -o out", ""),
    ("projector.py --outdir=out --target=me.png --save-video 0 --network=ffhq.pkl",
     "project ffhq.pkl me.png -o out", ""),
    ("train.py --outdir=~/training-runs --data=~/mydataset.zip --gpus=1 --dry-run",
     "train --data ~/mydataset.zip --dry-run -o ~/training-runs", ""),
    ("train.py --outdir=runs --data=afhqcat.zip --gpus=8 --cond=1 --mirror=1 --cfg=paper512 "
     "--kimg=3000 --snap=10 --gamma=10 --batch=32 --resume=net.pkl",
     "train --data afhqcat.zip --conditional --mirror --config stylegan2-f --kimg 3000 --gamma 10 "
     "--batch 32 --from net.pkl --snapshot-kimg 40 -o runs",
     "for 8 GPUs, start it with torchrun; a tick is 4 kimg"),
    ("train.py --outdir=runs --data=set.zip --resume=ffhq256 --freezed=10 --aug=ada --workers=4",
     "train --data set.zip --from ada:ffhq-res256-mirror-paper256-noaug -o runs",
     "--freezed has no counterpart; --aug has no counterpart"),
    ("train.py --outdir=runs --data=set.zip --cbase=16384 --cmax=256 --map-depth=2",
     "train --data set.zip --channel-base 16384 --channel-max 256 --mapping-layers 2 -o runs", ""),
    ("train.py --outdir=runs --data=set.zip --resume=latest",
     "train --data set.zip -o runs", "for --resume=latest, give the file itself as --from"),
    (f"train.py --outdir=runs --data=set.zip --resume={ADA}/ffhq.pkl",
     f"train --data set.zip --from {ADA}/ffhq.pkl -o runs", ""),
    (f"python3 gen_images.py --network={ADA}/ffhq.pkl --seeds=0 --outdir=out",
     f"generate {ADA}/ffhq.pkl --seeds 0 -o out", ""),
    ("train.py --outdir=runs --gpus=1 --data=set --res=256 --mirrory=1 --metricdata=all --dcap=0.5",
     "train --data set --resolution 256 -o runs",
     "--mirrory has no counterpart; --metricdata has no counterpart; --dcap has no counterpart"),
    ("train.py --outdir runs --data set.zip --mirror 0 -n",
     "train --data set.zip --dry-run -o runs", ""),
    ("calc_metrics.py --metrics=fid50k_full,kid50k_full,pr50k3_full --data=ffhq.zip --mirror=1 "
     "--network=ffhq.pkl",
     "fidelity ffhq.pkl --metric fid --metric kid --metric prc --data ffhq.zip --mirror "
     "-o metrics/fidelity", ""),
    ("calc_metrics.py --metrics=ppl_wend --gpus=2 --network=ffhq.pkl",
     "ppl ffhq.pkl --protocol ppl_wend -o metrics/ppl", "for 2 GPUs"),
    ("calc_metrics.py --metrics=is50k --network=cifar.pkl", "",
     "the metric is50k has no counterpart"),
    ("calc_metrics --network ffhq.pkl --data ffhq.zip",
     "fidelity ffhq.pkl --metric fid --data ffhq.zip -o metrics/fidelity", ""),
    ("legacy.py --source=https://x.org/stylegan2-cat-config-f.pkl "
     "--dest=stylegan2-cat-config-f.pkl",
     "convert https://x.org/stylegan2-cat-config-f.pkl stylegan2-cat-config-f.pt "
     "--to nvidia-state", ""),
    ("dataset_tool.py --source=lsun --dest=lsun.zip", "", "`latentlab train --data`"),
    ("dataset_tool.py --source=lsun --dest=lsun.zip --width=256 --height=256", "",
     "its --resolution crops and resizes the pictures"),
    # stylegan3.
    ("gen_images.py --outdir=out --trunc=1 --seeds=2 --network=afhqv2.pkl",
     "generate afhqv2.pkl --truncation-psi 1 --seeds 2 -o out", ""),
    ("gen_images.py --outdir=out --seeds=2 --rotate=30 --translate=0.1,0.2 --network=t.pkl",
     "generate t.pkl --seeds 2 --rotate 30 --translate 0.1,0.2 -o out", ""),
    ("gen_video.py --output=lerp.mp4 --trunc=1 --seeds=0-31 --grid=4x2 --network=afhqv2.pkl",
     "interpolate afhqv2.pkl --video lerp.mp4 --truncation-psi 1 --seeds 0-31 --frames 120 --loop "
     "-o out", "--grid has no counterpart"),
    ("gen_video.py --output=films/lerp.mp4 --seeds=0,1 --w-frames=60 --network=a.pkl",
     "interpolate a.pkl --video lerp.mp4 --seeds 0,1 --frames 60 --loop -o films", ""),
    ("train.py --outdir=runs --cfg=stylegan3-t --data=afhq.zip --gpus=8 --batch=32 --gamma=8.2 "
     "--mirror=1",
     "train --config stylegan2-f --data afhq.zip --batch 32 --gamma 8.2 --mirror -o runs",
     "no config is like stylegan3-t: StyleGAN3 is opened, but not trained"),
    ("calc_metrics.py --metrics=eqt50k_int,eqr50k --network=r.pkl",
     "equivariance r.pkl -o metrics/equivariance", ""),
    ("calc_metrics.py --metrics=is50k,ppl2_wend --network=r.pkl",
     "ppl r.pkl --protocol ppl2_wend -o metrics/ppl", "the metric is50k has no counterpart"),
    # stylegan2 and stylegan2-ada.
    ("run_generator.py generate-images --network=gdrive:networks/stylegan2-ffhq-config-f.pkl "
     "--seeds=6600-6625 --truncation-psi=0.5",
     "generate stylegan2-ffhq-config-f.pkl --seeds 6600-6625 --truncation-psi 0.5 "
     "--noise-mode seed -o out", FETCH),
    ("generate-images --network=car.pkl --seeds=6000-6025 --result-dir=results",
     "generate car.pkl --seeds 6000-6025 --truncation-psi 0.5 --noise-mode seed -o results", ""),
    ("run_generator.py style-mixing-example --network=ffhq.pkl --row-seeds=85,100,75 "
     "--col-seeds=55,821 --truncation-psi=1.0",
     "mix ffhq.pkl --rows 85,100,75 --cols 55,821 --truncation-psi 1.0 --layers 0-6 -o out", ""),
    ("run_projector.py project-generated-images --network=car.pkl --seeds=0,1,5",
     "generate car.pkl --seeds 0,1,5 --noise-mode seed -o generated && latentlab project car.pkl "
     "'generated/seed*.png' -o out", ""),
    ("run_projector.py project-real-images --network=car.pkl --dataset=car "
     "--data-dir=~/datasets --num-images=3 --num-snapshots=1",
     "project car.pkl ~/datasets --limit 3 -o out",
     "TFRecords are not read: give a folder of pictures; --num-snapshots has no counterpart"),
    ("run_metrics.py --data-dir=~/datasets --network=ffhq.pkl --metrics=fid50k,ppl_wend,ls "
     "--dataset=ffhq --mirror-augment=true",
     "fidelity ffhq.pkl --metric fid --data ~/datasets --mirror -o metrics/fidelity && "
     "latentlab ppl ffhq.pkl --protocol ppl_wend -o metrics/ppl && latentlab separability "
     "ffhq.pkl --classifier FILE -o metrics/separability", ""),
    ("run_training.py --num-gpus=8 --data-dir=~/datasets --config=config-f --dataset=ffhq "
     "--mirror-augment=true --total-kimg=25000",
     "train --data ~/datasets --config stylegan2-f --mirror --kimg 25000 -o out",
     "for 8 GPUs"),
    # stylegan.
    ("pretrained_example.py", "generate CKPT --seeds 5 --truncation-psi 0.7 -o out", ""),
    # Their options behind the commands here.
    ("generate --network=ffhq.pkl --outdir=out --trunc=0.7 --seeds=0-3",
     "generate ffhq.pkl --truncation-psi 0.7 --seeds 0-3 -o out", ""),
    ("generate ffhq.pkl --trunc 0.7 --seeds 1,2 --device cpu -o out",
     "generate ffhq.pkl --truncation-psi 0.7 --seeds 1,2 --device cpu -o out", ""),
    ("project --network ffhq.pkl --target me.png --outdir out --space w+",
     "project ffhq.pkl me.png --space w+ -o out", ""),
    ("project ffhq.pkl me.png --num-steps 300 -o out", "project ffhq.pkl me.png --steps 300 -o out",
     ""),
    ("mix ffhq.pkl --row-seeds 1 --col-seeds 2 --col-styles 0-3 -o out",
     "mix ffhq.pkl --rows 1 --cols 2 --layers 0-3 -o out", ""),
    ("train --outdir=runs --cfg=auto --data=set.zip --gpus=1 --snap=10 --tick 8",
     "train --config stylegan2-f --data set.zip --snapshot-kimg 80 -o runs", "a tick is 8 kimg"),
    ("train --data set.zip --mirror=1 -o runs", "train --data set.zip --mirror -o runs", ""),
    ("train --data set.zip --mirror 1 -o runs", "train --data set.zip --mirror -o runs", ""),
    ("ppl --network=ffhq.pkl --metrics=ppl_wend --distance lpips-alex --outdir=out",
     "ppl ffhq.pkl --protocol ppl_wend --distance lpips-alex -o out", ""),
    ("info --network=ffhq.pkl", "info ffhq.pkl", ""),
    ("compare --network=a.pkl", "compare a.pkl CKPT -o out", ""),
    ("compare --network=a.pkl --network=b.pkl --metric ppl --metric droplets --outdir versus",
     "compare a.pkl b.pkl --metric ppl --metric droplets -o versus", ""),
    ("contributions --network a.pkl --network b.pkl -o o", "contributions a.pkl b.pkl -o o", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "meant", "note"), LINES, ids=[line for line, _, _ in LINES])
def test_a_line_of_a_script_is_answered_with_the_command_that_does_it(line, meant, note):
    done = CliRunner().invoke(main, shlex.split(line))
    assert done.exit_code == 2
    assert done.stdout == ""
    answer = done.stderr.splitlines()[-1]
    assert (f" Did you mean: latentlab {meant}" in answer) if meant else "Did you" not in answer
    assert note in answer
    if not note and meant:
        assert answer.endswith(f" Did you mean: latentlab {meant}")
    assert parses(meant)


@pytest.mark.parametrize(("line", "said"), [
    ("ppl x --outdir o", "--outdir is an option of NVIDIA's scripts. Did you mean: latentlab ppl x "
     "-o o"),
    ("ppl --network_pkl=x --outdir o",
     "--network_pkl and --outdir are options of NVIDIA's scripts. Did you mean: latentlab ppl x "
     "-o o"),
    ("generate.py --network=x --seeds=1 --outdir=o",
     "That is a command line of NVIDIA's scripts. Did you mean: latentlab generate x --seeds 1 "
     "-o o"),
])  # fmt: skip
def test_only_what_is_a_scripts_is_called_so(line, said):
    done = CliRunner().invoke(main, shlex.split(line))
    assert done.stderr.splitlines()[-1] == f"Error: {said}"


def parses(meant):
    """Whether the commands that were meant are accepted as they stand."""
    for one in meant.split(" && ") if meant else []:
        name, *arguments = shlex.split(one.removeprefix("latentlab "))
        assert main.commands[name].make_context(name, arguments, **AS_IN_GROUP).params
    return True


@pytest.mark.parametrize("line", [
    "generate m.pkl --sedes 1 -o out", "generate m.pkl --seeds 9-1 -o out", "genrate m.pkl",
    "train --data d --kimg 0 -o out", "train -o out", "project m.pkl -o out", "", "python x.py",
])  # fmt: skip
def test_other_usage_errors_are_left_as_they_are(line):
    done = CliRunner().invoke(main, shlex.split(line))
    assert done.exit_code == 2
    assert "NVIDIA" not in done.stderr


def test_every_script_and_each_of_its_options_has_an_answer():
    asked = " ".join(line for line, _, _ in LINES)
    assert {name for name in SCRIPTS if name not in asked} == set()
    for kind, options in OPTIONS.items():
        name = next((name for name, does in SCRIPTS.items() if does == kind), kind)
        for option in options:
            words = [f"{name}.py" if kind in SCRIPTS.values() else name, f"{option}=1"]
            answer = translated(words, main.commands)
            assert answer is not None, option
            assert "\n" not in answer


@pytest.mark.parametrize("name", RESUMED)
def test_what_training_may_start_from_is_a_public_name(name):
    assert RESUMED[name] in public_names()
    assert parse_address(RESUMED[name]).file_name.startswith(name.rstrip("0123456789"))


def test_answers_have_the_names_that_help_shows():
    for line in (part for _, meant, _ in LINES for part in meant.split("&&") if part):
        name, *words = shlex.split(line.strip().removeprefix("latentlab "))
        shown = {option for each in main.commands[name].params for option in each.opts}
        assert {word for word in words if word.startswith("--")} <= shown, line


@pytest.mark.parametrize("config", sorted(set(CONFIGS.values())))
def test_the_configs_that_are_named_are_there(config):
    from latentlab.training.presets import CONFIGS as KNOWN

    assert config in KNOWN


PAGE = (Path(__file__).parents[3] / "docs" / "coming-from-other-tools.md").read_text("utf-8")


def rows_of(heading):
    """The pairs of code in the table whose first line has a heading."""
    _, _, table = PAGE.partition(f"| {heading} | here |\n")
    for row in table.partition("\n\n")[0].splitlines()[1:]:
        yield tuple(re.findall(r"`([^`]+)`", row)[:2])


@pytest.mark.parametrize(("theirs", "ours"), list(rows_of("NVIDIA's")))
def test_the_page_says_what_the_command_line_answers(theirs, ours):
    answer = translated(shlex.split(theirs), main.commands)
    meant = answer.partition("Did you mean: ")[2].partition(" (")[0]
    assert sorted(shlex.split(meant)) == sorted(shlex.split(ours))


def test_the_commands_of_the_page_are_accepted():
    lines = re.findall(r"`latentlab ([a-z-]+ [^`]*-o [^`]+)`", PAGE)
    assert len(lines) > 15
    assert all(parses(line) for line in lines)
