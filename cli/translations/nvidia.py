"""The names, options and defaults of NVIDIA's scripts, as their help and documentation give them.

They are those of stylegan, stylegan2, stylegan2-ada, stylegan2-ada-pytorch and stylegan3.
"""

from collections.abc import Mapping

from cli.translations import draft as rules
from cli.translations.draft import Rule, flag, ignored, nothing, to

METRICS = "metrics"  # scripts that compute some of several metrics, for which there are commands
EQUIVARIANCE = ("eqt50k_int", "eqt50k_frac", "eqr50k")  # metrics that one command has
# What does the same, by the names of scripts, and of the subcommands that some of them have.
SCRIPTS: Mapping[str, str] = {
    "generate": "generate", "gen_images": "generate", "generate-images": "generate",
    "pretrained_example": "generate", "style_mixing": "mix", "style-mixing-example": "mix",
    "gen_video": "interpolate", "projector": "project", "project-real-images": "project",
    "project-generated-images": "project", "calc_metrics": METRICS, "run_metrics": METRICS,
    "train": "train", "run_training": "train", "legacy": "convert",
}  # fmt: skip
WITH_SUBCOMMANDS = ("run_generator", "run_projector")
# What the scripts do where nothing is said, and the commands here do not.
DEFAULTS: Mapping[str, Mapping[str, str | None]] = {
    "gen_video": {"--frames": "120", "--loop": None},
    "generate-images": {"--truncation-psi": "0.5", "--noise-mode": "seed"},
    "pretrained_example": {"--seeds": "5", "--truncation-psi": "0.7"},
    "style-mixing-example": {"--truncation-psi": "0.5", "--layers": "0-6"},
    "style_mixing": {"--layers": "0-6"},
}

EVERYWHERE: Mapping[str, Rule] = {
    "--network": rules.network, "--network-pkl": rules.network, "--outdir": rules.output,
    "--result-dir": rules.output,
}  # fmt: skip
_PSI: Mapping[str, Rule] = {"--trunc": to("--truncation-psi")}
OPTIONS: Mapping[str, Mapping[str, Rule]] = {
    "generate": {
        **_PSI, "--dlatents": to("--projected-w"),
    },
    "mix": {
        **_PSI, "--row-seeds": to("--rows"), "--col-seeds": to("--cols"),
        "--styles": to("--layers"), "--col-styles": to("--layers"),
    },
    "interpolate": {
        **_PSI, "--output": rules.film, "--w-frames": to("--frames"), "--grid": nothing("--grid"),
        "--num-keyframes": nothing("--num-keyframes"),
        "--shuffle-seed": nothing("--shuffle-seed"),
    },
    "project": {
        "--target": rules.operand, "--num-steps": to("--steps"),
        "--save-video": rules.projection_video, "--num-images": to("--limit"), **_PSI,
        "--truncation-psi": to("--truncation-psi"), "--seeds": to("--seeds"),
        "--data-dir": rules.records, "--dataset": ignored,
        "--num-snapshots": nothing("--num-snapshots"),
    },
    METRICS: {
        "--metrics": rules.metrics, "--data": to("--data"), "--data-dir": to("--data"),
        "--mirror": flag("--mirror"), "--mirror-augment": flag("--mirror"),
        "--gpus": rules.processes, "--num-gpus": rules.processes, "--verbose": ignored,
        "--dataset": ignored,
    },
    "ppl": {"--metrics": to("--protocol")},
    "train": {
        "--data-dir": to("--data"), "--cfg": rules.config, "--config": rules.config,
        "--cond": flag("--conditional"), "--mirror": flag("--mirror"),
        "--mirror-augment": flag("--mirror"), "--total-kimg": to("--kimg"),
        "--snap": rules.snapshots, "--tick": rules.tick, "--resume": rules.resume,
        "--cbase": to("--channel-base"), "--cmax": to("--channel-max"),
        "--map-depth": to("--mapping-layers"),
        "--res": to("--resolution"), "--glr": to("--learning-rate"), "--gpus": rules.processes,
        "--num-gpus": rules.processes,
        **dict.fromkeys(("--workers", "--desc", "--dataset", "--nobench", "--nhwc"), ignored),
        **{name: nothing(name) for name in (
            "--aug", "--p", "--target", "--augpipe", "--freezed", "--subset", "--fp32",
            "--allow-tf32", "--batch-gpu", "--dlr",
            "--mbstd-group", "--metrics", "--mirrory", "--metricdata", "--initstrength",
            "--cmethod", "--dcap",
        )},
    },
    "convert": {
        "--source": rules.network, "--dest": rules.operand,
        "--force-fp16": nothing("--force-fp16"),
    },
}  # fmt: skip
BARE: Mapping[str, Rule] = {"-n": flag("--dry-run")}  # without a value
