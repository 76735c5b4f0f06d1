"""How drawn tests are drawn: never judged by the clock, and the same examples on every machine of a build."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tunepoint",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("tunepoint")
