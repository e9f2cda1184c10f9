"""A new publication: the sample's files in a directory of its own."""

import shutil
from pathlib import Path

import tomlkit

from digest_mailer.core.errors import UsageError

_FILES = ("digest.toml", "subscribers.example.csv", "templates/README.md")
_FOLDERS = ("newsletters",)
_IGNORE = "# the database, the keys and the sandbox; never commit them\n.digest/\n"


def make_project(source: Path, target: Path, base_url: str = "") -> list[str]:
    """Copy the sample publication; `base_url` replaces its address. Answers the paths that were made.

    Raises UsageError when the directory has files of these names: nothing is ever overwritten.
    """
    taken = [name for name in (*_FILES, *_FOLDERS) if (target / name).exists()]
    if taken:
        raise UsageError(f"{target} has {taken[0]} already", "choose an empty directory")
    made = []
    try:
        for folder in _FOLDERS:
            shutil.copytree(source / folder, target / folder)
            made.append(f"{folder}/")
        for name in _FILES:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
            made.append(name)
        if not (target / ".gitignore").exists():
            (target / ".gitignore").write_text(_IGNORE, encoding="utf-8")
            made.append(".gitignore")
    except OSError as problem:
        raise UsageError(f"cannot write into {target}: {problem.strerror}", "choose another directory") from problem
    if base_url:
        _set_base_url(target / "digest.toml", base_url)
    return made


def _set_base_url(path: Path, base_url: str) -> None:
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    document["publication"]["base_url"] = base_url
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
