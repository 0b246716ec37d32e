"""Writes the pages of the documents' site that the code knows, while MkDocs builds it.

`hooks` is what MkDocs calls (see mkdocs.yml); `cli`, `configuration` and `http` each write a page.
"""
