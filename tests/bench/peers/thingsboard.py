"""Starts the ThingsBoard gateway with this folder's connector; run by the peers' own Python.

    thingsboard.py CONFIGURATION_FILE

The configuration's directory holds `extensions/`; the working directory takes the gateway's logs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    loader = import_module("thingsboard_gateway.tb_utility.tb_loader").TBModuleLoader
    loader.find_paths()
    loader.PATHS.insert(0, str(Path(sys.argv[1]).parent / "extensions"))
    # At each start it tells its makers of the machine that it runs on; a benchmark does not.
    updater = import_module("thingsboard_gateway.tb_utility.tb_updater").TBUpdater
    updater.check_for_new_version = lambda _: None
    import_module("thingsboard_gateway.gateway.tb_gateway_service").TBGatewayService(sys.argv[1])


main()
