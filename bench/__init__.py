"""The performance suite: Shotline beside two baselines, in the same run. Nothing here is a test."""
