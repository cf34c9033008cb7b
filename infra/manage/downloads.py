"""``manage download-key ...``: the key that signs links to artifacts which CloudFront delivers."""

from __future__ import annotations

from infra.manage.cli import Result, command, manage


@manage.group("download-key")
def download_key() -> None:
    """The key that signs links for downloads through CloudFront (infra/templates/downloads.yaml)."""


@command(download_key, "create")
def create() -> Result:
    """Create a key and print its public key for the parameter PublicKeyA or PublicKeyB of the template.

    Functions use the new key within five minutes (LAMPLIGHTER_KEY_CACHE). Their links fail until CloudFront has its
    public key and LAMPLIGHTER_DOWNLOADS_KEY_ID names it. Links of the previous key work as long as its parameter is
    set.
    """
    from chalicelib.aws import links

    public = links.make_download_key()
    return Result(public.strip(), {"public_key": public})
