"""A shop's logo: read with its settings, checked to be a picture, and carried inside every page, so that no page asks for a file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from loyalty_lab.errors import InputError

KINDS = {"PNG": "png", "JPEG": "jpeg"}
LARGEST = 500_000  # bytes: every page of the web carries it
REMEDY = "give a PNG or JPEG of up to 500 kB in the shop's folder, or remove the line"


def read(folder: Path, name: str) -> str:
    """Return a picture as a data URL.

    Parameters
    ----------
    folder : pathlib.Path
        The shop's folder.
    name : str
        What shop.toml says: a file in that folder.

    Raises
    ------
    InputError
        If there is no such file, it lies elsewhere, is too large, or is no whole PNG or JPEG. A drawing in SVG is refused: it could ask for
        other files, or hold a program.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _refused(name, "lies outside the shop's folder")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _refused(name, f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST:
        raise _refused(name, f"has {len(content):,} bytes")
    return f"data:image/{KINDS[_kind(name, content)]};base64,{base64.b64encode(content).decode()}"


def drawn(url: str | None) -> dict[str, Any] | None:
    """Return what pages draw: the picture itself, and a drawing that holds it, for a printer that takes no data URL.

    Examples
    --------
    >>> drawn(None) is None
    True
    """
    if url is None:
        return None
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        width, height = picture.size
    size = f'width="{width}" height="{height}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}"><image {size} href="{url}"/></svg>'
    return {"svg": svg, "url": url, "shape": f"{width / height:.3f}"}


def _kind(name: str, content: bytes) -> str:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=list(KINDS)) as picture:
            kind = picture.format
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise _refused(name, "is no whole PNG or JPEG") from None
    return kind


def _refused(name: str, what: str) -> InputError:
    return InputError("shop.toml", f"brand.logo = {name!r} {what}", REMEDY)
