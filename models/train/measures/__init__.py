"""What a prediction is judged by: pure functions of arrays, one row per observation set.

Nothing here knows where the predictions came from, so that training, the card and the report tell the
same numbers.
"""
