"""Pseudonyms of one study: the same identifier, the same pseudonym, in every file of that study and in no other."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from crewe.design.keys import Key, new_key
from crewe.exceptions import CreweError, InputError, fault
from crewe.files import toml
from crewe.files.writing import as_path, write
from crewe.frames.arguments import check_methods, checked
from crewe.frames.columns import text
from crewe.frames.source import Source

_BYTES = 16
"""What is kept of the code: among a thousand million identifiers two share 128 bits once in 10^20 studies."""


class StudyKey:
    """A secret of 256 bits that makes the pseudonyms of one study.

    :meth:`draw` makes a new one, :meth:`read` takes one from its file. Who has it can try out every
    identifier until the pseudonym fits, so it is kept apart from the data, by somebody else.

    It is redacted in print and cannot be pickled; its bytes are held by the core, out of reach of
    tracebacks that show variables.

    Attributes
    ----------
    study : str
        The study.
    fingerprint : str
        16 hexadecimal digits that tell this key and study from others and say nothing of the key:
        write them into the protocol.

    Examples
    --------
    >>> import crewe as cw
    >>> key = cw.disclosure.StudyKey("Project Crewe", cw.Key.from_hex("00" * 32))
    >>> key
    StudyKey(study='Project Crewe', fingerprint='531ae09b1c34138b', key=redacted)
    >>> key.pseudonym("F1") == key.pseudonym("F2"), len(key.pseudonym("F1"))
    (False, 26)
    """

    __slots__ = ("_key", "fingerprint", "study")

    def __init__(self, study: str, key: Key) -> None:
        self.study, self.fingerprint = _study(study), ""
        if not isinstance(key, Key):
            # What was given may be the secret itself: no traceback shows it.
            del key
            raise fault(
                InputError,
                "a study's key is made from a Key",
                remedy="Pass cw.new_key() or cw.Key.from_hex(...), or read its file with StudyKey.read",
            )
        self._key = key
        self.fingerprint = _code(key, "fingerprint", self.study).hexdigest()[:16]

    @classmethod
    def draw(cls, study: str) -> StudyKey:
        """Draw a new key from the operating system."""
        return cls(study, new_key())

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, study: str) -> StudyKey:
        """Read a key from the file that :meth:`write` made.

        Parameters
        ----------
        path : str or path
            The file.
        study : str
            The study that it is wanted for.

        Raises
        ------
        InputError
            Where the key is of another study, or the file is none that holds a key, or was changed.
        """
        key = None
        with contextlib.suppress(CreweError, KeyError, TypeError, AttributeError):
            key = _held(path)
        # Said outside, so that no traceback goes through the text of the file.
        if key is None:
            raise fault(
                InputError,
                f"'{path}' holds no key of a study, or was changed",
                remedy="Give the path of a file that StudyKey.write made, as it was written",
            )
        _refuse_another(key, study)
        return key

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the key to a new file that its owner alone may read, and give its path.

        Raises
        ------
        InputError
            Where there is a file already: a key that is written over is lost.
        CreweError
            Where the system does not write.
        """
        path = as_path(path)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise fault(
                InputError,
                f"'{path}' is there already, and a key that is written over is lost",
                remedy="Choose another path, or read the key that is there with StudyKey.read",
            ) from None
        except OSError as error:
            raise fault(
                CreweError,
                f"'{path}' could not be written: {error.strerror}",
                remedy="Write to a folder with room and the right to write",
            ) from error
        os.close(handle)
        refused: BaseException | None = None
        try:
            # The file that holds the place has the rights that stay.
            return write(path, self._written())
        except BaseException as error:
            refused = error
        path.unlink(missing_ok=True)
        # Outside the handler, and without what led to it: frames that wrote the key would show it.
        refused.__cause__ = refused.__context__ = None
        raise refused.with_traceback(None)

    def _written(self) -> str:
        return (
            "# Makes the pseudonyms of one study. Keep it apart from the data.\n"
            f"study = {json.dumps(self.study)}\n"
            f'fingerprint = "{self.fingerprint}"\n'
            f'key = "{self._key.reveal()}"\n'
        )

    def pseudonym(self, value: str | int) -> str:
        """Give the pseudonym of one identifier, as :func:`pseudonymise` gives those of a column."""
        return self._pseudonyms([text(value, "identifier")])[0]

    def _pseudonyms(self, ids: Sequence[str]) -> list[str]:
        head = _code(self._key, "pseudonym", self.study)
        found = []
        for one in ids:
            code = head.copy()
            code.update(one.encode("utf-8"))
            found.append(
                base64.b32encode(code.digest()[:_BYTES]).decode("ascii").rstrip("=").lower()
            )
        return found

    def __repr__(self) -> str:
        return f"StudyKey(study={self.study!r}, fingerprint={self.fingerprint!r}, key=redacted)"

    def __reduce__(self) -> NoReturn:
        raise fault(
            InputError,
            "a key cannot be pickled or copied into a file by accident",
            remedy="Write it with StudyKey.write, and read it where it is needed",
        )


check_methods(StudyKey)


@checked
def pseudonymise(frame: Any, ids: Sequence[str], *, key: StudyKey | None = None, study: str) -> Any:
    """Replace identifiers by the pseudonyms of a study.

    A pseudonym is the first 128 bits of HMAC-SHA-256 under the study's key over the study's name
    and the identifier in its canonical form (text in NFC, whole numbers in decimal), in 26 letters
    and digits. The same identifier has the same pseudonym in every column and file of the study, so
    that files still join; between studies, and without the key, nothing joins.

    Parameters
    ----------
    frame : data frame
        The data.
    ids : sequence of str
        The columns that hold identifiers.
    key : StudyKey
        The key of the study.
    study : str
        The study that the file is made for.

    Returns
    -------
    data frame
        Of the kind given, the columns of identifiers replaced by text, all else as it was.

    Raises
    ------
    InputError
        Without a key, with the key of another study, for a column that is not there, and for
        identifiers that are missing, fractional, of several types, or that meet in one pseudonym.

    References
    ----------
    RFC 2104 (HMAC); FIPS 180-4 (SHA-256).

    Examples
    --------
    >>> import crewe as cw
    >>> key = cw.disclosure.StudyKey("Project Crewe", cw.Key.from_hex("00" * 32))
    >>> cases = cw.datasets.project_crewe(seed=2017).cases[["family_id", "closed"]].head(3)
    >>> made = cw.disclosure.pseudonymise(cases, ["family_id"], key=key, study="Project Crewe")
    >>> made["family_id"].nunique() == cases["family_id"].nunique(), made["closed"].equals(cases["closed"])
    (True, True)
    """
    if key is None:
        raise fault(
            InputError,
            "pseudonyms are made with a key, and there is none",
            remedy="Draw one with StudyKey.draw(study), or read the study's with StudyKey.read(path, study=...)",
        )
    _refuse_another(key, study)
    names = list(dict.fromkeys([ids] if isinstance(ids, str) else ids))
    if not names:
        raise fault(
            InputError,
            "no column of identifiers was named",
            remedy='Name columns, for instance ["family_id", "child_id"]',
        )
    source = Source(frame)
    made: dict[str, list[str]] = {}
    whose: dict[str, str] = {}
    for name in names:
        codes, labels = source.ids(name)
        pseudonyms = key._pseudonyms(labels)
        for label, pseudonym in zip(labels, pseudonyms, strict=True):
            if whose.setdefault(pseudonym, label) != label:
                raise fault(
                    InputError,
                    "two identifiers have the same pseudonym, so that two units would be one",
                    column=name,
                    remedy="Draw another key for the study, and make all its files again",
                )
        made[name] = [pseudonyms[code] for code in codes]
    return source.with_columns(made)


def _study(name: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise fault(
            InputError,
            "a key belongs to a study, and the study has no name",
            remedy="Name the study, for instance 'Project Crewe'",
        )
    return unicodedata.normalize("NFC", name.strip())


def _code(key: Key, purpose: str, study: str) -> hmac.HMAC:
    """Begin a code over what it is for and whose it is; lengths go in front, so that no two begin alike."""
    named = study.encode("utf-8")
    head = f"crewe {purpose} 1\0".encode() + len(named).to_bytes(8, "big") + named
    # The secret is nobody's variable here.
    return hmac.new(bytes.fromhex(key.reveal()), head, "sha256")


def _refuse_another(key: StudyKey, study: str) -> None:
    if key.study != _study(study):
        raise fault(
            InputError,
            "the key is of another study, and pseudonyms may not join one study to another",
            values=[f"key of '{key.study}'", f"asked for '{_study(study)}'"],
            remedy="Read the key of this study, or draw one with StudyKey.draw",
        )


def _held(path: str | os.PathLike[str]) -> StudyKey | None:
    """Read a file of a key; None where its fingerprint says that it was changed."""
    found = toml.read(toml.text_of(path), "the file", "")
    key = StudyKey(found["study"], Key.from_hex(found["key"]))
    return key if hmac.compare_digest(key.fingerprint, found["fingerprint"]) else None
