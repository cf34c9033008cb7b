"""The embedded AWS engine.

:mod:`~infra.local.engine.process` starts it and belongs to the app's environment; everything else here runs
inside the engine's own environment and may import nothing that is not there.
"""
