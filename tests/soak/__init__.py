"""A day in minutes: many servers, large shots one after the other, observers, some asleep."""
