"""What the commands of `shotline` show: tables, lines, and what changes while one looks."""
