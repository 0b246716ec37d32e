"""The daemon `shotline-watcher`: announces complete files of volumes (V2).

`rules` says what a path is, `candidates` when a file is complete (both pure); `memory` is its
SQLite file, `scanning` looks at folders, `contents` reads files, `volume` follows one volume, and
`server` is the daemon. It never imports the ledger, whose words are in `common.volumes`.
"""
