"""Who made a model file: Ed25519 (RFC 8032) over its bytes, beside it in a file of base64.

The pilot's team keeps the private key; the edge has the public ones of those whom it trusts, as PEM files in
`KULLAGER_HOME/edge/model-keys/`. A key is known by its file's name.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from edge.contracts.errors import ModelError

SUFFIX: Final = ".sig"
SIGNATURE_BYTES: Final = 64
# far more than a key or a signature has
MAX_FILE_BYTES: Final = 4096

Keys = Mapping[str, Ed25519PublicKey]


def key_folder(home: Path) -> Path:
    return home / "edge" / "model-keys"


def trusted_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """The public keys of a folder by name; none where there is no folder. Raises `ModelError` for another kind of file."""
    keys = {}
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".pem")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read: {error.strerror or error}") from None
    for path in found:
        try:
            with path.open("rb") as file:
                key = load_pem_public_key(file.read(MAX_FILE_BYTES))
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
        except (ValueError, UnsupportedAlgorithm):
            raise ModelError(f"{path}: is no public key; `openssl pkey -pubout` makes one of a private key") from None
        if not isinstance(key, Ed25519PublicKey):
            raise ModelError(f"{path}: is no Ed25519 key; `python -m models keygen` makes one")
        keys[path.stem] = key
    return keys


def read_signature(path: Path) -> bytes | None:
    """What lies beside a model file as its signature; None where nothing does. Raises `ModelError`."""
    beside = path.with_name(path.name + SUFFIX)
    try:
        with beside.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"{beside}: cannot be read: {error.strerror or error}") from None


def verify(content: bytes, signature: bytes | str | None, keys: Keys) -> str:
    """The name of the key that has signed the bytes of a model; `signature` is base64. Raises `ModelError`."""
    if not keys:
        raise ModelError("no model is trusted: there is no public key (*.pem) in KULLAGER_HOME/edge/model-keys")
    if signature is None or not signature.strip():
        raise ModelError(f"is not signed: `python -m models sign` writes its signature beside it ({SUFFIX})")
    try:
        raw = base64.b64decode(
            b"".join((signature.encode() if isinstance(signature, str) else signature).split()), validate=True
        )
    except binascii.Error:
        raise ModelError("its signature is not base64") from None
    if len(raw) != SIGNATURE_BYTES:
        raise ModelError(f"its signature has {len(raw)} bytes; one of Ed25519 has {SIGNATURE_BYTES}")
    for name, key in keys.items():
        try:
            key.verify(raw, content)
        except InvalidSignature:
            continue
        return name
    raise ModelError(
        f"its signature is of none of the trusted keys ({', '.join(keys)}), or the file was changed after it was signed"
    )
