"""Names of types that only the type checker needs: importing `typing` costs every process of a pipeline 4 ms."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
    from typing import NoReturn as NoReturn
    from typing import TextIO as TextIO
else:
    Any = NoReturn = TextIO = object
