"""Figures that the authors published, for orientation; none was measured here.

From the READMEs of NVlabs/stylegan and NVlabs/stylegan2, on FFHQ at 1024x1024.
"""

import pandas as pd

SOURCE = (
    "Published by the authors for FFHQ at 1024x1024 (READMEs of NVlabs/stylegan and "
    "NVlabs/stylegan2, config F), not measured here; other pictures and other perceptual "
    "networks give other figures."
)

_ROWS = (
    ("ppl_zfull", 664.8854, 348.0), ("ppl_wfull", 233.3059, 126.9),
    ("ppl_zend", 666.1057, 348.6), ("ppl_wend", 197.2266, 129.4), ("ppl2_wend", None, 145.0),
    ("ls z", 165.0106, 154.2), ("ls w", 3.7447, 4.27), ("fid", 4.4159, 2.84),
)  # fmt: skip


def published() -> pd.DataFrame:
    """Return a row a measure, with the published figures of both systems."""
    columns = ["measure", "StyleGAN (published)", "StyleGAN2 (published)"]
    return pd.DataFrame(_ROWS, columns=columns)
