"""The key with which models for the demo's edge are signed: made at the first start, and trusted by that edge alone."""

import shutil
from pathlib import Path
from typing import Final

from simulator.demo.first_models import step

NAME: Final = "demo"


async def trusted_key(home: Path) -> Path:
    """The private key, which the edge of this state folder trusts; it stays, so that what it has signed is trusted still."""
    private = home / "demo" / f"{NAME}.key"
    public = private.with_suffix(".pem")
    if not (private.exists() and public.exists()):
        # the half of a pair is of no use
        for half in (private, public):
            half.unlink(missing_ok=True)
        private.parent.mkdir(parents=True, exist_ok=True)
        await step("models", "keygen", str(private), home=home, quiet=True)
    trusted = home / "edge" / "model-keys"
    trusted.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(public, trusted / public.name)
    return private
