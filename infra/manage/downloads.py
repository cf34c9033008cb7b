"""``manage download-key ...``: the key that signs links to artifacts which CloudFront delivers."""

from __future__ import annotations

from infra.manage.cli import Result, command, manage


@manage.group("download-key")
def download_key() -> None:
    """The key that signs links for downloads through CloudFront (infra/templates/downloads.yaml)."""


@command(download_key, "create")
def create() -> Result:
    """Make a new key and print its public half, for the parameter PublicKeyA or PublicKeyB of the template.

    Functions sign with the new key within five minutes (LAMPLIGHTER_KEY_CACHE), and their links fail until CloudFront
    knows it and LAMPLIGHTER_DOWNLOADS_KEY_ID names it. Links that the key before signed hold while its slot is filled.
    """
    from chalicelib.aws import links

    public = links.make_download_key()
    return Result(public.strip(), {"public_key": public})
