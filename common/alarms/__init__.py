"""The words of alarms: what is latched until somebody acknowledges it. Pure."""
