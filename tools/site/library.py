"""What the library's page makes of the commands: methods that return what was done.

The functions in `shotline.client.verbs` return a `Call` that a supervisor carries
out; as its methods they return what the call is answered with.
"""

from typing import Any

from griffe import Expr, ExprSubscript, Extension, Function


class Calls(Extension):
    """Shows `X` where a command returns `Call[X]`."""

    def on_function_instance(self, *, func: Function, **_: Any) -> None:
        """Take a command's result out of its call."""
        result = func.returns
        if isinstance(result, ExprSubscript) and str(result.left) == "Call":
            func.returns = result.slice if isinstance(result.slice, Expr) else str(result.slice)
