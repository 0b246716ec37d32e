"""The import-linter contract that no module but the named shells does input, output or time.

`.importlinter` uses it as contract type `pure`. A new module is pure unless it is named a shell
there, so that nobody has to remember to list it.
"""

from fnmatch import fnmatchcase
from itertools import groupby
from operator import itemgetter

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PureContract(Contract):
    """Every module but the `shells` imports none of `forbidden_modules`.

    Imports through other modules count, too. Shells may be given as patterns; one that matches
    nothing is a warning.
    """

    shells = fields.ListField(subfield=fields.StringField())
    forbidden_modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001
        """Look for the shortest way from each pure module to each forbidden one."""
        (root,) = self.session_options["root_packages"]
        ours = {name for name in graph.modules if name == root or name.startswith(f"{root}.")}
        shells = {
            name for name in ours if any(fnmatchcase(name, pattern) for pattern in self.shells)
        }
        chains = [
            chain
            for name in sorted(ours - shells)
            for forbidden in self.forbidden_modules
            if forbidden in graph.modules
            and (chain := graph.find_shortest_chain(importer=name, imported=forbidden))
        ]
        stale = [
            f"{pattern} is named a shell, but there is no such module."
            for pattern in self.shells
            if not any(fnmatchcase(name, pattern) for name in ours)
        ]
        return ContractCheck(kept=not chains, warnings=stale, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Show what each impure module reaches, with the first way there, and what to do."""
        chains = check.metadata["chains"]
        for _, ways in groupby(chains, key=itemgetter(0)):
            first, *others = ways
            more = ", ".join(chain[-1] for chain in others)
            output.print_error(" -> ".join(first) + (f"; also {more}" if more else ""), bold=False)
        output.new_line()
        output.print_error(
            "Let a shell do it and tell the module by an event or an argument; or, where the "
            "module itself is a shell, name it under `shells` in .importlinter.",
            bold=False,
        )
