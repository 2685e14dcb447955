"""A&D's cuff UA-651BLE and thermometer UT-201BLE: the profiles' decoders, and how these two behave on a link.

Their payloads are the profiles' own: see `drivers/blood_pressure.py` and `drivers/thermometer.py`. What their
drivers add is when things are done, and this page is where it is written down why:

- They advertise for about a minute after a measurement, and are silent else. The service is in the
  advertisement ("1810", "1809"), and a name ("A&D_UA-651BLE_" or "A&D_UT201BLE_", then the last six digits
  of the address) at least in pairing mode; outside of it some see the name only with the bonded device.
- They push what they have stored, oldest first, a few seconds after the link is encrypted, and hang up;
  about a minute after a connection they switch off. Within some 5 s of the encryption the clock (Date Time
  2A08, in the measurement's own service) is to be set and the measurement subscribed to, the clock first
  (`clock_first`). Who comes too late gets the readings at the next connection. A clock that was never set
  leaves the time stamps out.
- They are bonded before the services are discovered (`bonding`), in pairing mode: the button held until "Pr"
  shows. They keep one bond: a phone that is paired takes it away. "E 10" on the cuff is a bond that one side
  has lost: `carehub devices forget`, the cuff's batteries out for half a minute, pair anew.
- A failed measurement is sent like any other, all of it NaN, with a time stamp and a status of 0 (a capture
  has 30); so are, some say, test records of the factory at the first connection. Each is a reading
  without a number. The one that the cuff was about to send when the link ended comes again: it is one
  reading, since its time stamp tells it.
- The pressures may be in kPa, to 0.1. They send no user id.
- Their own service (233bf000-5a34-1b6d-975c-000d5690abe4) takes commands: set the clock, send all,
  disconnect, delete the bond, clear, set the size of the memory. None is needed, and none is sent.

Sources: captures and services in HEADS-project/ThingML-BLE (AND_Medical_UA651BLE.md); the clients of obniz
(UA651BLE, UT201BLE), of a gateway that was verified on a UA-651BLE (CareView, GenericBleController), of a
bridge for the UA-656BLE "based on A&D's reference and specification" (bp_bridge.py); gebo's articles on the
UT-201BLE on a Raspberry Pi (Qiita, 2020); andengineering/AndroidSampleCode issue 1. None was tried by us.
"""

from __future__ import annotations

from dataclasses import replace

from drivers import blood_pressure, thermometer
from drivers.gatt import Bonding

UA651BLE = replace(
    blood_pressure.DRIVER,
    name="and_ua651ble",
    title="A&D UA-651BLE blood pressure cuff",
    identified_as=blood_pressure.DRIVER.name,
    bonding=Bonding.FIRST,
    clock_first=True,
)

UT201BLE = replace(
    thermometer.DRIVER,
    name="and_ut201ble",
    title="A&D UT-201BLE thermometer",
    identified_as=thermometer.DRIVER.name,
    bonding=Bonding.FIRST,
    clock_first=True,
)

DRIVERS = (UA651BLE, UT201BLE)
