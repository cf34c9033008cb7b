"""The text format of Prometheus, line by line."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.http import content
from chalicelib.metrics import rules
from tests.metrics.exposition import parse


@given(st.dictionaries(st.text(), st.integers(-(2**53), 2**53)))
def test_labels_can_be_parsed_again(samples: dict[str, int]):
    text = rules.exposition([rules.Gauge("lamplighter_some", "Some.", samples, "label")])

    assert parse(text) == {f"lamplighter_some{{label={value}}}": number for value, number in samples.items()}


class TestQuality:
    """The format that a caller requests."""

    @staticmethod
    def text(accept: str) -> bool:
        return content.quality(accept, "text/plain") > content.quality(accept, "application/json")

    def test_text_for_callers_that_prefer_it(self):
        prometheus = (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        )
        for accept in (prometheus, "text/plain", "text/*", "TEXT/PLAIN; q=0.2", "*/*, application/json; q=0.5"):
            assert self.text(accept), accept

    def test_json_for_all_others(self):
        browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        usual = ("", "*/*", "application/json", "application/json, text/plain, */*", browser)
        wrong = (",", ";", "text/plain;q=2", "text/plain;q=nan", "text/plain;q=", "text/plain;q=0", "text", "image/png")
        for accept in (*usual, *wrong):
            assert not self.text(accept), accept

    @given(st.text())
    def test_any_accept_header_is_handled(self, accept: str):
        assert 0 <= content.quality(accept, "text/plain") <= 1
