"""Remove links from pages to source files.

They work in the repository. The site holds no sources, so only the name is left there.
"""

import re
from typing import Any

_SOURCE_LINK = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, *, page: Any, **kwargs: Any) -> str:
    """Replace links out of `docs/` by their text."""
    if page.file.src_uri.startswith("reference/"):
        return markdown
    return _SOURCE_LINK.sub(r"\1", markdown)
