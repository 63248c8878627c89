"""The signature by which an edge knows who made a model: Ed25519 over the file's bytes, in base64 beside it.

The edge's side, which has public keys alone, is `edge/model_trial/signature.py`.
"""

import base64
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge.contracts.errors import ModelError

SUFFIX: Final = ".sig"


def make_keys(private: Path) -> Path:
    """Write a private key, for its owner's eyes alone, and its public key beside it as `<name>.pem`, which is returned."""
    public = private.with_suffix(".pem")
    if public == private:
        raise ModelError(f"{private}: is where the public key goes; name the private one {private.with_suffix('.key').name}")
    for path in (private, public):
        if path.exists():
            raise ModelError(f"{path}: is there already, and what it has signed would be trusted no more; name another")
    key = Ed25519PrivateKey.generate()
    # never there with other rights, not for a moment
    with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public


def sign(model: Path, private: Path) -> Path:
    """Write the signature of a model file beside it; gives its path. Raises `ModelError` where the key is none."""
    content = model.read_bytes()
    try:
        key = load_pem_private_key(private.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # TypeError where it wants a password
        raise ModelError(f"{private}: is no private key without a password; `python -m models keygen` makes one") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ModelError(f"{private}: is no Ed25519 key; `python -m models keygen` makes one")
    beside = model.with_name(model.name + SUFFIX)
    beside.write_bytes(base64.b64encode(key.sign(content)) + b"\n")
    return beside
