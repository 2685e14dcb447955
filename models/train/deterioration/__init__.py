"""The deterioration model: from people in intensive care to one small file and its card.

`hospital_stays` and `deaths` make observation sets (`sets`), the hub's own features make vectors of them, a
boosted `teacher` learns from these, a `student` network learns the teacher, and `card` writes what it is.
"""
