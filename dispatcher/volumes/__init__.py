"""Where the dispatcher hosts the ledger of data records, which is `shotline.volumes`'. Pure."""
