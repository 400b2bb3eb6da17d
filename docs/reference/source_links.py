"""Links from a page to a source file.

They work where the repository is browsed. The site holds no sources: there, only the name is left.
"""

import re
from typing import Any

_SOURCE_LINK = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, *, page: Any, **kwargs: Any) -> str:
    """The page with links out of `docs/` as plain text."""
    if page.file.src_uri.startswith("reference/"):
        return markdown
    return _SOURCE_LINK.sub(r"\1", markdown)
