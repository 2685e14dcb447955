#!/usr/bin/python3 -I
"""The keeper's launcher, put on the hub's machine as /usr/lib/carehub/keeper (mode 755).

By the system's Python and isolated (-I): no environment of whoever calls, no folder of theirs and no release
of the hub can get between.
"""

import sys

if __name__ == "__main__":
    sys.path.insert(0, "/usr/lib/carehub/lib")
    from provisioning.keeper.__main__ import main

    sys.exit(main())
