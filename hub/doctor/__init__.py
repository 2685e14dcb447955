"""What is well with this hub, what is not, and what to do about it: one finding for each part.

A file for each group of parts; `examination.py` has them all looked at, each bounded in time.
"""

from hub.doctor.examination import examine as examine
