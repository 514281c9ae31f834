"""For all tests: an example that takes long on a busy machine is no failure; benchmarks hold the figures."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
