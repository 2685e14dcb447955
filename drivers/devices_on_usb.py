"""The devices on USB that the hub knows.

Where the numbers are from, all read on 2026-11-22: usb.ids of 2025-07-26 (Debian's package); the kernel's
messages in glucometerutils' issues 29 (the meter's cable) and 30 (Verio IQ); atbrask.dk on the CMS50D+ (its
chip is in the cable); the Python package nonin (Xpod); for RFID readers what people who read them with evdev
published of theirs.
"""

from __future__ import annotations

from drivers.known_model import VIRTUAL_KEYBOARD, KnownModel

_READER = ("wristband_reader",)
_AS_A_KEYBOARD = "set it to be a USB keyboard that ends each code with Enter, as its manual says"

MODELS_ON_USB: tuple[KnownModel, ...] = (
    # Oximeters
    KnownModel(
        "Contec",
        "CMS50D+, CMS50E, CMS50F and newer, by a cable with a CP2102",
        ("contec_cms50",),
        payloads=(
            "cms50dplus-1",
            "cms50dplus-3",
            "cms50dplus-cmd-1",
            "cms50dplus-cmd-3",
            "cms50e-1",
            "cms50e-3",
        ),
        payloads_are="of CMS50D+ and CMS50E, live and commands",
        virtual="contec.Cms50",
        remark="the newest have no serial line (28e9:028a) and are not read",
        usb=("10c4:ea60",),
        usb_names=(r"(?i)\bcms ?50",),
        in_many=True,
    ),
    KnownModel(
        "Contec",
        "older CMS50 (19,200 baud), by a cable with a CP2102",
        ("contec_cms50_classic",),
        payloads=("cms50x-recorded",),
        payloads_are="of its memory",
        virtual="contec.ClassicCms50",
        remark="sends only while its menu says so",
        usb=("10c4:ea60",),
        usb_names=(r"(?i)\bcms ?50",),
        in_many=True,
    ),
    KnownModel(
        "Nonin",
        "Xpod, OEM III, 9560, 3150, by an FT232",
        ("nonin_serial", "nonin_df8"),
        payloads=("nonin-df2-packet", "nonin-df2-badchk"),
        payloads_are="of data format 2",
        virtual="nonin.VirtualNonin",
        remark="data formats 2, 7 and 13 are told apart; format 8, which has no checksum, is `nonin_df8`",
        usb=("0403:6001",),
        usb_names=(r"(?i)\bnonin",),
        in_many=True,
    ),
    # Glucose
    KnownModel(
        "LifeScan",
        "OneTouch Ultra Easy, UltraMini, by a cable with a PL2303",
        ("onetouch_ultra_easy",),
        payloads=("otultraeasy-ack", "otultraeasy-ver"),
        payloads_are="packets of the link",
        virtual="onetouch.OneTouchMeter",
        remark="the cable is what is enrolled: keep it with its meter",
        usb=("067b:2303",),
        usb_names=(r"(?i)one ?touch ?ultra",),
        in_many=True,
    ),
    KnownModel("LifeScan", "OneTouch Verio IQ", usb=("10c4:85a7",), remark="a protocol of its own"),
    KnownModel("", "other glucose meters by USB", remark="Contour, Accu-Chek, TaiDoc: not read"),
    # Readers of wristbands
    KnownModel(
        "Honeywell",
        "barcode readers (Voyager, Vuquest, Xenon; Metrologic, Hand Held Products)",
        _READER,
        usb=("0c2e:", "0536:"),
        virtual=VIRTUAL_KEYBOARD,
        remark=_AS_A_KEYBOARD,
    ),
    KnownModel(
        "Zebra",
        "barcode readers (Symbol)",
        _READER,
        usb=("05e0:",),
        virtual=VIRTUAL_KEYBOARD,
        remark=_AS_A_KEYBOARD,
    ),
    KnownModel(
        "Datalogic",
        "barcode readers (Gryphon, QuickScan, Touch; PSC)",
        _READER,
        usb=("05f9:", "080c:"),
        virtual=VIRTUAL_KEYBOARD,
        remark=_AS_A_KEYBOARD,
    ),
    KnownModel(
        "Newland",
        "barcode readers",
        _READER,
        usb=("1eab:",),
        virtual=VIRTUAL_KEYBOARD,
        remark=_AS_A_KEYBOARD,
    ),
    KnownModel(
        "Opticon",
        "barcode readers",
        _READER,
        usb=("065a:",),
        virtual=VIRTUAL_KEYBOARD,
        remark=_AS_A_KEYBOARD,
    ),
    KnownModel(
        "RF IDeas",
        "card readers (pcProx)",
        _READER,
        usb=("0c27:",),
        virtual=VIRTUAL_KEYBOARD,
        remark=_AS_A_KEYBOARD,
    ),
    KnownModel(
        "Sycreader",
        "RFID readers (SYC ID&IC)",
        _READER,
        usb=("08ff:0009",),
        usb_names=(r"(?i)sycreader", r"SYC ID"),
        virtual=VIRTUAL_KEYBOARD,
        remark="all that were published say the same serial number (08FF20140315): enrol it by its socket",
    ),
    KnownModel(
        "",
        "RFID and card readers with the number ffff:0035",
        _READER,
        usb=("ffff:0035",),
        in_many=True,
        virtual=VIRTUAL_KEYBOARD,
        remark="it is no maker's, and not all that have it type",
    ),
    KnownModel(
        "",
        "any reader that types and says what it is (NETUM and others)",
        _READER,
        usb_names=(r"(?i)bar ?code", r"(?i)\bscanner", r"(?i)rfid", r"(?i)\b(ic|id|card|nfc)[ -]?reader"),
        virtual=VIRTUAL_KEYBOARD,
        remark=_AS_A_KEYBOARD,
    ),
)
