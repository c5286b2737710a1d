"""How often Hypothesis tries a law.

The ordinary run tries the same examples everywhere, so that it fails for a change and not by chance;
`--hypothesis-profile=thorough` looks for new ones, and many more.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("default", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("fast", max_examples=10, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("default")
