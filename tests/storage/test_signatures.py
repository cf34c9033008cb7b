"""Signatures that DynamoDB refuses because of a wrong clock or expired credentials."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import cache
from itertools import count
from pathlib import Path

import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials

from chalicelib.errors import Unavailable
from chalicelib.storage import credentials
from chalicelib.storage.transport import Refused
from tests.storage.conftest import MakeTransport
from tests.storage.stage import GET, ITEM, Stage, answer, refusal


def stamps(stage: Stage) -> list[datetime]:
    """The times of the signatures of the stage's requests."""
    dates = [headers["x-amz-date"] for headers, _ in stage.visits]
    return [datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for date in dates]


class TestClock:
    """A wrong clock."""

    @pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"])
    @pytest.mark.parametrize("off", [3600, -86400])
    def test_it_is_corrected_permanently(self, stage: Stage, make_transport: MakeTransport, code: str, off: int):
        theirs = formatdate(time.time() + off, usegmt=True)
        stage.will(refusal(code, Date=theirs), answer(ITEM), answer(ITEM))
        ours = make_transport()

        assert ours.call("GetItem", GET) == ITEM
        assert ours.call("GetItem", GET) == ITEM

        first, *corrected = stamps(stage)
        assert len(corrected) == 2
        assert all(abs(stamp - first - timedelta(seconds=off)) < timedelta(seconds=30) for stamp in corrected)

    @pytest.mark.parametrize("date", [None, "yesterday"])
    def test_a_wrong_secret_is_not_a_wrong_clock(self, stage: Stage, make_transport: MakeTransport, date: str | None):
        stage.will(refusal("InvalidSignatureException", Date=date or formatdate(usegmt=True)))

        with pytest.raises(Refused, match="InvalidSignatureException"):
            make_transport().call("GetItem", GET)

        assert len(stage.visits) == 1

    def test_a_corrected_clock_is_not_corrected_again(self, stage: Stage, make_transport: MakeTransport):
        late = refusal("RequestExpired", Date=formatdate(time.time() + 3600, usegmt=True))
        stage.will(late, late)

        with pytest.raises(Refused, match="RequestExpired"):
            make_transport().call("GetItem", GET)

        assert len(stage.visits) == 2


class TestCredentials:
    """Credentials."""

    def test_they_are_renewed(self, stage: Stage, make_transport: MakeTransport, session: botocore.session.Session):
        renewals: list[int] = []

        def renewed() -> dict[str, str]:
            renewals.append(1)
            soon = datetime.now(UTC) + timedelta(seconds=5)  # so close to expiry that each call refreshes them
            return {
                "access_key": f"AKID{len(renewals)}",
                "secret_key": "secret",
                "token": f"token{len(renewals)}",
                "expiry_time": (soon + timedelta(hours=1) * (len(renewals) - 1)).isoformat(),
            }

        session._credentials = RefreshableCredentials.create_from_metadata(renewed(), renewed, "test")
        ours = make_transport()

        ours.call("GetItem", GET)
        ours.call("GetItem", GET)

        assert [headers["x-amz-security-token"] for headers, _ in stage.visits] == ["token2", "token2"]
        assert all("Credential=AKID2/" in headers["authorization"] for headers, _ in stage.visits)

    def test_missing_credentials(
        self, stage: Stage, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setattr(credentials, "_session", cache(botocore.session.Session))

        with pytest.raises(Unavailable):
            make_transport().call("GetItem", GET)

        assert stage.visits == []

    def test_expired_ones_are_refreshed(
        self, stage: Stage, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch
    ):
        found = count(1)

        @cache
        def looked_up() -> botocore.session.Session:
            own = botocore.session.Session()
            own.set_credentials(f"AKID{next(found)}", "secret", "token")
            return own

        monkeypatch.setattr(credentials, "_session", looked_up)
        stage.will(refusal("ExpiredTokenException"), answer(ITEM))

        assert make_transport().call("GetItem", GET) == ITEM

        used = [headers["authorization"].partition("Credential=")[2].partition("/")[0] for headers, _ in stage.visits]
        assert used == ["AKID1", "AKID2"]

    def test_no_newer_ones_are_available(self, stage: Stage, make_transport: MakeTransport):
        stage.will(*[refusal("ExpiredTokenException")] * 9)

        with pytest.raises(Unavailable):
            make_transport().call("GetItem", GET)

        assert len(stage.visits) == 4

    def test_they_cannot_be_fetched(self, stage: Stage, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_PROFILE", "nobody's")
        monkeypatch.setattr(credentials, "_session", cache(botocore.session.Session))

        with pytest.raises(Unavailable):
            make_transport().call("GetItem", GET)
