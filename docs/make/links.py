"""Whether every link, figure and frame of the built site leads somewhere, without a network."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, in contrast to what a reader may follow.
_FETCHED = {"img", "script", "iframe", "source", "video", "audio", "embed"}


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[bool, str]] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {key: value or "" for key, value in attrs}
        self.names |= {known[key] for key in ("id", "name") if key in known}
        fetched = tag in _FETCHED or (
            tag == "link" and known.get("rel") not in ("canonical", "prev", "next")
        )
        for key in ("href", "src"):
            if key in known:
                self.links.append((fetched, known[key]))


def faults(site: Path) -> list[str]:
    """Give what is wrong with the links of a site, each with the page it stands on."""
    site = site.resolve()
    seen: dict[Path, _Seen] = {}
    for page in sorted(site.rglob("*.html")):
        seen[page] = _Seen()
        seen[page].feed(page.read_text("utf-8"))
    found: list[str] = []
    for page, one in seen.items():
        # The error page stands at any depth, and its links begin at the root of the site.
        if page.name != "404.html":
            for fetched, link in one.links:
                if wrong := _wrong(page, link, fetched, seen):
                    found.append(f"{page.relative_to(site)}: {wrong}")
    return found


def _wrong(page: Path, link: str, fetched: bool, seen: dict[Path, _Seen]) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return f"fetches {link}" if fetched and parts.scheme != "data" else ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return f"{link} is not there"
    place = unquote(parts.fragment)
    # The top of a page needs no name.
    if place not in ("", "__top") and target in seen and place not in seen[target].names:
        return f"{link} has no such place"
    return ""
