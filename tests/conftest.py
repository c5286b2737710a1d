"""How often Hypothesis tries a law: `--hypothesis-profile=thorough` tries harder."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("default", max_examples=50, deadline=None)
settings.register_profile("fast", max_examples=10, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("default")
