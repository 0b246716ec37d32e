"""The bridge that lets programs of the MDSplus Redis dispatcher drive and watch Shotline."""
