"""What the commands that handle files share: their options, and which digest or store is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from seamless_queue import settings

from .entry import debug_option, digest_option, store_option, version_option

if TYPE_CHECKING:
    from seamless.transformer.checksums import Hasher
    from seamless_queue.digest import Digest
    from seamless_queue.store import Store

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Say what is done with each file.")


wished_digest_option = click.option(
    "--digest", metavar="NAME", help="blake3 or sha256 [the store's; SEAMLESS_DIGEST; blake3]."
)


def confirmation_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """-y and -n."""
    no = click.option("-n", "--no", is_flag=True, help="Do not ask either, but refuse.")
    yes = click.option("-y", "--yes", is_flag=True, help="Do not ask before many or large files are copied.")
    return yes(no(function))


def copying_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """-v, -q, --store, --digest, --debug and --version."""
    about_all = store_option(digest_option(debug_option(version_option(function))))
    return verbose_option(quiet_option(about_all))


@contextmanager
def opened(configured: settings.Settings) -> Iterator[Store]:
    """The store, for a while; it is made if there is none."""
    from seamless_queue.store import open_store

    store = open_store(configured)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened_if_there(configured: settings.Settings) -> Iterator[Store]:
    """The same, but none is made; SeamlessError if there is none."""
    from seamless_queue.errors import SeamlessError
    from seamless_queue.store import exists

    if not exists(configured):
        raise SeamlessError(f"there is no store at {configured.store}; name yours with --store or SEAMLESS_CACHE")
    with opened(configured) as store:
        yield store


@contextmanager
def asked_digest(configured: settings.Settings, wish: str | None) -> Iterator[tuple[Digest, Store | None]]:
    """The digest to be used where no store is needed: the one wished for, the store's, or that of a new store.

    With the store, if it was opened; none is made.
    """
    from seamless_queue.digest import DEFAULT_DIGEST, digest_named
    from seamless_queue.store import exists

    if wish is None and exists(configured):
        with opened(configured) as store:
            yield store.digest, store
    else:
        yield digest_named(wish or configured.digest or DEFAULT_DIGEST), None


@contextmanager
def hashing(place: str | None, wish: str | None) -> Iterator[Hasher]:
    """What hashes files with the digest in force, and knows those that a store knows."""
    from seamless.transformer.checksums import Hasher

    with asked_digest(settings.load(place, wish), wish) as (digest, store):
        yield Hasher(digest, store)


def meant(word: str) -> str:
    """The checksum that a word is, or that the sidecar of this name holds; SeamlessError if neither."""
    from seamless_queue import sidecars
    from seamless_queue.digest import is_checksum
    from seamless_queue.errors import SeamlessError

    if is_checksum(word.lower()):
        return word.lower()
    if not word.endswith(sidecars.CHECKSUM):
        raise SeamlessError(f"{word} is neither a checksum (64 hex digits) nor the name of a .CHECKSUM file")
    checksum = sidecars.read_checksum(word.removesuffix(sidecars.CHECKSUM))
    if checksum is None:
        raise SeamlessError(f"{word} does not exist")
    return checksum
