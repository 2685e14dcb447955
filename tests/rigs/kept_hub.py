"""`carehub run` of a machine whose keeper has its notes in $KEEPERS_NOTES, and there its source, if any."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from hub.cli import main
from hub.updates import keeper_notes as updates
from hub.updates import requests as update_requests

if __name__ == "__main__":
    notes = Path(os.environ["KEEPERS_NOTES"])
    # The places are a machine's own, and root's: a configuration cannot set them.
    vars(updates)["Keepers"] = partial(updates.Keepers, notes, notes / "update_source.json", notes / "slot")
    vars(updates)["STATE"] = notes / "state.json"
    vars(update_requests)["_LOOKS_EVERY_SECONDS"] = 0.1
    main()
