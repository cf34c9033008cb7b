"""A strict reader of Prometheus' text format 0.0.4, as far as gauges need it."""

import re

_COMMENT = re.compile(r"# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)")
_SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"\})? (-?[0-9]+)')
_ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def parse(text: str) -> dict[str, int]:
    """The samples: ``name`` or ``name{label=value}`` with their numbers. Each metric has its help and type before."""
    assert text == "" or text.endswith("\n")
    samples: dict[str, int] = {}
    told: list[tuple[str, str]] = []
    for line in text.split("\n")[:-1]:
        if comment := _COMMENT.fullmatch(line):
            kind, name, _ = comment.groups()
            assert (kind, name) not in told
            assert kind == "HELP" or comment[3] == "gauge"
            told.append((kind, name))
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        name, label, value, number = sample.groups()
        # Lines of one metric stand together.
        assert told[-2:] == [("HELP", name), ("TYPE", name)], line
        said = re.sub(r'\\["\\n]', lambda found: _ESCAPED[found[0]], value or "")
        key = name if label is None else f"{name}{{{label}={said}}}"
        assert key not in samples
        samples[key] = int(number)
    return samples
