"""One page that a clinician can read: how good the models are, for what, and what is not known.

`python -m models.train.report --predictions DIR --into FILE` reads the cross-fitted predictions that
training leaves in DIR (`predictions`) and the cards, measures (`findings`, `rhythm_findings`), holds the
figures to the aims (`aims`), and writes one HTML file with its plots inside. It needs numpy alone, and the
same predictions give the same bytes.
"""
