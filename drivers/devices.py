"""The devices that the hub knows: how each is recognised, what reads it, and what that was tested against.

Evidence is what was run, and nothing else: virtual sensors, and payloads that people published, most of them
captured from the device. None was ever tried by us on the device itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model, or several that cannot be told apart.

    `drivers` are the names of those that may read it, the likeliest first; none where nothing here does.
    `names` are regular expressions for the beginning of the name that it advertises; none where its name is
    not known, or may be any. `services` are what it advertises that tells of it, as in `GattDriver.service`.

    Evidence: `payloads` are the ids of its published payloads in `tests/drivers/captures.jsonl`, each decoded
    by a test, and `payloads_are` says more of them; `virtual` is the sensor of `drivers/virtual/profiles.py`
    that plays it. `remark` is what an engineer must know before one is bought or enrolled.
    """

    maker: str
    model: str
    drivers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    payloads: tuple[str, ...] = ()
    payloads_are: str = ""
    virtual: str | None = None
    remark: str = ""

    @property
    def title(self) -> str:
        """Maker and model."""
        return f"{self.maker} {self.model}".strip()

    @property
    def evidence(self) -> str:
        """In words, what its driver was tested against."""
        said = ["a virtual sensor"] if self.virtual else []
        if self.payloads:
            count = (
                "1 published payload"
                if len(self.payloads) == 1
                else f"{len(self.payloads)} published payloads"
            )
            said.append(f"{count} ({self.payloads_are})" if self.payloads_are else count)
        return ", ".join(said) or "nothing"


_NONIN_OXIMETRY = "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b"
_ENCRYPTION = "its encryption must be off"

MODELS: tuple[KnownModel, ...] = (
    # Blood pressure
    KnownModel(
        "A&D",
        "UA-651BLE",
        ("and_ua651ble",),
        (r"A&D_UA-651BLE",),
        ("1810",),
        ("bp-ua651-measured", "bp-ua651-failed", "bp-obniz-ua651-kpa-frag", "dt-obniz-ua651"),
        "one failed, two single fields",
        "AND_CUFF",
        "keeps one bond: pair it with no phone; `drivers/and_medical.py` says how it behaves",
    ),
    KnownModel(
        "A&D",
        "UA-656BLE",
        ("and_ua651ble",),
        (r"A&D_UA-656BLE",),
        ("1810",),
        remark="said to behave as the UA-651BLE does",
    ),
    KnownModel(
        "boso",
        "medicus",
        ("blood_pressure",),
        (r"boso medicus",),
        ("1810",),
        ("bp-boso-err-cuff",),
        "of a failed measurement",
        remark="a failed measurement is NaN without a reason",
    ),
    KnownModel(
        "Beurer",
        "BM85",
        ("beurer_bm85",),
        (r"BM85",),
        ("1810",),
        ("bp-beurer-bm85-2", "bp-beurer-bm85-4-irregular"),
        "none failed, none in kPa",
        remark="sends its whole memory at each connection",
    ),
    KnownModel(
        "Beurer",
        "other cuffs (BM...)",
        ("blood_pressure", "beurer_bm85"),
        (r"BM(?!85)\d\d",),
        ("1810",),
        remark="some may have the BM85's layout, which the strict `blood_pressure` refuses: begin with that",
    ),
    KnownModel(
        "",
        "any cuff that keeps to the profile",
        ("blood_pressure",),
        services=("1810",),
        payloads=("bp-so78168365", "icp-rnbleplx694"),
        payloads_are="of unnamed ones: reserved flags and 0.1 mmHg, and 2A36",
        virtual="BLOOD_PRESSURE_CUFF",
    ),
    KnownModel(
        "Silvercrest",
        "SBM69",
        names=(r"SBM69",),
        services=("1810",),
        remark="said to have the profile's service, and numbers of its own",
    ),
    KnownModel("Omron", "HEM-...", names=(r"BLE[Ss]mart_",), remark="its memory has a protocol of its own"),
    KnownModel("Yonker", "YK-IBPA1", remark="a protocol of its own"),
    # Temperature of a body
    KnownModel(
        "A&D",
        "UT-201BLE",
        ("and_ut201ble",),
        (r"A&D_UT-?201BLE",),
        ("1809",),
        ("temp-ut201-371",),
        remark="as the UA-651BLE; pairing may need several tries",
    ),
    KnownModel(
        "",
        "any thermometer that keeps to the profile",
        ("thermometer",),
        services=("1809",),
        payloads=("temp-so54834439-360", "temp-so54834439-368", "float32-985F"),
        virtual="THERMOMETER",
        payloads_are="of unnamed ones, checked against the display",
    ),
    KnownModel(
        "Pyle",
        "PHTM60BTBL",
        ("thermometer",),
        services=("1809",),
        payloads=("temp-pyle-1", "temp-pyle-3"),
        payloads_are="of the display, the order of magnitude is known",
    ),
    KnownModel("Beurer", "FT...", ("thermometer",), (r"FT\d\d",), ("1809",)),
    # Oximeters
    KnownModel(
        "Nonin",
        "3230",
        ("nonin_3230",),
        (r"Nonin3230_",),
        (_NONIN_OXIMETRY,),
        virtual="NONIN_OXIMETER",
        remark="read by the profile if it offers that, else by its own service; accepts a new bond only"
        " within two minutes after its batteries were put in",
    ),
    KnownModel(
        "Viatom",
        "PC-60FW",
        ("viatom_pc60fw",),
        (r"PC-60F",),
        payloads=("pc60fw-num", "pc60fw-num-97", "pc60fw-num-98"),
        payloads_are="none without a finger, or searching",
        virtual="UART_OXIMETER",
    ),
    KnownModel(
        "Creative",
        "PC-60NW",
        ("viatom_pc60fw",),
        (r"PC-60NW",),
        payloads=("pc60nw-num-96", "pc60nw-num-95"),
        payloads_are="over Bluetooth's classic serial port",
        remark="not known to be the same over Low Energy",
    ),
    KnownModel(
        "Viatom",
        "OxySmart, POD-1W",
        ("viatom_pc60fw",),
        (r"OxySmart", r"POD-1"),
        remark="the maker's SDK reads them as a PC-60FW",
    ),
    KnownModel(
        "",
        "any oximeter that keeps to the profile",
        ("pulse_oximeter",),
        services=("1822",),
        virtual="PULSE_OXIMETER",
    ),
    KnownModel(
        "ChoiceMMed",
        "oximeter",
        ("pulse_oximeter",),
        services=("1822",),
        payloads=("plx-spot-choicemmed", "plx-cont-choicemmed"),
    ),
    KnownModel("Viatom", "O2Ring, Checkme", names=(r"O2Ring", r"Checkme"), remark="a protocol of its own"),
    KnownModel("Berry", "BM1000 (BerryMed)", names=(r"BerryMed",), remark="a protocol of its own"),
    KnownModel("Masimo", "MightySat", names=(r"MightySat",), remark="a protocol of its own"),
    KnownModel("Contec", "CMS50D-BT", remark="a protocol of its own"),
    # Heart rate
    KnownModel(
        "Polar",
        "H7, H10",
        ("heart_rate",),
        (r"Polar H\d+",),
        ("180d",),
        (
            "hr-polarh7-1",
            "hr-polarh7-3",
            "hr-polarh7-5",
            "hr-polarh10-so67024800",
            "hr-flexoft-2",
            "hr-flexoft-4",
        ),
        remark="the H10 does not tell skin contact",
    ),
    KnownModel(
        "",
        "any strap that keeps to the profile",
        ("heart_rate",),
        services=("180d",),
        payloads=("hr-so33917836-1", "hr-so33917836-3"),
        virtual="HEART_RATE_STRAP",
        payloads_are="of unnamed ones",
    ),
    # Glucose
    KnownModel(
        "",
        "any glucose meter that keeps to the profile",
        ("glucose",),
        services=("1808",),
        payloads=("glu-104",),
        virtual="GLUCOSE_METER",
        payloads_are="of an unnamed one",
    ),
    KnownModel("Roche", "Accu-Chek Guide", ("glucose",), (), ("1808",), ("glu-accuchek-guide-62",)),
    KnownModel(
        "",
        "any meter for glucose and ketones",
        ("glucose_and_ketone",),
        services=("1808",),
        payloads=("glu-ketone-0", "glu-ketone-2"),
        payloads_are="of an unnamed one",
        remark="a ketone looks like a low glucose: never read it with `glucose`",
    ),
    KnownModel("Beurer", "GL...", ("glucose",), (r"GL\d\d",), ("1808",)),
    # Scales
    KnownModel(
        "Beurer",
        "BF720",
        ("weight_scale",),
        (r"BF720",),
        ("181d",),
        ("wss-bf720",),
        remark="tells nothing until one of its users has consented (2A9F), which the hub does not do",
    ),
    KnownModel(
        "Renpho",
        "ES-WBE28",
        names=(r"(?i:renpho)", r"ES-WBE28"),
        services=("181d",),
        payloads=("wss-renpho-eswbe28",),
        remark="sends a tenth of the weight",
    ),
    KnownModel(
        "Xiaomi",
        "Mi scale",
        names=(r"MI_SCALE", r"MI SCALE2", r"MIBCS", r"MIBFS"),
        remark="a layout of its own",
    ),
    KnownModel("Medisana", "BS4...", remark="a protocol of its own"),
    KnownModel(
        "",
        "any scale that keeps to the profile",
        ("weight_scale",),
        services=("181d",),
        virtual="WEIGHT_SCALE",
    ),
    # The room
    KnownModel(
        "Shelly",
        "BLU H&T Display ZB",
        ("bthome",),
        (r"SBHT-103C",),
        ("fcd2",),
        ("bthome-shelly-ht-zb",),
        remark=_ENCRYPTION,
    ),
    KnownModel(
        "Shelly",
        "BLU Door/Window",
        ("bthome",),
        (r"SBDW-002C",),
        ("fcd2",),
        ("bthome-shelly-dw",),
        remark=_ENCRYPTION,
    ),
    KnownModel(
        "Shelly",
        "BLU Motion, Button, Wall Switch, other H&T",
        ("bthome",),
        (r"SBMO-", r"SBBT-", r"SBHT-"),
        ("fcd2",),
        remark=_ENCRYPTION,
    ),
    KnownModel(
        "",
        "any sensor that speaks BTHome v2",
        ("bthome",),
        services=("fcd2",),
        payloads=("bthome-temp-hum", "bthome-press", "bthome-two-temps"),
        payloads_are="of the format's authors",
        remark=_ENCRYPTION,
    ),
    # By cable
    KnownModel("Contec", "CMS50 (USB)", remark="not read yet"),
    KnownModel("Nonin", "Xpod, OEM III (USB)", remark="not read yet"),
    KnownModel("", "glucose meters by USB", remark="Contour, OneTouch, TaiDoc: not read yet"),
    KnownModel("", "readers of wristbands", remark="keyboards: not read yet"),
)
"""All that is known. Where several may be meant, the likelier one is the earlier."""
