"""The embedded AWS engine.

:mod:`~infra.local.engine.process` starts it and runs in the app's environment; the other modules run in the engine's
own environment and may import only packages installed there.
"""
