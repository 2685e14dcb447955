"""The words of the card that no run changes: data, protocol, method, limits, and what must not be done."""

from __future__ import annotations

DATA = [
    {
        "name": "PhysioNet/Computing in Cardiology Challenge 2019, version 1.0.0, hospital system A",
        "doi": "10.13026/v64v-d857",
        "licence": "CC BY 4.0",
        "attribution": (
            "Reyna MA, Josef CS, Jeter R, Shashikumar SP, Westover MB, Nemati S, Clifford GD, Sharma A. "
            "Early Prediction of Sepsis From Clinical Data: The PhysioNet/Computing in Cardiology Challenge"
            " 2019. Critical Care Medicine 48(2):210-217, 2020. doi:10.1097/CCM.0000000000004145"
        ),
        "changes": "hourly rows condensed to one observation set every six hours",
        "population": "adults in intensive care of one hospital system in the United States",
        "of": "what the vitals say",
    },
    {
        "name": "PhysioNet/Computing in Cardiology Challenge 2012, version 1.0.0, sets a and b",
        "doi": "10.13026/C2HM3Q",
        "licence": "ODC-By 1.0",
        "attribution": (
            "Silva I, Moody G, Scott DJ, Celi LA, Mark RG. Predicting In-Hospital Mortality of ICU "
            "Patients: The PhysioNet/Computing in Cardiology Challenge 2012. Computing in Cardiology "
            "39:245-248, 2012"
        ),
        "changes": "the first 48 hours as one observation set every six hours; Glasgow Coma Scale as ACVPU",
        "population": "adults in intensive care of one hospital in the United States, 2001 to 2008",
        "of": "what consciousness adds",
    },
]

PROTOCOL = (
    "Sepsis: time-matched. One observation set every six hours of stay, made of the last charted value of "
    "each vital in the block; oxygen is given where the inspired fraction charted is above 0.21. "
    "Positive: onset of sepsis-3 within 12 hours after the set's last hour (onset = 6 hours after the "
    "label's first 1). Sets at or after the onset and people labelled from their first row are left out. "
    "Only sets from the fourth block on. AUROC within each block of the stay, blocks weighted by their "
    "pairs, so that the hour of stay tells nothing. Death: the last set of the first 48 hours, plain "
    "AUROC. People are never shared between training and test: five parts, each judged by a model that "
    "saw the other four. Interval: middle 95 % of a bootstrap that draws people. Alerts: each set at or "
    "above the threshold; an onset is found by an alert within the 24 hours before it."
)

METHOD = (
    "A teacher of boosted trees (LightGBM; how many, and of how many leaves, chosen by nested "
    "validation), learned from the sets at all six phases of the six-hour blocks, each once as it is and "
    "once with gaps (a quarter of the people have one kit alone, of a third now and then a vital is not "
    "measured, a tenth of the sets have nothing before them); negatives drawn per block in proportion to "
    "its positives. A second teacher learns, from the 2012 sets in which consciousness is known, what is "
    "left over of death once the first has spoken; for people who are alert it is 0 on the average. Two "
    "networks of two hidden layers learn the teachers' log-odds, also for people who do not exist (vitals "
    "of one person with those of another), with the signs of their weights held so that a vital further "
    "beyond its normal range, oxygen, less consciousness and more years can never lower the risk. "
    "Calibrated by a line (Platt 1999) fitted to cross-fitted predictions. float16 weights."
)

LIMITS = (
    "Trained on intensive care, not on care homes: no figure here says how it does in a care home.",
    "It foresees the onset of sepsis-3 as defined afterwards from records; where consciousness is known, "
    "also what went before deaths within a stay. Other deterioration was not learned.",
    "The probability is calibrated to intensive care. In a care home it is too high until the site "
    "recalibrates it (carehub model recalibrate); read it as a rank.",
    "Consciousness was learned from other people and another outcome than the rest: to know that a person "
    "is alert changes the risk by what intensive care of 2001 to 2008 says of alert people like them.",
    "Oxygen in the training data mostly means a ventilator, not a resident's own oxygen; those who always "
    "have oxygen get a higher risk from it.",
    "In intensive care a high saturation can mean a ventilator. Left free, the model takes a low saturation"
    " for a good sign; held, as it is below 96 %, it says less of saturation than NEWS2 does.",
    "Changes were learned from sets six hours apart; a resident's sets may be days apart.",
    "A vital that is not measured counts as a typical one, so a set with gaps mostly gets a lower risk than"
    " the same set in full. What was missing is told with each risk.",
    "How the teacher is grown was chosen by nested validation (evaluation, selection); the features, the "
    "networks and the candidates themselves were found by working on these same people, so the figures may "
    "still be a little too good.",
    "Not evaluated in another hospital by us, nor by ethnicity.",
)

FORBIDDEN = (
    "to suppress, delay or lower a NEWS2 alert",
    "to raise an alert of its own: it is computed and reported in shadow only",
    "as the only ground of a decision about a person",
    "for people under 16 or in pregnancy",
)

TRIED: tuple[dict[str, object], ...] = (
    {
        "what": "oxygen held for the rest of the stay, or until another is charted",
        "auroc": 0.711,
        "why_not": "Held for a day, the same trees came to 0.717: nobody charts that a weaned person breathes"
        " air. A day is what the hub holds it, too.",
    },
    {
        "what": "a recurrent network (GRU of 32 units) over the nine sets, trained on the labels",
        "auroc": 0.672,
        "why_not": "Of two of the five parts, where trees came to 0.732; stopped by a third part.",
    },
    {
        "what": "a convolutional network over the nine sets, trained on the labels",
        "auroc": 0.652,
        "why_not": "As the recurrent one.",
    },
    {
        "what": "trees that also see whether oxygen was charted in this very block",
        "auroc": 0.760,
        "why_not": "That it was charted scores 0.685 alone: it marks a ventilator being adjusted. It is "
        "the largest gain of all, and a habit of intensive care that no care home has. Oxygen is a state "
        "here, held for a day, as the hub holds it (0.601 alone).",
    },
    {
        "what": "trees that see which vitals were not charted",
        "auroc": 0.725,
        "why_not": "0.018 more than the same trees with gaps filled (0.707): the gaps tell how a ward "
        "works. In a care home a gap tells which devices there are.",
    },
    {
        "what": "trees left free to take a low saturation, or age, for a good sign",
        "auroc": 0.720,
        "why_not": "Held they came to 0.714. What is beyond normal must not reassure a carer, whatever a"
        " ward with ventilators taught.",
    },
    {
        "what": "a network of two layers trained on the labels, no teacher",
        "auroc": 0.677,
        "why_not": "It learned the same people by heart; dropout, weight penalties and averages of three"
        " changed it by less than 0.003. Taught by trees, the same network comes within 0.01 of them.",
    },
    {
        "what": "one output for both, sepsis and death",
        "auroc": 0.621,
        "why_not": "What foretells death in two days (age, coma) orders those with sepsis in twelve "
        "hours badly (0.56 alone). Hence two networks, and the second speaks only where consciousness is "
        "known.",
    },
    {
        "what": "trees that may not combine vitals (one curve for each vital)",
        "auroc": 0.694,
        "why_not": "It would explain itself, and costs 0.013. Reasons are found by asking what the risk "
        "were if a vital were as usual, whatever the model is inside.",
    },
    {
        "what": "the judged set and its baseline alone, without the recent sets",
        "auroc": 0.705,
        "why_not": "0.010 less than with the mean, lowest and highest of the recent ones.",
    },
    {
        "what": "sets of one phase alone (each stay cut into the same blocks of six hours)",
        "auroc": 0.705,
        "why_not": "The same stays looked at at all six phases brought 0.006, and more with smaller "
        "steps (0.719).",
    },
    {
        "what": "labels that rise slowly before the onset",
        "auroc": 0.704,
        "why_not": "Nothing gained over those of 12 hours (0.711).",
    },
    {
        "what": "symmetric trees (CatBoost), small enough to be run as they are",
        "auroc": 0.706,
        "why_not": "Less than the network that was taught by better trees, and no smaller.",
    },
    {
        "what": "trees with splits at random (extremely randomised)",
        "auroc": 0.701,
        "why_not": "Less than splits that are searched for.",
    },
    {
        "what": "death: trees that see the sum of the Glasgow Coma Scale",
        "auroc": 0.824,
        "why_not": "Plain AUROC of death, left free; with the levels of ACVPU that NEWS2 has 0.813, and held "
        "0.811. A care home knows ACVPU. Charting masks, ventilators and counts were left out.",
    },
)
"""What did not earn its place: time-matched AUROC in hospital A, four parts, one run each, no interval; so
differences below about 0.005 may be chance, and all are of a moment of the work, not of the shipped model."""
