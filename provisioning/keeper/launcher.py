#!/usr/bin/python3 -I
"""The keeper's launcher, put on the hub's machine as /usr/lib/carehub/keeper (mode 755).

By the system's Python and isolated (-I): no environment of whoever calls, no folder of theirs and no release
of the hub can get between.
"""

import os
import sys

if __name__ == "__main__":
    # As the link leads now: a keeper that is renewed meanwhile is not mixed with this one.
    sys.path.insert(0, os.path.realpath("/usr/lib/carehub/modules"))
    from provisioning.keeper.__main__ import main

    sys.exit(main())
