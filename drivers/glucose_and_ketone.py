"""Meters that measure glucose and ketones, and send both as Glucose Measurements (2A18).

The Glucose Service knows no ketones. What is public of such meters:

- the CareSens Dual writes a ketone of 0.0 to 8.0 mmol/L as ten times as many mg/dL of glucose, announces a
  context, and marks that with meal 6, which the service reserves (read in the clients of Tidepool, whose
  pull request 1040 is of that meter, and of xDrip);
- one unnamed meter marks it by nothing (a capture of `tests/drivers/captures.jsonl`, "glu-ketone-2").

So a ketone of 5 mmol/L, an emergency, looks like a glucose of 2.8, and one of 7.5 like a normal glucose; and
a true hypoglycaemia cannot be told from either. What may be a ketone is kept and shown, flagged, and never
scored. Where low glucose matters, a meter that measures nothing else is the better one.
"""

from __future__ import annotations

from dataclasses import replace

from drivers import glucose

_ABOVE_ALL_KETONES = 4.6
"""A ketone of 8.0 is 80 mg/dL and 4.4 mmol/L, and what comes next, if "HI" is a number, 81 and 4.5."""

DRIVER = replace(
    glucose.DRIVER,
    name="glucose_and_ketone",
    title="Meter for glucose and ketones (Bluetooth Glucose Profile)",
    characteristics={
        **glucose.DRIVER.characteristics,
        "2a18": glucose.decoder_of_measurements(perhaps_ketone_below=_ABOVE_ALL_KETONES),
    },
)
