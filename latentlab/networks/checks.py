"""The checks of a config's fields, which raise UnsupportedNetwork."""

from functools import partial

from latentlab import checks
from latentlab.errors import UnsupportedNetwork

check = partial(checks.check, error=UnsupportedNetwork)
whole = partial(checks.check_whole, error=UnsupportedNetwork)
number = partial(checks.check_number, error=UnsupportedNetwork)
positive = partial(number, above=0, below=1e38)  # within float32
choice = partial(checks.check_choice, error=UnsupportedNetwork)
flag = partial(checks.check_flag, error=UnsupportedNetwork)
taps = partial(checks.check_taps, error=UnsupportedNetwork)
