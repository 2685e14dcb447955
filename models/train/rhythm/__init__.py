"""Rebuilds the rhythm model and its card from the training data. Never imported by the hub.

`python -m models.train.rhythm --data DIR --into DIR` writes rhythm.tflite and rhythm.json into the latter,
and into another folder (`--predictions`, build/model by default) rhythm.npz: cross-fitted predictions that
`make model-report` draws from: a compressed numpy archive, one row for each recording of the training file in
its order, made by a model that was trained without that recording.

| array | shape | what |
|---|---|---|
| `record` | (n,) str | the recording's name in the training file |
| `label` | (n,) str | "N", "A", "O" or "~", as in the training file |
| `probability` | (n,) float64 | of the recording, by the small network; NaN: too few intervals |
| `teacher` | (n,) float64 | the same by the boosted trees |
| `logistic` | (n,) float64 | the same by logistic regression |
| `entropy` | (n,) float64 | the entropy rule alone: a score, no probability |
| `beats`, `used` | (n,) int64 | intervals told, and plausible ones |
| `quality` | (n,) float64 | share of intervals believed, 0 to 1 (hub.assessment.rhythm.quality) |
| `good` | (n,) bool | whether the recording as a whole would count for a finding |
| `window_record` | (m,) int64 | of each window of the hub's: the row of its recording |
| `window_probability` | (m,) float64 | by the small network; NaN: too few intervals |
| `window_good` | (m,) bool | whether the window counts for a finding |
| `threshold` | () float64 | from which probability on a window is irregular, as on the card |
"""
