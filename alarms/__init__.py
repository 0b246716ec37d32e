"""What is latched until somebody acknowledges it: failed actions, lost servers, held runs. Pure.

The dispatcher hosts it. `machine` is the face; the words that others need are in `common.alarms`.
"""
