"""Servers on demand: who starts them, with which engine, and what becomes of them (DESIGN §12)."""
