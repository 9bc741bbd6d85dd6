"""The coded terms of the structured report.

Where DICOM (PS3.16) or SNOMED CT has a term it is used. There is none for specific binding ratios and what follows
from them: those are of a scheme of this software's own, whose values are never given another meaning.
"""

from pydicom.sr.coding import Code

SCHEME = "99DATSCANAI"
SCHEME_NAME = "DaTscanAI measurements of dopamine transporter SPECT"


def _own(value, meaning):
    return Code(value, SCHEME, meaning)


CAUDATE = Code("11000004", "SCT", "Caudate nucleus")
PUTAMEN = Code("89278009", "SCT", "Putamen")
STRIATUM = Code("31428008", "SCT", "Corpus striatum")
BRAIN = Code("12738006", "SCT", "Brain")
REGIONS = {"caudate": CAUDATE, "putamen": PUTAMEN, "striatum": STRIATUM}
SIDES = {"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")}
BOTH_SIDES = Code("51440002", "SCT", "Right and left")

SPECT = Code("105371005", "SCT", "SPECT")
COMMENT = Code("121106", "DCM", "Comment")
Z_SCORE = Code("121416", "DCM", "Z-Score of measurement")
PROBABILITY = Code("122157", "DCM", "Probability")
RATIO = Code("118586006", "SCT", "Ratio")
YES, NO = Code("373066001", "SCT", "Yes"), Code("373067005", "SCT", "No")

SBR = _own("SBR", "Specific binding ratio")
CAUDATE_PUTAMEN_RATIO = _own("CPR", "Caudate/putamen ratio of specific binding ratios")
ASYMMETRY = _own("ASYM", "Asymmetry of specific binding ratios, percent of their mean")
PROBABILITY_REDUCED = _own("PREDUCED", "Probability that the striatal uptake is reduced")
ANSWER = _own("ANSWER", "Answer of the classifier on the striatal uptake")
REGISTRATION_QUALITY = _own("REGQ", "Quality of the registration to the template, 0 to 1")
REGISTRATION_ACCEPTED = _own("REGOK", "Registration to the template accepted")
ANSWERS = {
    "normal": _own("NORMAL", "Normal"),
    "reduced": _own("REDUCED", "Reduced"),
    "uncertain": _own("UNCERTAIN", "Uncertain, no answer is given"),
    None: _own("NOANSWER", "Not classified"),
}

NO_UNIT = Code("1", "UCUM", "no units")
RATIO_UNIT = Code("{ratio}", "UCUM", "ratio")
PERCENT = Code("%", "UCUM", "Percent")
