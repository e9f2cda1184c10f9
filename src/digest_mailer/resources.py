"""Where the files that come with the program are: the sample publication and the templates.

An installed copy carries them in `_data`; in a checkout (and an editable install, into which no data is
copied) they are the repository's own top level.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def data_root() -> Path:
    """The directory that holds digest.toml, newsletters/, templates/ and subscribers.example.csv."""
    installed = _PACKAGE / "_data"
    return installed if installed.is_dir() else _PACKAGE.parent.parent


def templates_root() -> Path:
    """The directory of the packaged templates."""
    return data_root() / "templates"
