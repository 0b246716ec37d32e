"""What is kept outside of Shotline: a shot's file, its table and report, the queue's history."""
