"""Makes errors of warnings, for all that comes after it."""

import warnings

warnings.simplefilter("error")
